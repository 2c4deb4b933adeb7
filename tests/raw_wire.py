"""A WebSocket client made of bytes: each one it sends is chosen, each one it gets is looked at.

Owns client frames as they may be and as they may not be, and a reader of server frames that accepts
nothing a server must not send. Rule: it repairs nothing, answers nothing and knows no codec.
"""

import asyncio
import struct
from typing import NamedTuple

__all__ = [
    "BINARY", "CLOSE", "CONTINUATION", "KEY", "PING", "PONG", "TEXT", "Heard", "Wire", "close",
    "frame", "heard", "request",
]  # fmt: skip

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
DEADLINE_S = 5.0


class Heard(NamedTuple):
    """One frame of the server."""

    opcode: int
    payload: bytes

    @property
    def code(self) -> int:
        """Of a close frame."""
        return int.from_bytes(self.payload[:2], "big")


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    mask: bytes | None = b"\x37\xfa\x21\x3d",
    length_bytes: int | None = None,
    claims: int | None = None,
) -> bytes:
    """A client's frame. `length_bytes` (0, 2 or 8) chooses another form of the length than the
    shortest; `claims` says another size than the payload has."""
    size = len(payload) if claims is None else claims
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 1 << 16 else 8
    masked = 0 if mask is None else 0x80
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    if length_bytes == 0:
        head = bytes((first, masked | size))
    elif length_bytes == 2:
        head = struct.pack(">BBH", first, masked | 126, size)
    else:
        head = struct.pack(">BBQ", first, masked | 127, size)
    if mask is None:
        return head + payload
    stream = (mask * (len(payload) // 4 + 1))[: len(payload)]
    hidden = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
    return head + mask + hidden.to_bytes(len(payload), "big")


def close(code: int, reason: bytes = b"") -> bytes:
    """A client's close frame."""
    return frame(CLOSE, struct.pack(">H", code) + reason)


def heard(data: bytes) -> tuple[list[Heard], bytes]:
    """The server's frames in `data`, and the beginning of one that is not complete. Fails on
    anything that a server must not send (RFC 6455, sections 5.1 to 5.5)."""
    frames: list[Heard] = []
    while len(data) >= 2:
        assert data[0] & 0xF0 == 0x80, "neither fragments nor reserved bits are ours"
        opcode, size, at = data[0] & 0xF, data[1], 2
        assert opcode in (TEXT, BINARY, CLOSE, PING, PONG)
        assert size < 0x80, "a server does not mask"
        if size >= 126:
            assert opcode < CLOSE, "a control frame is short"
            width = 2 if size == 126 else 8
            at += width
            size = int.from_bytes(data[2:at], "big")
            assert len(data) < at or size >= (126 if width == 2 else 1 << 16), "not the shortest"
        if len(data) < at + size:
            break
        assert not frames or frames[-1].opcode != CLOSE, "something followed a close frame"
        frames.append(Heard(opcode, data[at : at + size]))
        data = data[at + size :]
    assert not data or not frames or frames[-1].opcode != CLOSE, "something followed a close frame"
    return frames, data


def request(line: str = "GET /ws HTTP/1.1", **changes: str | None) -> bytes:
    """An opening handshake; names have `_` for `-`, and `None` leaves a field out."""
    fields: dict[str, str | None] = {
        "Host": "localhost", "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec_WebSocket_Key": KEY, "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Protocol": "qingniao.1",
    }  # fmt: skip
    fields.update(changes)
    lines = [line, *(f"{k.replace('_', '-')}: {v}" for k, v in fields.items() if v is not None)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Wire:
    """A socket after the opening handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._rest = b""
        self._frames: list[Heard] = []

    @classmethod
    async def open(cls, port: int, protocol: str) -> "Wire":
        """Connect and upgrade."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(Sec_WebSocket_Protocol=protocol))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return cls(reader, writer)

    def say(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)

    async def say_slowly(self, data: bytes, piece_bytes: int = 1) -> None:
        """Send bytes in pieces, each in a turn of the loop of its own."""
        for at in range(0, len(data), piece_bytes):
            self.writer.write(data[at : at + piece_bytes])
            await asyncio.sleep(0)

    async def hear(self) -> Heard | None:
        """The next frame, or `None` at the end of the stream. Fails at a frame cut short."""
        async with asyncio.timeout(DEADLINE_S):
            while not self._frames:
                try:
                    data = await self.reader.read(65_536)
                except ConnectionResetError:
                    data = b""
                if not data:
                    assert not self._rest, "the stream ended inside a frame"
                    return None
                self._frames, self._rest = heard(self._rest + data)
        return self._frames.pop(0)

    async def ended(self) -> list[Heard]:
        """Everything until the server drops the connection; then this side is closed too."""
        frames = []
        while (one := await self.hear()) is not None:
            frames.append(one)
        await self.leave()
        return frames

    async def leave(self) -> None:
        """Drop the connection."""
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)
