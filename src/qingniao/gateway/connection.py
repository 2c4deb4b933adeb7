"""One WebSocket. Owns its assembly of fragments, its session, what it follows and its outbox.

Rule: nothing here awaits the socket. What a slow reader has not taken waits in the transport's
buffer, bounded in bytes: typing and deltas are left out first, then it closes with SLOW. Whoever
is told goodbye has a moment to read it.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from picows import WSFrame, WSListener, WSMsgType, WSTransport

from qingniao.chat.intake import Decision, Message
from qingniao.errors import StorageError
from qingniao.gateway.assembly import (
    BAD_UTF8,
    NESTED,
    NOTHING_TO_CONTINUE,
    RESERVED_BIT,
    Assembly,
    answer_to_close,
    is_utf8,
    reason,
)
from qingniao.gateway.framing import framed
from qingniao.gateway.requests import Request
from qingniao.log import get_logger
from qingniao.protocol.codec import BadFields, Codec, Malformed
from qingniao.protocol.codes import Close, Code
from qingniao.protocol.frames import (
    Ack,
    Busy,
    Bye,
    DownFrame,
    EntryType,
    Error,
    Follow,
    Hello,
    History,
    Limits,
    Ping,
    Pong,
    Read,
    Send,
    Typing,
    Unfollow,
    UpFrame,
)
from qingniao.protocol.session import Session

if TYPE_CHECKING:
    from qingniao.gateway.hub import Hub

__all__ = ["Connection"]

_log: Final = get_logger("gateway")
_CORK_BYTES: Final = 16_384
"""Gathered bytes that are worth a system call of their own: nothing is gained by waiting longer."""
_LINGER_SILENT_S: Final = 0.5
"""The same for whoever gives no sign of life: an answer is not to be expected."""
_LINGER_S: Final = 5.0
"""Time to read what waits, and why it is the last, before a closed socket is cut."""
_REST_MAX_MS: Final = 1_000
"""Reading goes on after this time at the latest: a heartbeat must not wait for ever."""

# Looked up once: on the enumeration it would cost as much as the rest of a frame's dispatch.
_BINARY: Final = WSMsgType.BINARY
_TEXT: Final = WSMsgType.TEXT
_CONTINUATION: Final = WSMsgType.CONTINUATION
_CLOSE: Final = WSMsgType.CLOSE
_PING: Final = WSMsgType.PING


class Connection(WSListener):
    """A client's socket. Created by the front, known to the hub, beaten by the heart."""

    __slots__ = (
        "_asking",
        "_corked",
        "_corked_bytes",
        "_frames",
        "_inflight",
        "_is_resting",
        "_parts",
        "_paused",
        "_requests",
        "_socket",
        "born",
        "codec",
        "entries",
        "follows",
        "hub",
        "is_present",
        "network",
        "seen",
        "session",
        "signed_in",
        "slot",
        "transport",
        "welcomed_ms",
    )  # fmt: skip

    def __init__(self, hub: "Hub", codec: Codec, limits: Limits, now_ms: int, network: str) -> None:
        self.hub = hub
        self.codec = codec
        self.network = network
        """Where it comes from, as `Addresses` counts; "" is not limited."""
        self.session = Session(limits, now_ms)
        self.transport: WSTransport | None = None
        self._socket: asyncio.Transport | None = None
        self._corked: list[bytes] | None = None
        self._corked_bytes = 0
        self.follows: dict[int, int] = {}
        """Conversation → the last `seq` sent; negative while it is being caught up."""
        self.entries = 0
        self.born = self.seen = self.slot = 0
        """Beats of the heart, and the place on its wheel."""
        self.welcomed_ms = 0
        self.signed_in = ""
        self.is_present = False
        self._inflight = self._frames = 0
        self._paused = self._is_resting = False
        self._parts: Assembly | None = None
        self._requests: deque[Request] | None = None
        self._asking = False

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self._socket = transport.underlying_transport
        # The head of the handshake is the largest thing an idle connection would keep.
        transport.request.headers.clear()
        self.hub.connected(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.session.close()
        self.hub.disconnected(self)
        self.transport = self._socket = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        beat = self.hub.beat
        if self.seen != beat:
            self.seen = beat
            self._frames = 0
        if self.transport is None:  # closed by us: nothing counts but the answer to it
            if kind is _CLOSE:
                transport.disconnect()
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self.bye(Bye(*RESERVED_BIT))
        elif kind is _BINARY or kind is _TEXT:
            if self._parts is not None:
                self.bye(Bye(*NESTED))
            elif not frame.fin:
                self._parts = Assembly(is_text=kind is _TEXT)
                self._append(frame)
            elif frame.payload_size > self.session.limits.frame_bytes:
                self._too_large()
            else:
                self._receive(frame.get_payload_as_bytes(), kind is _TEXT)
        elif kind is _CONTINUATION:
            self._append(frame)
        elif kind is _CLOSE:
            self._answer_close(transport, frame)
        elif kind is _PING:
            self._answer_ping(transport, frame)

    def _answer_ping(self, transport: WSTransport, frame: WSFrame) -> None:
        # Whoever pings and never reads must not fill the memory with pongs.
        waiting = transport.underlying_transport.get_write_buffer_size()
        if waiting > self.hub.outboxes.limit:
            return self.bye_slow()
        if self._floods():
            return None
        self.uncork()  # a pong says that everything before the ping was dealt with
        transport.send_pong(frame.get_payload_as_bytes())
        return None

    def _answer_close(self, transport: WSTransport, frame: WSFrame) -> None:
        self.session.close()
        self.uncork()
        self.transport = None
        transport.send_close(answer_to_close(frame.get_payload_as_bytes()))  # type: ignore[arg-type]
        self._leave(transport)

    def _append(self, frame: WSFrame) -> None:
        parts = self._parts
        if parts is None:
            return self.bye(Bye(*NOTHING_TO_CONTINUE))
        fault = parts.add(frame.get_payload_as_bytes(), self.session.limits.frame_bytes)
        if fault is not None:
            self._parts = None
            return self.bye(Bye(*fault))
        if frame.fin:
            self._parts = None
            self._receive(parts.message(), parts.is_text)
        return None

    def _too_large(self) -> None:
        limit = self.session.limits.frame_bytes
        self.bye(Bye(Close.TOO_LARGE, f"A message is larger than {limit} bytes."))

    # What a client says.

    def _receive(self, data: bytes, is_text: bool) -> None:
        if is_text is self.codec.is_binary:
            kind = "binary" if self.codec.is_binary else "text"
            return self.bye(Bye(Close.MALFORMED, f"This subprotocol uses {kind} messages."))
        if is_text and not is_utf8(data):
            return self.bye(Bye(*BAD_UTF8))
        try:
            frame = self.codec.up(data)
        except Malformed as exc:
            return self.bye(Bye(Close.MALFORMED, str(exc)))
        except BadFields as exc:
            return self.send(Error(0, 0, Code.BAD_FRAME, str(exc), False))
        if frame is None:
            return None
        now_ms = self.hub.services.clock()
        verdict = self.session.check(frame, now_ms)
        if type(frame) is Send:
            if verdict is None:
                return self._send(frame, len(data))
            if type(verdict) is Busy:
                return self._busy(verdict)
        elif self._floods():
            return None
        if verdict is None:
            return self._carry_out(frame)
        if type(verdict) is Bye:
            return self.bye(verdict)
        return self.send(verdict)

    def _floods(self) -> bool:
        """Count a frame that costs no allowance; too many of them in one second are the last."""
        self._frames += 1
        if self._frames <= self.hub.services.config.frames:
            return False
        self.bye(Bye(Close.FLOODING, "Too many frames a second.", 60_000))
        return True

    def _carry_out(self, frame: UpFrame) -> None:
        kind = type(frame)
        if kind is Ping:
            self.send(Pong(frame.number, self.entries))  # type: ignore[union-attr]
        elif kind is Read:
            self.hub.read(self, frame.conversation, frame.seq)  # type: ignore[union-attr]
        elif kind is Typing:
            self.hub.typing(self, frame)  # type: ignore[arg-type]
        elif kind is Unfollow:
            self.hub.leave(self, frame.conversation)  # type: ignore[union-attr]
        elif kind is Hello or kind is Follow or kind is History:
            self._request(frame)  # type: ignore[arg-type]

    def _send(self, frame: Send, size: int) -> None:
        session = self.session
        message = Message(
            frame.conversation, session.sender, session.device, frame.n, frame.type, frame.body,
            session.visitor, session.agent, session.name,
        )  # fmt: skip
        pipeline = self.hub.services.pipeline
        if not pipeline.offer(message, self._settle, size):
            session.stall(frame.conversation, frame.n)
            return self._busy(Busy(frame.conversation, frame.n, pipeline.retry_after_ms))
        self._inflight += 1
        if self._inflight >= session.limits.credit and not self._paused:
            self._pause()
        elif pipeline.is_crowded:
            # Left in the socket it costs nothing; read, it would be told busy and be sent again.
            self._rest(pipeline.retry_after_ms)
        return None

    def _busy(self, frame: Busy) -> None:
        """Not taken; and what comes behind it is left in the socket until it may come again."""
        self.hub.busy += 1
        self.send(frame)
        if self.session.held_from(frame.conversation) == frame.n:
            self._rest(frame.retry_after_ms)

    def _rest(self, wait_ms: int) -> None:
        if not self._is_resting and self.transport is not None:
            self._is_resting = True
            self.transport.underlying_transport.pause_reading()
            wait_s = min(wait_ms, _REST_MAX_MS) / 1000
            asyncio.get_running_loop().call_later(wait_s, self._rested)

    def _rested(self) -> None:
        self._is_resting = False
        self._read_on()

    def _settle(self, result: Decision | StorageError) -> None:
        """The pipeline knows the fate of a message of ours; see `pipeline.Reply`."""
        self._inflight -= 1
        if self._paused and self._inflight <= self.session.limits.credit // 2:
            self._paused = False
            self._read_on()
        if self.transport is None:
            return
        if isinstance(result, StorageError):
            self._not_stored(result)
            return
        intent = result.intent
        if not isinstance(intent, Message):
            return  # only messages come from connections
        if result.code:
            n, code, text, expected = intent.n, result.code, result.text, result.expected
            self.session.refuse(intent.conversation, expected or n)
            self.send(Error(intent.conversation, n, code, text, False, expected))
            return
        self.session.stored(intent.conversation, result.n)
        at = max(0, self.hub.services.clock() - self.welcomed_ms)
        self.send(Ack(intent.conversation, result.n, result.seq, at))

    def _not_stored(self, result: StorageError) -> None:
        # The intake fails everything that waits, so one error per connection says it all: the
        # client sends what is unacked again when it is back.
        text = "The server cannot store messages at the moment; yours was not taken."
        self.send(Error(0, 0, Code.STORAGE_FULL, text, True))
        self.bye(Bye(Close.STORAGE, text, 5_000))

    # Requests that may have to ask a store: one at a time, in order.

    def _request(self, frame: Request) -> None:
        waiting = self._requests
        if waiting is None:
            waiting = self._requests = deque()
        if len(waiting) >= self.hub.services.config.requests:
            return self.bye(Bye(Close.FLOODING, "Too many requests at once."))
        waiting.append(frame)
        if not self._asking:
            self._asking = True
            self.hub.spawn(self._ask())
        return None

    async def _ask(self) -> None:
        try:
            while self._requests and self.transport is not None:
                await self.hub.requests.answer(self, self._requests.popleft())
        except (StorageError, TimeoutError) as exc:
            _log.error("request_failed", exc=exc)
            self.bye(Bye(Close.STORAGE, "The server cannot read its store; try again.", 5_000))
        except Exception as exc:  # a fault of ours: whoever waits for the answer must hear of it
            _log.error("request_broke", exc=exc)
            self.send(Error(0, 0, Code.INTERNAL, "Something went wrong in the server.", True))
            self.bye(Bye(Close.OVERLOADED, "Something went wrong in the server.", 5_000))
        finally:
            self._asking = False
            self._requests = None

    # What goes out.

    def send(self, frame: DownFrame) -> None:
        """Encode and send; see `write`."""
        self.write(self.codec.encode(frame))

    def write(self, data: bytes, *, droppable: bool = False) -> None:
        """Send encoded bytes, or leave them out, or close: see the module's rule."""
        socket = self._socket
        if self.transport is None or socket is None:
            return None
        unsent = socket.get_write_buffer_size()
        if unsent and not self._has_room(unsent + self._corked_bytes, len(data), droppable):
            return None
        frame = framed(data, is_binary=self.codec.is_binary)
        self._corked_bytes += len(frame)
        # A system call per frame would be half of what a message costs: what one turn of the loop
        # writes, such as a commit's acks and entries, leaves together at its end.
        corked = self._corked
        if corked is None:
            self._corked = [frame]
            self.hub.cork(self)
        else:
            corked.append(frame)
            if self._corked_bytes >= _CORK_BYTES:
                self.uncork()
        return None

    def _has_room(self, waiting: int, size: int, droppable: bool) -> bool:
        """The reader is behind: may `size` more bytes wait for it?"""
        outboxes = self.hub.outboxes
        if droppable and waiting > outboxes.soft:
            outboxes.dropped += 1
            return False
        if waiting + size > outboxes.limit:
            self.bye_slow()
            return False
        outboxes.note(self, size)
        return self.transport is not None

    @property
    def unsent(self) -> int:
        """Bytes that the reader has not taken."""
        socket = self._socket
        return 0 if socket is None else socket.get_write_buffer_size() + self._corked_bytes

    def uncork(self) -> None:
        """Hand what this turn of the loop has written to the socket."""
        corked, self._corked = self._corked, None
        self._corked_bytes = 0
        socket, transport = self._socket, self.transport
        if not corked or socket is None or transport is None or transport.is_close_frame_sent:
            return  # nothing may follow a close frame, be it ours or one of picows' parser
        socket.write(corked[0] if len(corked) == 1 else b"".join(corked))

    def write_entry(self, data: bytes) -> None:
        """The same for an entry frame, which `pong` counts."""
        self.entries += 1
        self.write(data)

    def bye_slow(self) -> None:
        """The reader is too far behind; it resumes."""
        self.hub.outboxes.slow += 1
        self.bye(Bye(Close.SLOW, "You did not read fast enough; resume."))

    def bye(self, frame: Bye) -> None:
        """Say why and close. Codes below 3000 are WebSocket's own and come without a `bye`."""
        transport = self.transport
        if transport is None:
            return
        self.session.close()
        self.uncork()
        self.transport = None
        self.hub.closing(self, frame.code)
        if frame.code >= Close.SHUTDOWN:
            kind = _BINARY if self.codec.is_binary else _TEXT
            transport.send(kind, self.codec.encode(frame))
        transport.send_close(frame.code, reason(frame.text))  # type: ignore[arg-type]
        if self._paused or self._is_resting:
            # The client's answer is behind what we had stopped reading.
            self._paused = self._is_resting = False
            transport.underlying_transport.resume_reading()
        linger_s = _LINGER_SILENT_S if frame.code == Close.SILENT else _LINGER_S
        asyncio.get_running_loop().call_later(linger_s, self.cut)

    def _leave(self, transport: WSTransport) -> None:
        """Both have said goodbye: close the socket once everything is written."""
        transport.disconnect()
        if transport.underlying_transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(_LINGER_S, self.cut)

    def cut(self) -> None:
        """Drop the socket without another word."""
        if self._socket is not None:
            self._socket.abort()

    def _pause(self) -> None:
        if self.transport is not None:
            self._paused = True
            self.hub.pauses += 1
            self.transport.underlying_transport.pause_reading()

    def _read_on(self) -> None:
        if self.transport is not None and not self._paused and not self._is_resting:
            self.transport.underlying_transport.resume_reading()

    def owns(self, device: str, entry_type: int) -> bool:
        """Did this connection send that entry, and will it get the ack for it right away?"""
        # Without anything under way it was sent before a reconnect: the ack went to nobody.
        if not device or not self._inflight or entry_type == EntryType.STATUS:
            return False
        return device == self.session.origin
