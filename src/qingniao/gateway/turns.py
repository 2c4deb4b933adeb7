"""Who is read next while the intake is crowded. Owns the line of connections that rest for it.

What is left in a socket costs nothing; read too early, it is told `busy` and has to be sent, read
and decoded again. So a connection whose message found the intake half full is not read until the
intake has room for all that its credit allows. Rule: first come, first served, and nobody rests for
longer than a second: a heartbeat must not wait for ever.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from qingniao.metrics import Reading
from qingniao.pipeline.pipeline import Pipeline

if TYPE_CHECKING:
    from qingniao.gateway.client_socket import ClientSocket

__all__ = ["REST_MAX_S", "Turns"]

REST_MAX_S: Final = 1.0
_LOOK_S: Final = 0.002
"""Between two looks at the intake: what a hundred messages take."""


class Turns:
    """The connections that rest, each in line once: as many as there are connections at most."""

    def __init__(self, pipeline: Pipeline, credit: int) -> None:
        """`credit`: messages that one connection may bring before the first is acked."""
        self._pipeline = pipeline
        self._credit = credit
        self._resting: deque[tuple[ClientSocket, float]] = deque()
        self.turns = 0

    def add(self, connection: "ClientSocket") -> None:
        """It is not read any more; `rested` is called when its turn has come."""
        loop = asyncio.get_running_loop()
        if not self._resting:
            loop.call_later(_LOOK_S, self._look)
        self._resting.append((connection, loop.time()))

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        longest = loop.time() - REST_MAX_S
        room = self._pipeline.room
        resting = self._resting
        while resting and (room > 0 or resting[0][1] < longest):
            connection, _ = resting.popleft()
            if connection.transport is not None:
                room -= self._credit
                self.turns += 1
            connection.rested()
        if resting:
            loop.call_later(_LOOK_S, self._look)

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "gauge", "connections_resting", "Not read: the intake is crowded.", len(self._resting)
        yield "counter", "intake_turns", "Times that one of them was read again.", self.turns
