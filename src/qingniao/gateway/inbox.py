"""The agents' list, live. Owns which conversations changed since the last beat of the list.

Rule: a changed conversation costs one addition to a set; agents hear of it a few times a second at
most, however many messages there were (bound: `inbox_changes`, policy: tell them to reload).
"""

import asyncio
from typing import TYPE_CHECKING, Final

from qingniao.chat.view import summary
from qingniao.errors import StorageError
from qingniao.gateway.ports import GatewayServices
from qingniao.log import get_logger
from qingniao.protocol.codec import Codec
from qingniao.protocol.frames import State

if TYPE_CHECKING:
    from qingniao.gateway.connection import Connection

__all__ = ["Inbox"]

_RETRY_S: Final = 2.0

_log: Final = get_logger("gateway")


class Inbox:
    """Conversation 0: a digest of every conversation's changes, for agents who follow it."""

    def __init__(self, services: GatewayServices) -> None:
        self._services = services
        self._followers: dict[Connection, None] = {}
        self._changed: set[int] = set()
        self._missed = False

    async def join(self, connection: "Connection") -> None:
        """Only agents get here: a visitor may not see conversation 0 (`Session.check`)."""
        if connection.session.is_agent and connection.transport is not None:
            self._followers[connection] = None
            await self._services.fanout.follow(0)
            connection.send(State(0, {}))

    def leave(self, connection: "Connection") -> None:
        """Stop telling it."""
        if connection in self._followers:
            del self._followers[connection]
            if not self._followers:
                self._services.fanout.unfollow(0)

    def doubt(self) -> None:
        """Changes may have been missed: the lists are to be read anew."""
        if self._followers:
            self._missed = True

    def touch(self, conversation: int) -> None:
        """Something about it changed that a list shows."""
        if self._followers and len(self._changed) <= self._services.config.inbox_changes:
            self._changed.add(conversation)

    async def run(self) -> None:
        """Tell the followers until cancelled."""
        while True:
            await asyncio.sleep(self._services.config.inbox_interval_ms / 1000)
            if self._changed or self._missed:
                changed, self._changed = self._changed, set()
                missed, self._missed = self._missed, False
                try:
                    await self._tell(changed, missed=missed)
                except (StorageError, TimeoutError) as exc:
                    _log.warning("inbox_waits", reason=str(exc), conversations=len(changed))
                    self._missed = True  # what changed is in the lists once they can be read
                    await asyncio.sleep(_RETRY_S)

    async def _tell(self, changed: set[int], *, missed: bool) -> None:
        if missed or len(changed) > self._services.config.inbox_changes:
            frames = [State(0, {"reload": True})]
        else:
            heads = (await self._services.log.heads(changed)).values()
            online = await self._services.presence.online([f"v:{head.visitor}" for head in heads])
            frames = []
            for head in heads:
                fields = summary(head, online=f"v:{head.visitor}" in online)
                del fields["id"]
                frames.append(State(head.conversation, fields))
        encoded: dict[Codec, list[bytes]] = {}
        for connection in list(self._followers):
            codec = connection.codec
            if codec not in encoded:
                encoded[codec] = [codec.encode(frame) for frame in frames]
            for data in encoded[codec]:
                connection.write(data)
