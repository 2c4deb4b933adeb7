"""The composition root: what a process is made of. Owns start, order and end.

Rule: `engines.py` is the only file that names an engine; every other file, in here too, works with
ports.
"""

from qingniao.runtime.process import Ready, serve
from qingniao.runtime.roles import ALL, ServeRole, read_roles

__all__ = ["ALL", "Ready", "ServeRole", "read_roles", "serve"]
