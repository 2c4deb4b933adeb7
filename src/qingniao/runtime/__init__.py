"""The composition root: everything in one process. Owns start, order and end.

Rule: `house.py` is the only file that names an engine; every other file, in here too, works with
ports.
"""

from qingniao.runtime.process import Ready, serve

__all__ = ["Ready", "serve"]
