"""Who follows what on this node. Owns the connections and delivers what the bus brings.

Rule: a connection gets each entry of a conversation it follows once and in order; when the bus
skipped something, the hub reads it from the log.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, Final

import msgspec

from qingniao.bus.base import (
    Attendance,
    Audience,
    News,
    Published,
    Returned,
    SignOut,
    Told,
    Whisper,
)
from qingniao.chat.head import Head
from qingniao.chat.view import AGENTS_ONLY, for_visitor, standing
from qingniao.gateway.connection import Connection, Request
from qingniao.gateway.inbox import Inbox
from qingniao.gateway.ports import GatewayServices, Who
from qingniao.log import get_logger
from qingniao.metrics import Reading
from qingniao.protocol.codec import MSGPACK, Codec
from qingniao.protocol.codes import Close, Code
from qingniao.protocol.frames import (
    Bye,
    Entry,
    EntryType,
    Error,
    Follow,
    Hello,
    History,
    Page,
    State,
    Typing,
    Welcome,
)

__all__ = ["Hub"]

_log: Final = get_logger("gateway")
_decode_entry: Final = msgspec.msgpack.Decoder(Entry).decode
_decode_any: Final = msgspec.msgpack.Decoder().decode
_PAGE_MAX: Final = 100
_REPLAY_AT_ONCE: Final = 100
_RENDERED_DIFFERENTLY: Final = AGENTS_ONLY | {EntryType.STATUS}


class Hub:
    """All connections of this process. Created and run by `server.GatewayServer`."""

    def __init__(self, services: GatewayServices) -> None:
        self.services = services
        self.connections: dict[Connection, None] = {}
        self.inbox = Inbox(services)
        self.beat = 0
        self.dropped = self.slow = self.pauses = self.repaired = 0
        self._followers: dict[int, dict[Connection, None]] = {}
        self._devices: dict[tuple[str, str], Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._corked: list[Connection] = []
        self._sessions = 0

    # Coming and going.

    def connected(self, connection: Connection) -> None:
        """A socket is up; it has yet to say hello."""
        self.connections[connection] = None
        connection.born = connection.seen = self.beat

    def closing(self, connection: Connection, code: int) -> None:
        """We close it with `code`; `disconnected` follows."""
        _log.debug("closing", code=code, sender=connection.session.sender)

    def disconnected(self, connection: Connection) -> None:
        """The socket is gone."""
        self.connections.pop(connection, None)
        for conversation in list(connection.follows):
            self.leave(connection, conversation)
        self.inbox.leave(connection)
        session = connection.session
        key = (session.visitor or session.sender, session.device)
        if self._devices.get(key) is connection:
            del self._devices[key]
        if connection.is_present:
            connection.is_present = False
            self._present(connection, came=False)

    def _present(self, connection: Connection, *, came: bool) -> None:
        session = connection.session
        who = f"a:{session.agent}" if session.agent else f"v:{session.visitor}"
        presence = self.services.presence
        changed = presence.enter(who) if came else presence.leave(who)
        if changed and session.agent:
            self.services.fanout.publish(Attendance(session.agent, came))
        elif changed:
            frame = MSGPACK.encode(State(session.conversation, {"online": came}))
            self.services.fanout.publish(
                Whisper(session.conversation, frame, "agents", droppable=False, lists=True)
            )

    def cork(self, connection: Connection) -> None:
        """It has written something: `uncork` it at the end of this turn of the loop."""
        if not self._corked:
            asyncio.get_running_loop().call_soon(self._uncork)
        self._corked.append(connection)

    def _uncork(self) -> None:
        corked, self._corked = self._corked, []
        for connection in corked:
            connection.uncork()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something on behalf of a connection; `close` cancels what is left."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            _log.error("connection_task_failed", exc=exc)

    # Requests.

    async def request(self, connection: Connection, frame: Request) -> None:
        """Answer a frame that needs a store."""
        if type(frame) is Hello:
            await self._greet(connection, frame)
        elif type(frame) is Follow:
            if frame.conversation == 0:
                self.inbox.join(connection)
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

    async def _greet(self, connection: Connection, hello: Hello) -> None:
        who = await self.services.authenticate(hello.token, hello.about)
        if connection.transport is None:
            return
        if who is None:
            connection.bye(Bye(Close.BAD_TOKEN, "The token is wrong or has expired."))
            return
        session = connection.session
        if who.agent:
            session.limits = self.services.wire.limits(agent=True)
            session.become_agent(who.agent, who.name)
            connection.signed_in = who.session
        else:
            session.become_visitor(who.visitor, who.conversation)
        self._replace(connection, who)
        now = self.services.clock()
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
        connection.is_present = True
        self._present(connection, came=True)
        if any(conversation == 0 for conversation, _ in hello.cursors):
            self.inbox.join(connection)
        for conversation, fields in standings:
            await self._join(connection, conversation, fields["from"] - 1)
            if fields["status"] == "waiting" and not who.agent:
                self.services.fanout.publish(Returned(conversation))

    def _replace(self, connection: Connection, who: Who) -> None:
        key = (who.visitor or connection.session.sender, connection.session.device)
        earlier = self._devices.get(key)
        self._devices[key] = connection
        if earlier is not None and earlier is not connection:
            earlier.bye(Bye(Close.REPLACED, "The same device connected again.", 1_000))

    async def _head(self, connection: Connection, conversation: int) -> Head | None:
        head = await self.services.log.head(conversation)
        if head is None and conversation == connection.session.conversation:
            # The visitor's own, before anything was said.
            return Head(conversation, connection.session.visitor)
        return head

    async def _standing(self, connection: Connection, head: Head, after: int) -> dict[str, Any]:
        session = connection.session
        device = session.origin
        fields = standing(head, agent=session.is_agent)
        after = min(max(after, 0), head.last)
        fields["from"] = max(after, head.last - session.limits.replay) + 1
        fields["n"] = await self.services.log.sent(head.conversation, device)
        if session.is_agent:
            fields["online"] = self.services.presence.is_online(f"v:{head.visitor}")
        return fields

    async def _follow(self, connection: Connection, conversation: int, after: int) -> None:
        head = await self._head(connection, conversation)
        if head is None:
            connection.send(Error(conversation, 0, Code.NOT_YOURS, "No such conversation.", False))
            return
        fields = await self._standing(connection, head, after)
        connection.send(State(conversation, fields))
        await self._join(connection, conversation, fields["from"] - 1)

    async def _join(self, connection: Connection, conversation: int, after: int) -> None:
        if connection.transport is None:
            return
        connection.follows[conversation] = after
        self._followers.setdefault(conversation, {})[connection] = None
        await self._catch_up(connection, conversation)

    async def _catch_up(self, connection: Connection, conversation: int) -> None:
        """Send what the log has after the last entry sent. Meanwhile deliveries are left alone
        (the position is held negative); the last read sees what they brought."""
        have = connection.follows.get(conversation)
        if have is None or have < 0:
            return
        connection.follows[conversation] = -1
        while connection.transport is not None:
            frames = await self.services.log.read(conversation, have, _REPLAY_AT_ONCE)
            if conversation not in connection.follows:
                return
            if not frames:
                break
            for frame in frames:
                connection.write_entry(_render(frame, connection))
            have += len(frames)
        connection.follows[conversation] = have

    async def _repair(self, connection: Connection, conversation: int) -> None:
        await self._catch_up(connection, conversation)
        # What was lost may have been a change of hands.
        await self._tell_standing(conversation)

    async def _history(self, connection: Connection, frame: History) -> None:
        limit = min(max(frame.limit, 1), _PAGE_MAX)
        head = await self._head(connection, frame.conversation)
        before = max(1, min(frame.before, head.last + 1 if head is not None else 1))
        after = max(0, before - 1 - limit)
        entries = await self.services.log.entries(frame.conversation, after, before - 1 - after)
        if not connection.session.is_agent:
            entries = [for_visitor(entry) for entry in entries]
        connection.send(Page(frame.conversation, entries, after > 0))

    def leave(self, connection: Connection, conversation: int) -> None:
        """Stop sending it this conversation (0: the inbox)."""
        if conversation == 0:
            self.inbox.leave(connection)
            return
        connection.follows.pop(conversation, None)
        followers = self._followers.get(conversation)
        if followers is not None:
            followers.pop(connection, None)
            if not followers:
                del self._followers[conversation]

    def read(self, connection: Connection, conversation: int, seq: int) -> None:
        """Somebody has seen everything up to `seq`."""
        is_agent = connection.session.is_agent
        marks = self.services.log.mark_read(conversation, agent=is_agent, seq=seq)
        if marks is None:
            return
        frame = MSGPACK.encode(State(conversation, {"read": {"v": marks[0], "a": marks[1]}}))
        self.services.fanout.publish(Whisper(conversation, frame, droppable=False, lists=True))

    def typing(self, connection: Connection, frame: Typing) -> None:
        """Somebody is writing; agents see the visitor's words, visitors only that."""
        session = connection.session
        preview = "" if session.is_agent else frame.preview[:500]
        out = Typing(frame.conversation, frame.on, preview, session.sender)
        device = session.origin
        audience: Audience = "all" if session.is_agent else "agents"
        self.services.fanout.publish(
            Whisper(frame.conversation, MSGPACK.encode(out), audience, device=device)
        )

    # What the bus brings.

    def deliver(self, item: Published) -> None:
        """To every connection here that follows it."""
        if type(item) is News:
            self.inbox.touch(item.conversation)
            followers = self._followers.get(item.conversation)
            if followers:
                for connection in list(followers):
                    self._deliver_news(connection, item)
                if item.moved:
                    self.spawn(self._tell_standing(item.conversation))
        elif type(item) is Whisper:
            if item.lists:
                self.inbox.touch(item.conversation)
            self._deliver_whisper(item)
        elif type(item) is Attendance:
            self._rename(item)
        elif type(item) is SignOut:
            for connection in list(self.connections):
                if connection.signed_in == item.session:
                    connection.bye(Bye(Close.SIGNED_OUT, "This session has ended."))

    def _rename(self, change: Attendance) -> None:
        for connection in self.connections if change.name else ():
            if connection.session.agent == change.agent:
                connection.session.name = change.name

    def _deliver_news(self, connection: Connection, news: News) -> None:
        conversation = news.conversation
        have = connection.follows[conversation]
        if have < 0:
            return
        for told in news.entries:
            if told.seq <= have:
                continue
            if told.seq != have + 1:
                self.repaired += 1
                self.spawn(self._repair(connection, conversation))
                return
            have = connection.follows[conversation] = told.seq
            if not connection.owns(told.device, told.type):
                connection.write_entry(_render_told(told, connection))

    def _deliver_whisper(self, whisper: Whisper) -> None:
        followers = self._followers.get(whisper.conversation)
        if not followers:
            return
        frames: dict[Codec, bytes] = {MSGPACK: whisper.frame}
        for connection in list(followers):
            session = connection.session
            if whisper.audience != "all" and session.is_agent != (whisper.audience == "agents"):
                continue
            if whisper.device and whisper.device == session.origin:
                continue
            codec = connection.codec
            frame = frames.get(codec)
            if frame is None:
                frame = frames[codec] = codec.encode(_decode_any(whisper.frame))
            connection.write(frame, droppable=whisper.droppable)

    async def _tell_standing(self, conversation: int) -> None:
        head = await self.services.log.head(conversation)
        if head is None:
            return
        online = self.services.presence.is_online(f"v:{head.visitor}")
        for connection in list(self._followers.get(conversation, ())):
            is_agent = connection.session.is_agent
            fields = standing(head, agent=is_agent)
            if is_agent:
                fields["online"] = online
            if head.status != "waiting":
                fields["queue"] = None
            connection.send(State(conversation, fields))

    async def close(self, retry_after_ms: int) -> None:
        """Ask everybody to come back later and cancel what is under way."""
        for number, connection in enumerate(list(self.connections)):
            # Spread the return evenly: a herd would meet a server that has just started.
            wait = retry_after_ms + (number * 37) % max(1, retry_after_ms * 4)
            connection.bye(Bye(Close.SHUTDOWN, "The server is restarting.", wait))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "gauge", "connections", "Open WebSockets.", len(self.connections)
        yield "gauge", "followed", "Conversations followed here.", len(self._followers)
        yield "counter", "whispers_dropped", "Typing and deltas left out.", self.dropped
        yield "counter", "slow_closed", "Connections closed with SLOW.", self.slow
        yield "counter", "credit_waits", "Times reading was paused.", self.pauses
        yield "counter", "gaps_repaired", "Gaps in the fan-out read from the log.", self.repaired


def _render(frame: bytes, connection: Connection) -> bytes:
    """A stored entry frame as this connection may see it."""
    if not connection.session.is_agent:
        entry = _decode_entry(frame)
        if entry.type in _RENDERED_DIFFERENTLY:
            return connection.codec.encode(for_visitor(entry))
    return connection.codec.from_stored(frame)


def _render_told(told: Told, connection: Connection) -> bytes:
    if not connection.session.is_agent and told.type in _RENDERED_DIFFERENTLY:
        return connection.codec.encode(for_visitor(_decode_entry(told.frame)))
    return connection.codec.from_stored(told.frame)
