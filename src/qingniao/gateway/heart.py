"""One heart for all connections. Rule: no timer per connection.

Time is cut into beats of a second. Each beat looks at every `beat_s`-th part of the connections
(those whose turn it is) and at the ones that have not said hello yet.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from qingniao.protocol.codes import Close
from qingniao.protocol.frames import Bye, Ping
from qingniao.protocol.session import Phase

if TYPE_CHECKING:
    from qingniao.gateway.connection import Connection
    from qingniao.gateway.hub import Hub

__all__ = ["Heart"]

_BEAT_S: Final = 1.0


class Heart:
    """Pings the quiet, closes the silent and those that never say hello."""

    def __init__(self, hub: "Hub", beat_ms: int, hello_ms: int) -> None:
        self._hub = hub
        self._quiet = max(1, round(beat_ms / 1000 / _BEAT_S))
        self._hello = max(1, round(hello_ms / 1000 / _BEAT_S))

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            await asyncio.sleep(_BEAT_S)
            self._hub.beat += 1
            self.look()

    def look(self) -> None:
        """One beat: every connection has its turn once in `beat_ms`, spread by identity."""
        beat, quiet = self._hub.beat, self._quiet
        for connection in list(self._hub.connections):
            if connection.session.phase is Phase.READY:
                if (id(connection) // 64 + beat) % quiet == 0:
                    self._check(connection, beat - connection.seen)
            elif beat - connection.born > self._hello:
                connection.bye(Bye(Close.NO_HELLO, "No hello in time."))

    def _check(self, connection: "Connection", silence: int) -> None:
        if silence > 2 * self._quiet:
            connection.bye(Bye(Close.SILENT, "No sign of life."))
        elif silence >= self._quiet // 2:
            connection.send(Ping(self._hub.beat))
