"""One heart for all connections. Rule: no timer per connection.

Time is cut into beats of a second. A wheel has a slot for each beat of a round; every connection
sits in one of them and is looked at once in a round. Those that have not said hello yet sit apart
and are looked at in every beat.
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
        round_beats = max(1, round(beat_ms / 1000 / _BEAT_S))
        self._hello_beats = max(1, round(hello_ms / 1000 / _BEAT_S))
        self._wheel: list[dict[Connection, None]] = [{} for _ in range(round_beats)]
        self._next = 0
        self.strangers: dict[Connection, None] = {}
        """Connections that were not seen to be welcome yet."""

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            await asyncio.sleep(_BEAT_S)
            self._hub.beat += 1
            self.look()

    def add(self, connection: "Connection") -> None:
        """A socket is up."""
        connection.slot = -1
        connection.born = connection.seen = self._hub.beat
        self.strangers[connection] = None

    def remove(self, connection: "Connection") -> None:
        """The socket is gone."""
        slot = self.strangers if connection.slot < 0 else self._wheel[connection.slot]
        slot.pop(connection, None)

    def look(self) -> None:
        """One beat: this slot's connections, and the strangers."""
        beat, quiet = self._hub.beat, len(self._wheel)
        for connection in list(self._wheel[beat % quiet]):
            silence = beat - connection.seen
            if silence > 2 * quiet:
                connection.bye(Bye(Close.SILENT, "No sign of life."))
            elif silence >= quiet // 2:
                connection.send(Ping(beat))
        for connection in list(self.strangers):
            if connection.session.phase is Phase.READY:
                del self.strangers[connection]
                # Evenly, whenever they came: a storm must not become a storm of heartbeats.
                self._next = connection.slot = (self._next + 1) % quiet
                self._wheel[self._next][connection] = None
            elif beat - connection.born > self._hello_beats:
                connection.bye(Bye(Close.NO_HELLO, "No hello in time."))
        self._hub.outboxes.look()
