"""A port for a server that has to be told one.

Rule: it was free a moment ago, and nobody keeps it: whoever listens there looks whether that works.
"""

import socket
from typing import Final

__all__ = ["LOOPBACK", "free_port"]

LOOPBACK: Final = "127.0.0.1"


def free_port(host: str = LOOPBACK) -> int:
    """A port at which nobody listens on this address. Raises `OSError` for one of others."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as probe:
        return int(probe.getsockname()[1])
