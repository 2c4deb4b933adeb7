"""One client. Owns what it says: its fragments, its session, its requests, and what it follows.

Refuses to know how bytes leave (`client_socket.py`). Rule: everything that it says is answered,
stored, or the reason why the connection ends.
"""

import random
from collections import deque
from typing import TYPE_CHECKING, Final

from picows import WSFrame, WSMsgType, WSTransport

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
)
from qingniao.gateway.client_socket import ClientSocket
from qingniao.gateway.requests import Request
from qingniao.log import get_logger
from qingniao.protocol.codec import BadFields, Codec, Malformed
from qingniao.protocol.codes import Close, Code
from qingniao.protocol.frames import (
    Ack,
    Busy,
    Bye,
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

if TYPE_CHECKING:
    from qingniao.gateway.hub import Hub

__all__ = ["Connection"]

_SOON_MS: Final = (1_000, 5_000)
_log: Final = get_logger("gateway")
# Looked up once: on the enumeration it would cost as much as the rest of a frame's dispatch.
_BINARY: Final = WSMsgType.BINARY
_TEXT: Final = WSMsgType.TEXT
_CONTINUATION: Final = WSMsgType.CONTINUATION
_CLOSE: Final = WSMsgType.CLOSE
_PING: Final = WSMsgType.PING


class Connection(ClientSocket):
    """A client's socket. Created by the front, known to the hub, beaten by the heart."""

    __slots__ = (
        "_asking",
        "_frames",
        "_inflight",
        "_parts",
        "_requests",
        "born",
        "follows",
        "is_present",
        "network",
        "seen",
        "signed_in",
        "slot",
        "welcomed_ms",
    )  # fmt: skip

    def __init__(self, hub: "Hub", codec: Codec, limits: Limits, now_ms: int, network: str) -> None:
        super().__init__(hub, codec, limits, now_ms)
        self.network = network
        """Where it comes from, as `Addresses` counts; "" is not limited."""
        self.follows: dict[int, int] = {}
        """Conversation → the last `seq` sent; negative while it is being caught up."""
        self.born = self.seen = self.slot = 0
        """Beats of the heart, and the place on its wheel."""
        self.welcomed_ms = 0
        self.signed_in = ""
        self.is_present = False
        self._inflight = self._frames = 0
        self._parts: Assembly | None = None
        self._requests: deque[Request] | None = None
        self._asking = False

    # What picows calls.

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self._socket = transport.underlying_transport
        # The head of the handshake is the largest thing an idle connection would keep.
        request = transport.request
        del request.method, request.path, request.version, request.headers
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
            self._wait_for_room()
            return self._busy(Busy(frame.conversation, frame.n, pipeline.retry_after_ms))
        self._inflight += 1
        if self._inflight >= session.limits.credit and not self._paused:
            self._pause()
        elif pipeline.room < 0:
            self._wait_for_room()
        return None

    def _busy(self, frame: Busy) -> None:
        """Not taken; and what comes behind it is left in the socket until it may come again."""
        self.hub.busy += 1
        self.send(frame)
        if self.session.held_from(frame.conversation) == frame.n:
            self._rest(frame.retry_after_ms)

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
        self.bye(Bye(Close.STORAGE, text, _soon_ms()))

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
            self.bye(Bye(Close.STORAGE, "The server cannot read its store; try again.", _soon_ms()))
        except Exception as exc:  # a fault of ours: whoever waits for the answer must hear of it
            _log.error("request_broke", exc=exc)
            self.send(Error(0, 0, Code.INTERNAL, "Something went wrong in the server.", True))
            self.bye(Bye(Close.OVERLOADED, "Something went wrong in the server.", _soon_ms()))
        finally:
            self._asking = False
            self._requests = None

    def owns(self, device: str, entry_type: int) -> bool:
        """Did this connection send that entry, and will it get the ack for it right away?"""
        # Without anything under way it was sent before a reconnect: the ack went to nobody.
        if not device or not self._inflight or entry_type == EntryType.STATUS:
            return False
        return device == self.session.origin


def _soon_ms() -> int:
    """When to come back after a fault: a store that starts again needs seconds, and not everybody
    should find it at the same moment."""
    return random.randint(*_SOON_MS)  # noqa: S311
