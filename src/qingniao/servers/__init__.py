"""Other people's servers, started by us: what `qingniao cluster` and the tests run beside our own.

Rule: a server started here ends with whoever started it, and leaves nothing behind but its folder.
"""
