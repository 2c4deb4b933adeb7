"""What goes through a double: a request, the reply to it, and what became of both.

Owns shapes only. Rule: a reply is all there before its first byte is said.
"""

import asyncio
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from qingniao.doubles.scenario import Script

__all__ = ["Exchange", "Reply", "Request", "Stop"]


class Request(Struct, kw_only=True):
    """What a client asked. Header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    keeps_alive: bool = True


class Stop:
    """Ends a stream that is under way; `tail` is then said instead of what was left, and the
    connection held for `hold_s`.
    """

    def __init__(self, tail: list[bytes], *, hold_s: float = 0.0) -> None:
        self.tail = tail
        self.hold_s = hold_s
        self.is_set = False
        self.nudge: asyncio.Event | None = None

    def set(self) -> None:
        """Once; later calls do nothing."""
        self.is_set = True
        if self.nudge is not None:
            self.nudge.set()


class Reply(Struct, kw_only=True):
    """What is answered: one body, or the events of a stream, each as its bytes."""

    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = {}
    events: list[bytes]
    is_stream: bool = False
    pace_s: float = 0.0
    """Between two events."""
    ping: bytes = b""
    """Said whenever nothing else was for `ping_s`; empty: never."""
    ping_s: float = 10.0
    stop: Stop | None = None
    ended: Callable[[bool], None] | None = None
    """Told once whether everything was said."""
    script: Script = Script()


class Exchange(Struct, kw_only=True):
    """One request and what became of its answer."""

    request: Request
    status: int = 0
    """0: not a byte was answered."""
    outcome: Literal["open", "whole", "stopped", "cut", "left"] = "open"
    """`cut`: by the script. `left`: the client closed before the end."""
