"""Tells those who follow a conversation who has it now. Owns the order of the tellings.

Rule: one telling at a time, of all the conversations that changed hands meanwhile, and another
after it if anything moved: two at once may overtake each other, and the last word would be the
older one. What is due is bounded by the conversations followed here.
"""

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from qingniao.chat.view import standing
from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.protocol.frames import State

if TYPE_CHECKING:
    from qingniao.gateway.hub import Hub

__all__ = ["Standings"]

_AT_ONCE: Final = 200
_RETRY_S: Final = 2.0

_log: Final = get_logger("gateway")


class Standings:
    """One per hub."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._due: dict[int, None] = {}
        self._is_telling = False

    def tell(self, conversation: int) -> None:
        """Tell all who follow it, as soon as the log can be read."""
        self._due[conversation] = None
        if not self._is_telling:
            self._is_telling = True
            self._hub.spawn(self._run())

    async def _run(self) -> None:
        try:
            while self._due:
                some = list(islice(self._due, _AT_ONCE))
                for conversation in some:
                    del self._due[conversation]
                try:
                    await self._tell(some)
                except (StorageError, TimeoutError) as exc:
                    _log.warning("standings_wait", reason=str(exc), conversations=len(some))
                    self._due = dict.fromkeys(some) | self._due
                    await asyncio.sleep(_RETRY_S)
        finally:
            self._is_telling = False

    async def _tell(self, conversations: Sequence[int]) -> None:
        services, followers = self._hub.services, self._hub.following.followers
        heads = await services.log.heads([c for c in conversations if c in followers])
        online = await services.presence.online([f"v:{head.visitor}" for head in heads.values()])
        for conversation, head in heads.items():
            is_online = f"v:{head.visitor}" in online
            for connection in list(followers.get(conversation, ())):
                is_agent = connection.session.is_agent
                fields = standing(head, agent=is_agent)
                if is_agent:
                    fields["online"] = is_online
                if head.status != "waiting":
                    fields["queue"] = None
                connection.send(State(conversation, fields))
