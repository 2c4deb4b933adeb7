"""Whatever a socket brings, in whatever slices: our side never raises, and ends open or closed.

The real picows, front, connection and hub over a socket in memory; `memory_house.converse` says
what has to hold. The second test knows what RFC 6455 wants and compares.
"""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from memory_house import converse
from raw_wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

from qingniao.protocol.codec import JSON, MSGPACK, BadFields, Codec, Malformed
from qingniao.protocol.codes import Close
from qingniao.protocol.frames import Hello, History, Ping, Read, Send, Typing, UpFrame

codecs = st.sampled_from([MSGPACK, JSON])
frames_of_ours = st.one_of(
    st.builds(Ping, st.integers(0, 9)),
    st.builds(Send, st.just(7), st.integers(0, 4), st.integers(0, 3), st.text(max_size=4)),
    st.builds(History, st.just(7), st.integers(0, 9), st.integers(0, 3)),
    st.builds(Read, st.just(7), st.integers(0, 9)),
    st.builds(Typing, st.just(7), st.booleans()),
)


def message(codec: Codec, said: UpFrame) -> bytes:
    return frame(BINARY if codec.is_binary else TEXT, codec.encode(said))


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """Slices of these sizes, then the rest."""
    slices = []
    for size in sizes:
        slices.append(data[:size])
        data = data[size:]
    return [piece for piece in (*slices, data) if piece]


nearly_frames = st.builds(
    frame,
    st.sampled_from([CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG, 0x3, 0xF]),
    st.binary(max_size=140),
    fin=st.booleans(),
    reserved=st.sampled_from([0, 0, 0, 0, 1, 2, 4]),
    mask=st.sampled_from([b"\0\0\0\0", b"\x37\xfa\x21\x3d", None]),
    claims=st.none() | st.sampled_from([0, 1, 125, 126, 4_096, 20_000, 1 << 40]),
)


@given(
    codec=codecs,
    is_greeted=st.booleans(),
    data=st.lists(st.binary(max_size=40) | nearly_frames, max_size=8).map(b"".join),
    sizes=st.lists(st.integers(1, 60), max_size=12),
)
def test_any_bytes_in_any_slices_end_open_or_closed(
    codec: Codec, is_greeted: bool, data: bytes, sizes: list[int]
) -> None:
    greeting = message(codec, Hello("v:7", "d1")) if is_greeted else b""
    converse(cut(greeting + data, sizes), codec.name)


UTF8 = re.compile(
    rb"(?:[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]"
    rb"|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}"
    rb"|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*"
)
"""RFC 3629, section 4."""
REGISTERED = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
"""https://www.iana.org/assignments/websocket, without what must not be sent."""


class Reader:
    """What RFC 6455 wants of a server that is sent whole frames, in the plainest words."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.pongs: list[bytes] = []
        self.code = 0
        self.is_twice_wrong = False
        """Two codes would be right."""
        self.parts: list[bytes] | None = None
        self.opcode = 0

    def take(self, opcode: int, payload: bytes, fin: bool, reserved: int) -> None:
        """One frame."""
        if reserved or opcode not in (0, 1, 2, 8, 9, 10):
            self.code = 1002
        elif opcode >= CLOSE:
            self._control(opcode, payload, fin)
        elif (opcode == CONTINUATION) != (self.parts is not None):
            self.code = 1002
        else:
            self.opcode = opcode or self.opcode
            self.parts = [*(self.parts or []), payload]
            if fin:
                self._message(b"".join(self.parts))
                self.parts = None

    def _control(self, opcode: int, payload: bytes, fin: bool) -> None:
        if not fin or len(payload) > 125:
            self.code = 1002
        elif opcode == PING:
            self.pongs.append(payload)
        elif opcode == CLOSE:
            number = int.from_bytes(payload[:2], "big")
            if len(payload) == 1:
                self.code = 1002
            elif not payload:
                self.code = 1000
            elif number in REGISTERED or 3000 <= number <= 4999:
                self.code = number if UTF8.fullmatch(payload[2:]) else 1007
            else:
                self.code = 1002
                self.is_twice_wrong = not UTF8.fullmatch(payload[2:])

    def _message(self, data: bytes) -> None:
        if (self.opcode == TEXT) is self.codec.is_binary:
            self.code = Close.MALFORMED
        elif self.opcode == TEXT and not UTF8.fullmatch(data):
            self.code = 1007
        else:
            try:
                self.codec.up(data)
            except Malformed:
                self.code = Close.MALFORMED
            except BadFields:
                pass  # an error frame; the connection lives on


@st.composite
def whole_frames(draw: Any) -> tuple[Codec, list[tuple[int, bytes, bool, int]]]:
    """Frames most of which may be, and messages that are frames of ours, in pieces or not."""
    codec = draw(codecs)
    kind = BINARY if codec.is_binary else TEXT
    out: list[tuple[int, bytes, bool, int]] = []
    for _ in range(draw(st.integers(0, 6))):
        what = draw(st.integers(0, 9))
        if what < 5:
            data = codec.encode(draw(frames_of_ours))
            at = draw(st.integers(0, len(data)))
            if what < 2:
                out.append((kind, data, True, 0))
            else:
                out += [(kind, data[:at], False, 0), (CONTINUATION, data[at:], True, 0)]
        elif what < 7:
            out.append(
                (draw(st.sampled_from([PING, PONG])), draw(st.binary(max_size=130)), True, 0)
            )
        elif what == 7:
            number = draw(st.integers(990, 1020) | st.integers(2990, 5010))
            out.append((CLOSE, number.to_bytes(2, "big") + draw(st.binary(max_size=3)), True, 0))
        elif what == 8:
            out.append(
                (draw(st.sampled_from([kind, CONTINUATION, 3])), b"", draw(st.booleans()), 0)
            )
        else:
            out.append((kind, codec.encode(Ping(1)), True, draw(st.integers(0, 7))))
    return codec, out


@given(whole_frames())
def test_whole_frames_are_answered_as_the_standard_says(
    said: tuple[Codec, list[tuple[int, bytes, bool, int]]],
) -> None:
    codec, frames = said
    reader = Reader(codec)
    pieces = [message(codec, Hello("v:7", "d1"))]
    for opcode, payload, fin, reserved in frames:
        pieces.append(frame(opcode, payload, fin=fin, reserved=reserved))
        if not reader.code:
            reader.take(opcode, payload, fin, reserved)
    got, is_open = converse(pieces, codec.name)
    assert [one.payload for one in got if one.opcode == PONG] == reader.pongs
    code = 0 if is_open else got[-1].code
    assert code == reader.code or (reader.is_twice_wrong and code == 1007)
