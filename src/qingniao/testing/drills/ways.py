"""The network between two kinds of process: a relay that is cut, goes deaf or becomes slow.

Owns the relayed connections of one way; refuses to look into them. Rule: what a hole swallows is
held and arrives when the way is mended, as a network would send it again: also what nobody waits
for any more.
"""

import asyncio
import random
from typing import Final, Literal

from qingniao.testing.network import Cut, Link, Manners
from qingniao.testing.relay import CONNECT_S, Relay, hung_up

__all__ = ["State", "Way"]

State = Literal["open", "cut", "hole"]

_FIRST_BYTES: Final = 65_536


class Way(Relay):
    """Relays connections to `port` of this machine as long as it is entered; `port` of its own is
    where to connect."""

    def __init__(self, target: int, *, seed: int = 0) -> None:
        super().__init__()
        self.state: State = "open"
        self.carried = 0
        """Connections made so far."""
        self._target = target
        self._chance = random.Random(seed)  # noqa: S311  the same faults in every run
        self._manners = Manners()
        self._open = asyncio.Event()
        self._open.set()
        self._links: set[Link] = set()

    def cut(self) -> None:
        """Every connection is reset, and each new one at once."""
        self.state = "cut"
        for link in list(self._links):
            link.cut()

    def hole(self) -> None:
        """Nothing arrives any more, either way, and nobody is told."""
        self.state = "hole"
        self._open.clear()
        for link in self._links:
            link.hole()

    def hole_after(self, size: int) -> None:
        """The same, once a piece of at least `size` bytes has arrived."""

        def arrived(so_many: int) -> None:
            if so_many >= size:
                self.hole()

        self._manners.arrived = arrived

    def slow(self, delay_s: float) -> None:
        """Every piece waits up to so long, either way."""
        self._manners.delay_s = delay_s

    def mend(self) -> None:
        """All is well again; what was held arrives."""
        self.state = "open"
        self._manners.delay_s = 0.0
        self._manners.arrived = None
        self._open.set()
        for link in self._links:
            link.heal()

    def _is(self, state: State) -> bool:
        """Asked again after every wait: it may be another by then."""
        return self.state == state

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is("cut"):
            writer.transport.abort()
            return
        link = Link(self._manners, self._chance, None)
        writers = [writer]
        try:
            head = b""
            if self._is("hole"):
                await self._open.wait()
                # Who gave up meanwhile never got through: nothing of theirs is carried.
                head = await reader.read(_FIRST_BYTES)
                if not head or reader.at_eof():
                    return
            async with asyncio.timeout(CONNECT_S):
                far = await asyncio.open_connection("127.0.0.1", self._target)
            writers.append(far[1])
            self.carried += 1
            if self._is("cut"):
                return
            if self._is("hole"):
                link.hole()
            self._links.add(link)
            await link.carry(head, (reader, writer), far)
        except* (Cut, OSError, TimeoutError, asyncio.IncompleteReadError):
            # One side has ended it, or is not there: the other is told the hard way.
            link.cut()
        finally:
            self._links.discard(link)
            await hung_up(writers)
