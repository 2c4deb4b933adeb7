"""`qingniao cluster`: every process of a scaled-out installation on one machine, for trying.

Rule: what it starts, it ends; what it keeps is in one folder.
"""
