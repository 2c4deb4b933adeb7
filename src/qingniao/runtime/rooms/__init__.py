"""One small composition for each role that `qingniao serve` knows, in a file of its name.

Rule: a room gets the foundation and its neighbours' calls, never an engine by its name.
"""
