"""The socket under a connection: what leaves it, when reading it rests, and how it ends.

Owns the transport and what is gathered for it; refuses to know what a frame means. Rule: nothing
here awaits. What a slow reader has not taken waits in the transport's buffer, bounded in bytes:
typing and deltas are left out first, then it closes with SLOW. Whoever is told goodbye has a moment
to read it.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from picows import WSListener, WSMsgType, WSTransport

from qingniao.gateway.assembly import reason
from qingniao.gateway.framing import framed
from qingniao.gateway.turns import REST_MAX_S
from qingniao.protocol.codec import Codec
from qingniao.protocol.codes import Close
from qingniao.protocol.frames import Bye, DownFrame, Limits
from qingniao.protocol.session import Session

if TYPE_CHECKING:
    from qingniao.gateway.hub import Hub

__all__ = ["ClientSocket"]

_CORK_BYTES: Final = 16_384
"""Gathered bytes that are worth a system call of their own: nothing is gained by waiting longer."""
_LINGER_S: Final = 5.0
"""Time to read what waits, and why it is the last, before a closed socket is cut."""
_LINGER_SILENT_S: Final = 0.5
"""The same for whoever gives no sign of life: an answer is not to be expected."""
_BINARY: Final = WSMsgType.BINARY
_TEXT: Final = WSMsgType.TEXT


class ClientSocket(WSListener):
    """The half of a `Connection` that knows bytes. A base and not a part: twenty thousand idle
    connections would pay for one more object each."""

    __slots__ = (
        "_corked",
        "_corked_bytes",
        "_is_resting",
        "_paused",
        "_socket",
        "codec",
        "entries",
        "hub",
        "session",
        "transport",
    )  # fmt: skip

    def __init__(self, hub: "Hub", codec: Codec, limits: Limits, now_ms: int) -> None:
        self.hub = hub
        self.codec = codec
        self.session = Session(limits, now_ms)
        self.transport: WSTransport | None = None
        """picows' transport; `None` before the handshake and after goodbye."""
        self.entries = 0
        """Entry frames written, which `pong` tells."""
        self._socket: asyncio.Transport | None = None
        self._corked: list[bytes] | None = None
        self._corked_bytes = 0
        self._paused = self._is_resting = False
        """Reading waits: for acks, or for the intake to have room."""

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

    # When reading waits.

    def _pause(self) -> None:
        if self.transport is not None:
            self._paused = True
            self.hub.pauses += 1
            self.transport.underlying_transport.pause_reading()

    def _read_on(self) -> None:
        if self.transport is not None and not self._paused and not self._is_resting:
            self.transport.underlying_transport.resume_reading()

    def _rest(self, wait_ms: int) -> None:
        if not self._is_resting and self.transport is not None:
            self._is_resting = True
            self.transport.underlying_transport.pause_reading()
            wait_s = min(wait_ms / 1000, REST_MAX_S)
            asyncio.get_running_loop().call_later(wait_s, self.rested)

    def _wait_for_room(self) -> None:
        if not self._is_resting and self.transport is not None:
            self._is_resting = True
            self.transport.underlying_transport.pause_reading()
            self.hub.turns.add(self)

    def rested(self) -> None:
        """Read on, unless acks are waited for too."""
        self._is_resting = False
        self._read_on()
