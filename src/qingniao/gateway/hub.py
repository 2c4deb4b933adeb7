"""Who follows what on this node. Owns the connections and delivers what the bus brings.

Rule: a connection gets each entry of a conversation it follows once and in order; when the bus
skipped something, the hub reads it from the log.
"""

import asyncio
import random
from collections.abc import Coroutine, Iterable
from typing import Any, Final

import msgspec

from qingniao.bus.base import (
    Attendance,
    Audience,
    Gap,
    News,
    Published,
    SignOut,
    Told,
    Touched,
    Whisper,
)
from qingniao.chat.ports import ReadMark
from qingniao.chat.view import AGENTS_ONLY, for_visitor
from qingniao.gateway.addresses import Addresses
from qingniao.gateway.client_socket import ClientSocket
from qingniao.gateway.connection import Connection
from qingniao.gateway.gaps import Gaps
from qingniao.gateway.heart import Heart
from qingniao.gateway.inbox import Inbox
from qingniao.gateway.outboxes import Outboxes
from qingniao.gateway.people import People
from qingniao.gateway.ports import GatewayServices
from qingniao.gateway.reads import Reads
from qingniao.gateway.requests import Requests
from qingniao.gateway.standings import Standings
from qingniao.gateway.turns import Turns
from qingniao.log import get_logger
from qingniao.metrics import Reading
from qingniao.protocol.codec import MSGPACK, Codec
from qingniao.protocol.codes import Close
from qingniao.protocol.frames import Bye, Entry, EntryType, Typing

__all__ = ["Hub"]

_log: Final = get_logger("gateway")
_decode_entry: Final = msgspec.msgpack.Decoder(Entry).decode
_decode_any: Final = msgspec.msgpack.Decoder().decode
_REPLAY_AT_ONCE: Final = 100
_BACK_PER_S: Final = 1_000
"""Connections a second that are asked to come back: well below what a start can take."""
_BYES_AT_ONCE: Final = 500
_TAKEN_S: Final = 0.02
"""Between two looks at a reader that is being caught up."""
_RENDERED_DIFFERENTLY: Final = AGENTS_ONLY | {EntryType.STATUS}


