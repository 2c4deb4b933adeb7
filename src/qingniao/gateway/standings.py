"""Tells those who follow a conversation who has it now. Owns the order of the tellings.

Rule: of one conversation there is one telling at a time, and another after it if anything moved
meanwhile: two at once may overtake each other, and the last word would be the older one.
"""

from typing import TYPE_CHECKING

from qingniao.chat.view import standing
from qingniao.protocol.frames import State

if TYPE_CHECKING:
    from qingniao.gateway.hub import Hub

__all__ = ["Standings"]


class Standings:
    """One per hub."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._telling: dict[int, bool] = {}
        """Conversations being told of; true: once more afterwards."""

    async def tell(self, conversation: int) -> None:
        """Tell all, or have whoever is telling do it once more. Raises `StorageError`."""
        if conversation in self._telling:
            self._telling[conversation] = True
            return
        is_due = True
        try:
            while is_due:
                self._telling[conversation] = False
                await self._tell(conversation)
                is_due = self._telling[conversation]
        finally:
            del self._telling[conversation]

    async def _tell(self, conversation: int) -> None:
        services = self._hub.services
        head = await services.log.head(conversation)
        if head is None:
            return
        online = bool(await services.presence.online((f"v:{head.visitor}",)))
        for connection in list(self._hub.following.followers.get(conversation, ())):
            is_agent = connection.session.is_agent
            fields = standing(head, agent=is_agent)
            if is_agent:
                fields["online"] = online
            if head.status != "waiting":
                fields["queue"] = None
            connection.send(State(conversation, fields))
