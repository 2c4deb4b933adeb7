"""When the bus lost something, or is away: the log is asked what those who are here have missed.

Owns which followed conversations are in doubt; refuses to send anything (that is
`Following.repair`).
Rule: while the bus is whole and loses nothing, the log is never asked.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from qingniao.errors import StorageError
from qingniao.log import get_logger

if TYPE_CHECKING:
    from qingniao.gateway.hub import Hub

__all__ = ["Gaps"]

_log: Final = get_logger("gateway")
_LOOK_S: Final = 2.0
"""How often the log is asked while the bus is away: what a message may then take longer."""
_ASKED_AT_ONCE: Final = 500
_MENDED_AT_ONCE: Final = 32
_LISTS_LOOKS: Final = 3
"""Lists are read anew in every so many looks: that costs each agent a request."""


class Gaps:
    """Compares what was sent with the log, for the conversations that are followed here."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._following = hub.following
        self._noted = asyncio.Event()
        self._doubted: set[int] = set()
        self._doubts_all = False
        self._looks = 0
        self.looked = 0
        """Conversations compared since the start."""

    def note(self, conversations: Sequence[int]) -> None:
        """See `bus.base.Gap`."""
        if conversations:
            self._doubted.update(conversations)
        else:
            self._doubts_all = True
        self._noted.set()

    async def run(self) -> None:
        """Look when something is in doubt, and every two seconds while the bus is away."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._noted.wait()
            except TimeoutError:
                if self._hub.services.fanout.is_whole:
                    continue
                self._looks += 1
                if self._looks % _LISTS_LOOKS == 0:
                    self._hub.inbox.doubt()
                await self._try(list(self._following.followers), retell=False)
                continue
            self._noted.clear()
            doubted, self._doubted = self._doubted, set()
            everything, self._doubts_all = self._doubts_all, False
            if everything:
                self._hub.inbox.doubt()
            followers = self._following.followers
            await self._try(
                list(followers) if everything else [c for c in doubted if c in followers],
                retell=True,
            )

    async def _try(self, conversations: Sequence[int], *, retell: bool) -> None:
        try:
            await self._look(conversations, retell=retell)
        except (StorageError, TimeoutError) as exc:
            _log.warning("gap_remains", reason=str(exc), conversations=len(conversations))
            await asyncio.sleep(_LOOK_S)
            self.note(conversations)
        except Exception as exc:  # whoever is connected must not lose the one who looks
            _log.error("gap_look_failed", exc=exc, conversations=len(conversations))

    async def _look(self, conversations: Sequence[int], *, retell: bool) -> None:
        for start in range(0, len(conversations), _ASKED_AT_ONCE):
            some = conversations[start : start + _ASKED_AT_ONCE]
            behind = await self._behind(some)
            for first in range(0, len(behind), _MENDED_AT_ONCE):
                few = behind[first : first + _MENDED_AT_ONCE]
                followers = ((one, list(self._following.followers.get(one, ()))) for one in few)
                await asyncio.gather(*(self._following.repair(*follows) for follows in followers))
            if retell:
                # Whispers are in no log: who is there and who has read what is told anew.
                for conversation in set(some).difference(behind):
                    if any(
                        c.session.is_agent for c in self._following.followers.get(conversation, ())
                    ):
                        self._hub.standings.tell(conversation)

    async def _behind(self, conversations: Sequence[int]) -> list[int]:
        """Which of them have more in the log than somebody here was sent."""
        self.looked += len(conversations)
        known: dict[int, int] = {}
        for conversation in conversations:
            for connection in self._following.followers.get(conversation, ()):
                have = connection.follows[conversation]
                if have < 0:  # it is reading the log already: once more, and that is all
                    self._following.note_news(connection, conversation)
                else:
                    known[conversation] = min(have, known.get(conversation, have))
        return list(await self._hub.services.log.advanced(known))
