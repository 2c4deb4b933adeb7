"""One connection of a load. Owns hello, heartbeats, and the memory of how it ended.

Refuses to come back: a connection that is lost is counted and stays lost. Rule: nothing here waits.
"""

from typing import TYPE_CHECKING, Any, Final

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from qingniao.load.ticker import now_us
from qingniao.protocol.codec import MSGPACK, BadFields, Malformed
from qingniao.protocol.frames import Bye, Follow, Ping, Pong, UpFrame, Welcome

if TYPE_CHECKING:
    from qingniao.load.crowd import Crowd

__all__ = ["Person", "Slow"]

_BINARY: Final = WSMsgType.BINARY
_CLOSED: Final = WSMsgType.CLOSE
_GONE: Final = 1006
"""What RFC 6455 calls an end without a close frame."""

_encode: Final = MSGPACK.encode
_decode: Final = MSGPACK.down


class Person(WSListener):
    """A connection that greets, answers heartbeats and remembers how it ended."""

    __slots__ = (
        "attempts", "code", "crowd", "due_us", "hello", "is_over", "is_welcome", "transport",
    )  # fmt: skip

    def __init__(self, crowd: "Crowd", hello: bytes, due_us: int) -> None:
        self.crowd = crowd
        self.hello = hello
        self.due_us = due_us
        self.transport: WSTransport | None = None
        self.is_welcome = False
        self.is_over = False
        """The connection has ended, or never came about, and no other will follow."""
        self.code = 0
        self.attempts = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.crowd.open += 1
        self.code = 0
        transport.send(_BINARY, self.hello)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.transport = None
        self.crowd.open -= 1
        self.crowd.gone(self, self.code or _GONE)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is _BINARY:
            try:
                down = _decode(frame.get_payload_as_bytes())
            except (Malformed, BadFields):
                return self.crowd.count_error("not a frame")
            sort = type(down)
            if sort is Ping:
                self.crowd.tally.heartbeats += 1
                transport.send(_BINARY, _encode(Pong(down.number)))  # type: ignore[union-attr]
            elif sort is Bye:
                self.code = down.code  # type: ignore[union-attr]
            elif sort is Welcome:
                self._welcome(down)  # type: ignore[arg-type]
            elif down is not None:
                self.hear(down)
        elif kind is _CLOSED:
            code = frame.get_close_code() if frame.payload_size else WSCloseCode.OK
            # Codes of ours are none that picows has a name for.
            told = code.value if isinstance(code, WSCloseCode) else code
            self.code = self.code or int(told)
            transport.send_close(code)
            transport.disconnect()

    def _welcome(self, welcome: Welcome) -> None:
        self.is_welcome = True
        self.hello = b""
        self.crowd.tally.connected += 1
        self.crowd.tally.connect.record(now_us() - self.due_us)
        self.welcomed(welcome)

    def welcomed(self, welcome: Welcome) -> None:
        """The server let us in."""

    def send(self, frame: UpFrame) -> None:
        """Send now, or never: without a connection there is nobody to hear it."""
        if self.transport is not None:
            self.transport.send(_BINARY, _encode(frame))

    def hear(self, frame: Any) -> None:
        """Anything that is not about the connection itself."""

    def leave(self) -> None:
        """End the connection; it does not count as dropped."""
        self.is_over = True
        if self.transport is not None:
            self.transport.disconnect(graceful=False)


class Slow(Person):
    """Follows conversations in which things are said, and stops reading."""

    __slots__ = ()

    def stop_reading(self, conversations: list[int]) -> None:
        """From now on the server's words stay where they are."""
        for conversation in conversations:
            self.send(Follow(conversation))
        if self.transport is not None:
            self.transport.underlying_transport.pause_reading()

    def read_on(self) -> None:
        """Look at what became of the connection meanwhile."""
        if self.transport is not None:
            self.transport.underlying_transport.resume_reading()
