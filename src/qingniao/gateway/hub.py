"""All connections of this node, and what the bus brings for them. Owns who is connected.

Rule: what has to be remembered of a connection or a conversation is a part's own (`following.py`,
`people.py`, `inbox.py` and the others); the hub only passes on.
"""

import asyncio
import random
from collections.abc import Coroutine, Iterable
from typing import Any, Final

from qingniao.bus.base import (
    Attendance,
    Audience,
    Gap,
    News,
    Published,
    SignOut,
    Touched,
    Whisper,
)
from qingniao.chat.ports import ReadMark
from qingniao.gateway.addresses import Addresses
from qingniao.gateway.client_socket import ClientSocket
from qingniao.gateway.connection import Connection
from qingniao.gateway.following import Following
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
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.codes import Close
from qingniao.protocol.frames import Bye, Typing

__all__ = ["Hub"]

_log: Final = get_logger("gateway")
_BACK_PER_S: Final = 1_000
"""Connections a second that are asked to come back: well below what a start can take."""
_BYES_AT_ONCE: Final = 500


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
        self.standings = Standings(self)
        self.following = Following(self)
        self.gaps = Gaps(self)
        self.pauses = self.busy = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._corked: list[ClientSocket] = []
        # Asking for it is a system call each time.
        self._loop = asyncio.get_running_loop()

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
            self._loop.call_soon(self._uncork)
        self._corked.append(connection)

    def _uncork(self) -> None:
        corked, self._corked = self._corked, []
        for connection in corked:
            connection.uncork()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something on behalf of a connection; `close` cancels what is left."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            _log.error("connection_task_failed", exc=exc)

    # What connections say.

    def leave(self, connection: Connection, conversation: int) -> None:
        """Stop sending it this conversation (0: the inbox)."""
        if conversation == 0:
            self.inbox.leave(connection)
        else:
            self.following.leave(connection, conversation)

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
            self.following.news(item)
        elif type(item) is Whisper:
            if item.lists:
                self.inbox.touch(item.conversation)
            self.following.whisper(item)
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
        yield "counter", "credit_waits", "Times reading waited for acks.", self.pauses
        yield "counter", "busy_answers", "Sends answered with `busy`.", self.busy
        yield from self.following.readings()
        yield from self.addresses.readings()
        yield from self.outboxes.readings()
        yield from self.turns.readings()