class Hub:
    """All connections of this process. Created and run by `server.GatewayServer`."""

    def __init__(self, services: GatewayServices) -> None:
        self.services = services
        self.connections: dict[Connection, None] = {}
        self.beat = 0
        """Seconds since the start, as the heart counts them."""
        self.heart = Heart(self, services.wire.beat_ms, services.wire.hello_ms)
        self.people = People(self)
        self.addresses = Addresses(services.config, services.proxies, services.clock)
        self.inbox = Inbox(services)
        self.requests = Requests(self)
        self.reads = Reads(services.log, services.fanout)
        self.outboxes = Outboxes(services.config)
        self.turns = Turns(services.pipeline, services.wire.credit)
        self.gaps = Gaps(self)
        self.standings = Standings(self)
        self.pauses = self.repaired = self.busy = 0
        self.followers: dict[int, dict[Connection, None]] = {}
        """Conversation → the connections here that follow it."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._corked: list[ClientSocket] = []
        self._catch_ups = 0

    # Coming and going.

    def connected(self, connection: Connection) -> None:
        """A socket is up; it has yet to say hello."""
        self.connections[connection] = None
        self.heart.add(connection)
        connection.session.crowd = self.addresses.enter(connection.network)

    def closing(self, connection: ClientSocket, code: int) -> None:
        """We close it with `code`; `disconnected` follows."""
        _log.debug("closing", code=code, sender=connection.session.sender)

    def disconnected(self, connection: Connection) -> None:
        """The socket is gone."""
        if self.connections.pop(connection, connection) is connection:
            return  # it was never here
        self.heart.remove(connection)
        self.addresses.leave(connection.network)
        for conversation in list(connection.follows):
            self.leave(connection, conversation)
        self.inbox.leave(connection)
        self.people.leave(connection)

    def cork(self, connection: ClientSocket) -> None:
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

    # Following.

    async def join(self, connection: Connection, conversation: int, after: int, told: int) -> None:
        """Send it what comes after `after`, and then whatever is new. It was told where the
        conversation stood after `told`."""
        if connection.transport is None:
            return
        connection.follows[conversation] = after
        self.followers.setdefault(conversation, {})[connection] = None
        # Only then the log: what comes between the two is delivered twice, and not never.
        await self.services.fanout.follow(conversation)
        await self._catch_up(connection, conversation)
        if connection.follows.get(conversation, 0) > told:
            # It may have changed hands before there was anybody here to be told.
            await self.standings.tell(conversation)

    async def _catch_up(self, connection: Connection, conversation: int) -> None:
        """Send what the log has after the last entry sent. Meanwhile deliveries only leave a note:
        the position is held at an odd negative number of this catching up, and they make it even.
        """
        have = connection.follows.get(conversation)
        if have is None or have < 0:
            return
        self._catch_ups += 1
        quiet, news = 1 - 2 * self._catch_ups, -2 * self._catch_ups
        while connection.transport is not None:
            connection.follows[conversation] = quiet
            frames = await self.services.log.read(conversation, have, _REPLAY_AT_ONCE)
            position = connection.follows.get(conversation)
            if position not in (quiet, news):
                return  # unfollowed meanwhile, or followed anew
            for frame in frames:
                # A history may be larger than what may wait for its reader.
                if connection.unsent > self.outboxes.soft:
                    await self._taken(connection)
                    position = connection.follows.get(conversation)
                    if position not in (quiet, news):
                        return
                connection.write_entry(_render(frame, connection))
            have += len(frames)
            if len(frames) == _REPLAY_AT_ONCE:
                await asyncio.sleep(0)  # a long history is not everybody's business
            elif position == quiet:
                break
        if connection.follows.get(conversation) in (quiet, news):
            connection.follows[conversation] = have

    async def _taken(self, connection: Connection) -> None:
        """Until it has read most of what waits for it, or is gone: it may take its time, for what
        it does not ask for waits in the log and not here."""
        while connection.transport is not None:
            if connection.unsent <= self.outboxes.soft // 2:
                return
            await asyncio.sleep(_TAKEN_S)

    async def repair(self, connection: Connection, conversation: int) -> None:
        """The bus lost something: send it what the log has."""
        self.repaired += 1
        await self._catch_up(connection, conversation)
        # What was lost may have been a change of hands.
        await self.standings.tell(conversation)

    def leave(self, connection: Connection, conversation: int) -> None:
        """Stop sending it this conversation (0: the inbox)."""
        if conversation == 0:
            self.inbox.leave(connection)
            return
        connection.follows.pop(conversation, None)
        followers = self.followers.get(conversation)
        if followers is not None:
            followers.pop(connection, None)
            if not followers:
                del self.followers[conversation]
                self.services.fanout.unfollow(conversation)

    def read(self, connection: Connection, conversation: int, seq: int) -> None:
        """Somebody has seen everything up to `seq`."""
        self.reads.seen(ReadMark(conversation, connection.session.is_agent, seq))

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
            followers = self.followers.get(item.conversation)
            if followers:
                for connection in list(followers):
                    self._deliver_news(connection, item)
                if item.moved:
                    self.spawn(self.standings.tell(item.conversation))
        elif type(item) is Whisper:
            if item.lists:
                self.inbox.touch(item.conversation)
            self._deliver_whisper(item)
        else:
            self._deliver_rare(item)

    def _deliver_rare(self, item: Published) -> None:
        if type(item) is Touched:
            for conversation in item.conversations:
                self.inbox.touch(conversation)
        elif type(item) is Gap:
            self.gaps.note(item.conversations)
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
            self.note_news(connection, conversation)
            return
        for told in news.entries:
            if told.seq <= have:
                continue
            if told.seq != have + 1:
                self.spawn(self.repair(connection, conversation))
                return
            have = connection.follows[conversation] = told.seq
            if not connection.owns(told.device, told.type):
                connection.write_entry(_render_told(told, connection))

    def note_news(self, connection: Connection, conversation: int) -> None:
        """It is being caught up: there is more to read; see `_catch_up`."""
        have = connection.follows[conversation]
        connection.follows[conversation] = have - have % 2

    def _deliver_whisper(self, whisper: Whisper) -> None:
        followers = self.followers.get(whisper.conversation)
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

    async def close(self, retry_after_ms: int) -> None:
        """Ask everybody to come back later and cancel what is under way."""
        # A herd would meet a server that has just started: the more there are, the longer they
        # take to be back.
        leaving = list(self.connections)
        spread_ms = max(4 * retry_after_ms, len(leaving) * 1000 // _BACK_PER_S)
        for number, connection in enumerate(leaving):
            place = (number + random.random()) / len(leaving)  # noqa: S311
            wait_ms = retry_after_ms + int(spread_ms * place)
            connection.bye(Bye(Close.SHUTDOWN, "The server is restarting.", wait_ms))
            if number % _BYES_AT_ONCE == _BYES_AT_ONCE - 1:
                await asyncio.sleep(0)  # the first may read it while the last are told
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "gauge", "connections", "Open WebSockets.", len(self.connections)
        yield "gauge", "followed", "Conversations followed here.", len(self.followers)
        yield "counter", "credit_waits", "Times reading waited for acks.", self.pauses
        yield "counter", "busy_answers", "Sends answered with `busy`.", self.busy
        yield "counter", "gaps_repaired", "Gaps in the fan-out read from the log.", self.repaired
        yield from self.addresses.readings()
        yield from self.outboxes.readings()
        yield from self.turns.readings()


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
