"""What is fuzzed: one function per door through which strangers' bytes come in.

Rule: a target lists what it may raise by catching it; anything else that escapes is a fault.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

sys.path.append(str(Path(__file__).parents[1]))

from memory_house import converse
from raw_wire import BINARY, TEXT, frame

from qingniao.protocol.codec import JSON, MSGPACK, BadFields, Codec, Malformed
from qingniao.protocol.frames import Bye, Error, Hello, Limits
from qingniao.protocol.session import Phase, Session

__all__ = ["TARGETS"]

NOW: Final = 1_795_500_000_000


def _decode(codec: Codec, data: bytes) -> None:
    for direction, way in ((codec.up, "up"), (codec.down, "down")):
        try:
            frame = direction(data)
        except (Malformed, BadFields):
            continue
        if frame is not None:
            try:
                again = direction(codec.encode(frame))
            except OverflowError:
                continue  # JSON holds larger integers than it can be asked to write
            assert again == frame or "nan" in repr(frame), f"{way}: {frame!r} became {again!r}"


def decode_msgpack(data: bytes) -> None:
    """Bytes of the product's subprotocol."""
    _decode(MSGPACK, data)


def decode_json(data: bytes) -> None:
    """Bytes of the debugging subprotocol."""
    _decode(JSON, data)


def session(data: bytes) -> None:
    """A whole connection: the first byte chooses the side, then pieces of a length each."""
    now, rest = NOW, data[1:]
    one = Session(Limits(rate=5.0, body_chars=50, follows=4), now)
    is_agent = bool(data[:1]) and data[0] % 2 == 1
    while rest:
        size, now = rest[0], now + rest[0] * 7
        piece, rest = rest[1 : 1 + size], rest[1 + size :]
        try:
            frame = MSGPACK.up(piece)
        except (Malformed, BadFields):
            continue
        if frame is None:
            continue
        before = one.phase
        verdict = one.check(frame, now)
        if isinstance(verdict, Bye):
            one.close()
        elif isinstance(verdict, Error):
            assert verdict.text.endswith(".")
        elif verdict is None and isinstance(frame, Hello):
            assert before is Phase.NEW
            if is_agent:
                one.become_agent(3, "周宁")
            else:
                one.become_visitor("visitor-7", 7)
        if verdict is not None:
            assert MSGPACK.down(MSGPACK.encode(verdict)) == verdict


def websocket(data: bytes) -> None:
    """A socket: the first byte chooses the subprotocol, whether it says hello, and how small its
    bytes are cut; then frames of a first byte, a size and a payload each, masked on the way. A size
    above 127 is followed by bytes that go on the wire as they are."""
    how, rest = data[0] if data else 0, data[1:]
    codec, opcode = (JSON, TEXT) if how & 1 else (MSGPACK, BINARY)
    sent = [frame(opcode, codec.encode(Hello("v:7", "d1")))] if how & 2 else []
    while rest:
        size = rest[1] if len(rest) > 1 else 0
        payload, first = rest[2 : 2 + size % 128], rest[0]
        rest = rest[2 + size % 128 :]
        if size < 128:
            fin, reserved = first >= 128, first >> 4 & 7
            sent.append(frame(first & 15, payload, fin=fin, reserved=reserved))
        else:
            sent.append(bytes((first,)) + payload)
    size = (how >> 2) * 3
    if size:
        whole = b"".join(sent)
        sent = [whole[at : at + size] for at in range(0, len(whole), size)]
    converse(sent, codec.name)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "decode_msgpack": decode_msgpack,
    "decode_json": decode_json,
    "session": session,
    "websocket": websocket,
}
