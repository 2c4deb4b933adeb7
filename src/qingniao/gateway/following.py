"""Who follows which conversation here, and how far each has been sent it.

Owns the positions and the catching up; refuses to know who may follow what (that is
`protocol.session`). Rule: a connection gets each entry of a conversation it follows once and in
order; what the bus skipped is read from the log.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from qingniao.bus.base import News, Told, Whisper
from qingniao.chat.view import AGENTS_ONLY, for_visitor
from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.metrics import Reading
from qingniao.protocol.codec import MSGPACK, Codec
from qingniao.protocol.frames import Entry, EntryType

if TYPE_CHECKING:
    from qingniao.gateway.connection import Connection
    from qingniao.gateway.hub import Hub

__all__ = ["Following"]

_log: Final = get_logger("gateway")
_decode_entry: Final = msgspec.msgpack.Decoder(Entry).decode
_decode_any: Final = msgspec.msgpack.Decoder().decode
_REPLAY_AT_ONCE: Final = 100
_TAKEN_S: Final = 0.02
"""Between two looks at a reader that is being caught up."""
_RENDERED_DIFFERENTLY: Final = AGENTS_ONLY | {EntryType.STATUS}


class Following:
    """One per hub."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self.followers: dict[int, dict[Connection, None]] = {}
        """Conversation → the connections here that follow it."""
        self.repaired = 0
        self._catch_ups = 0

    async def join(
        self, connection: "Connection", conversation: int, after: int, told: int
    ) -> None:
        """Send it what comes after `after`, and then whatever is new. It was told where the
        conversation stood after `told`."""
        if connection.transport is None:
            return
        connection.follows[conversation] = after
        self.followers.setdefault(conversation, {})[connection] = None
        # Only then the log: what comes between the two is delivered twice, and not never.
        await self._hub.services.fanout.follow(conversation)
        await self._catch_up(connection, conversation)
        if connection.follows.get(conversation, 0) > told:
            # It may have changed hands before there was anybody here to be told.
            self._hub.standings.tell(conversation)

    async def _catch_up(self, connection: "Connection", conversation: int) -> None:
        """Send what the log has after the last entry sent. Meanwhile deliveries only leave a note:
        the position is held at an odd negative number of this catching up, and they make it even.
        """
        have = connection.follows.get(conversation)
        if have is None or have < 0:
            return
        self._catch_ups += 1
        quiet, news = 1 - 2 * self._catch_ups, -2 * self._catch_ups
        try:
            while connection.transport is not None:
                connection.follows[conversation] = quiet
                frames = await self._hub.services.log.read(conversation, have, _REPLAY_AT_ONCE)
                if connection.follows.get(conversation) not in (quiet, news):
                    return  # unfollowed meanwhile, or followed anew
                for frame in frames:
                    # A history may be larger than what may wait for its reader.
                    if connection.unsent > self._hub.outboxes.soft:
                        await self._taken(connection)
                        if connection.follows.get(conversation) not in (quiet, news):
                            return
                    connection.write_entry(_render(frame, connection))
                    have += 1
                if len(frames) == _REPLAY_AT_ONCE:
                    await asyncio.sleep(0)  # a long history is not everybody's business
                elif connection.follows.get(conversation) == quiet:
                    break
        finally:
            # Also when the log cannot be read: whoever tries again must find where to begin.
            if connection.follows.get(conversation) in (quiet, news):
                connection.follows[conversation] = have

    async def _taken(self, connection: "Connection") -> None:
        """Until it has read most of what waits for it, or is gone: it may take its time, for what
        it does not ask for waits in the log and not here."""
        while connection.transport is not None:
            if connection.unsent <= self._hub.outboxes.soft // 2:
                return
            await asyncio.sleep(_TAKEN_S)

    async def repair(self, conversation: int, connections: "Sequence[Connection]") -> None:
        """The bus lost something: send them what the log has. Raises `StorageError`."""
        self.repaired += len(connections)
        for connection in connections:
            await self._catch_up(connection, conversation)
        # What was lost may have been a change of hands.
        self._hub.standings.tell(conversation)

    async def _repair(self, conversation: int, connection: "Connection") -> None:
        try:
            await self.repair(conversation, (connection,))
        except (StorageError, TimeoutError) as exc:
            _log.warning("repair_waits", reason=str(exc), conversation=conversation)
            self._hub.gaps.note((conversation,))  # it looks until the log can be read again

    def leave(self, connection: "Connection", conversation: int) -> None:
        """Stop sending it this conversation."""
        connection.follows.pop(conversation, None)
        followers = self.followers.get(conversation)
        if followers is not None:
            followers.pop(connection, None)
            if not followers:
                del self.followers[conversation]
                self._hub.services.fanout.unfollow(conversation)

    def news(self, news: News) -> None:
        """To everybody here who follows it."""
        followers = self.followers.get(news.conversation)
        if followers:
            for connection in list(followers):
                self._send(connection, news)
            if news.moved:
                self._hub.standings.tell(news.conversation)

    def _send(self, connection: "Connection", news: News) -> None:
        conversation = news.conversation
        have = connection.follows[conversation]
        if have < 0:
            self.note_news(connection, conversation)
            return
        for told in news.entries:
            if told.seq <= have:
                continue
            if told.seq != have + 1:
                self._hub.spawn(self._repair(conversation, connection))
                return
            have = connection.follows[conversation] = told.seq
            if not connection.owns(told.device, told.type):
                connection.write_entry(_render_told(told, connection))

    def note_news(self, connection: "Connection", conversation: int) -> None:
        """It is being caught up: there is more to read; see `_catch_up`."""
        have = connection.follows[conversation]
        connection.follows[conversation] = have - have % 2

    def whisper(self, whisper: Whisper) -> None:
        """To those of them whom it is for."""
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

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "gauge", "followed", "Conversations followed here.", len(self.followers)
        yield "counter", "gaps_repaired", "Gaps in the fan-out read from the log.", self.repaired


def _render(frame: bytes, connection: "Connection") -> bytes:
    """A stored entry frame as this connection may see it."""
    if not connection.session.is_agent:
        entry = _decode_entry(frame)
        if entry.type in _RENDERED_DIFFERENTLY:
            return connection.codec.encode(for_visitor(entry))
    return connection.codec.from_stored(frame)


def _render_told(told: Told, connection: "Connection") -> bytes:
    if not connection.session.is_agent and told.type in _RENDERED_DIFFERENTLY:
        return connection.codec.encode(for_visitor(_decode_entry(told.frame)))
    return connection.codec.from_stored(told.frame)
