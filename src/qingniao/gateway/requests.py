"""Frames that need a store: hello, follow, history. Owns what is answered to each.

Rule: a connection asks one thing at a time, and may be gone when the answer is there.
"""

from typing import TYPE_CHECKING, Any, Final

from qingniao.bus.base import Returned
from qingniao.chat.head import DEVICES_KEPT, Head
from qingniao.chat.view import for_visitor, standing
from qingniao.protocol.codes import Close, Code
from qingniao.protocol.frames import (
    Bye,
    Error,
    Follow,
    Hello,
    History,
    Page,
    State,
    Welcome,
)

if TYPE_CHECKING:
    from qingniao.gateway.connection import Connection
    from qingniao.gateway.hub import Hub

__all__ = ["Request", "Requests"]

Request = Hello | Follow | History

_PAGE_MAX: Final = 100


class Requests:
    """Answers them on behalf of the hub."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._services = hub.services
        self._sessions = 0

    async def answer(self, connection: "Connection", frame: Request) -> None:
        """Answer a frame that needs a store."""
        if type(frame) is Hello:
            await self._greet(connection, frame)
        elif type(frame) is Follow:
            if frame.conversation == 0:
                await self._hub.inbox.join(connection)
            elif (
                len(connection.follows) >= connection.session.limits.follows
                and frame.conversation not in connection.follows  # again: to mend a gap
            ):
                text = "Too many conversations followed; unfollow some."
                connection.send(Error(frame.conversation, 0, Code.TOO_MANY, text, False))
            else:
                await self._follow(connection, frame.conversation, frame.after)
        elif type(frame) is History:
            await self._history(connection, frame)

    async def _greet(self, connection: "Connection", hello: Hello) -> None:
        who = await self._services.authenticate(hello.token, hello.about)
        if connection.transport is None:
            return
        if who is None:
            connection.bye(Bye(Close.BAD_TOKEN, "The token is wrong or has expired."))
            return
        hub, session = self._hub, connection.session
        if not hub.people.greet(connection, who):
            return
        now = self._services.clock()
        connection.welcomed_ms = now
        cursors = {c: after for c, after in hello.cursors if c and session.may_see(c)}
        if not who.agent:
            cursors = {who.conversation: cursors.get(who.conversation, 0)}
        standings = []
        for conversation, after in cursors.items():
            head = await self._head(connection, conversation)
            if head is not None:
                standings.append((conversation, await self._standing(connection, head, after)))
        if connection.transport is None:
            return  # it left while its conversations were looked up
        self._sessions += 1
        connection.send(Welcome(f"s{self._sessions:x}", now, session.limits, standings))
        hub.people.here(connection)
        if any(conversation == 0 for conversation, _ in hello.cursors):
            await hub.inbox.join(connection)
        for conversation, fields in standings:
            await hub.following.join(connection, conversation, fields["from"] - 1, fields["last"])
            if fields["status"] == "waiting" and not who.agent:
                self._services.fanout.publish(Returned(conversation))

    async def _head(self, connection: "Connection", conversation: int) -> Head | None:
        head = await self._services.log.head(conversation)
        if head is None and conversation == connection.session.conversation:
            # The visitor's own, before anything was said.
            return Head(conversation, connection.session.visitor)
        return head

    async def _standing(self, connection: "Connection", head: Head, after: int) -> dict[str, Any]:
        session = connection.session
        device = session.origin
        fields = standing(head, agent=session.is_agent)
        after = min(max(after, 0), head.last)
        fields["from"] = max(after, head.last - session.limits.replay) + 1
        fields["n"] = await self._sent(head, device)
        if session.is_agent:
            online = await self._services.presence.online((f"v:{head.visitor}",))
            fields["online"] = bool(online)
        return fields

    async def _sent(self, head: Head, device: str) -> int:
        """The highest `n` of a device. In a storm of hellos every question to the log counts: only
        what a head may have let go of is asked for."""
        known = head.devices.get(device)
        if known is not None:
            return known[0]
        if len(head.devices) < DEVICES_KEPT:
            return 0
        return await self._services.log.sent(head.conversation, device)

    async def _follow(self, connection: "Connection", conversation: int, after: int) -> None:
        head = await self._head(connection, conversation)
        if head is None:
            connection.send(Error(conversation, 0, Code.NOT_YOURS, "No such conversation.", False))
            return
        fields = await self._standing(connection, head, after)
        connection.send(State(conversation, fields))
        await self._hub.following.join(connection, conversation, fields["from"] - 1, fields["last"])

    async def _history(self, connection: "Connection", frame: History) -> None:
        limit = min(max(frame.limit, 1), _PAGE_MAX)
        head = await self._head(connection, frame.conversation)
        before = max(1, min(frame.before, head.last + 1 if head is not None else 1))
        after = max(0, before - 1 - limit)
        entries = await self._services.log.entries(frame.conversation, after, before - 1 - after)
        if not connection.session.is_agent:
            entries = [for_visitor(entry) for entry in entries]
        connection.send(Page(frame.conversation, entries, after > 0))
