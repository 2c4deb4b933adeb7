"""What is fuzzed: one function per door through which strangers' bytes come in.

Rule: a target lists what it may raise by catching it; anything else that escapes is a fault.
"""

from collections.abc import Callable
from typing import Final

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


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "decode_msgpack": decode_msgpack,
    "decode_json": decode_json,
    "session": session,
}
