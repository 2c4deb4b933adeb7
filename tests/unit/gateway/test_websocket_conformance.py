"""RFC 6455 as a table: what a client sends, and what comes back, byte for byte.

Over real sockets into the real gateway. A case that says nothing of a close ends with a `ping` of
ours that must be answered: the connection lives and has understood everything before.
"""

import asyncio
import contextlib
import struct
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import pytest_asyncio
from gateway_house import JSON, MSGPACK, GatewayHouse
from raw_wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Wire, close, frame

from qingniao.gateway.assembly import _FRAGMENTS
from qingniao.protocol.codec import Codec
from qingniao.protocol.codes import Close
from qingniao.protocol.frames import Bye, Hello, Pong, Welcome

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 65_536
ASK = frame(BINARY, b"\x92\x09\x05")  # [9, 5]: our own ping
ASK_TEXT = frame(TEXT, b"[9,5]")
LAST, LAST_TEXT = frame(BINARY, b"\x92\x09\x63"), frame(TEXT, b"[9,99]")

# What may come back.
FIVE, ALIVE = ("frame", 5), ("frame", 99)


def pong(payload: bytes = b"") -> tuple[str, Any]:
    return "pong", payload


def echoed(code: int) -> tuple[str, Any]:
    """A close frame that ends it: the server drops the connection at once."""
    return "close", code


class Case(NamedTuple):
    """`back` without a close is followed by `ALIVE`. `bye` says that our own frame comes first;
    `waits` that the server waits for the client's half of the closing handshake."""

    name: str
    sent: bytes
    back: list[tuple[str, Any]]
    codec: Codec = MSGPACK
    piece_bytes: int = 0


def refused(code: int) -> list[tuple[str, Any]]:
    """Closed by a rule of WebSocket: no frame of ours comes before it."""
    return [("close", code)]


def told(code: Close) -> list[tuple[str, Any]]:
    """Closed by a rule of our own: `bye` comes before it."""
    return [("bye", int(code)), ("close", int(code))]


def ping_of(size: int) -> bytes:
    """A message of ours of exactly `size` bytes, at least 3: `[9, 5, padding]`."""
    if size == 3:
        return b"\x92\x09\x05"
    for head in (b"\xc4%c", b"\xc5%c%c", b"\xc6%c%c%c%c"):
        wide = head.count(b"%")
        rest = size - 4 - wide
        if rest < 1 << 8 * wide:
            return b"\x93\x09\x05" + head[:1] + rest.to_bytes(wide, "big") + bytes(rest)
    raise AssertionError(size)


def pieces(opcode: int, *payloads: bytes, between: bytes = b"") -> bytes:
    """A message in fragments, with `between` after each but the last."""
    out = [frame(opcode, payloads[0], fin=len(payloads) == 1)]
    for number, payload in enumerate(payloads[1:], 2):
        out.append(frame(CONTINUATION, payload, fin=number == len(payloads)))
    return between.join(out)


def sizes() -> Iterator[Case]:
    for size in (3, 125, 126, 127, 128, 65_535, 65_536):
        yield Case(f"message of {size}", frame(BINARY, ping_of(size)), [FIVE])
    yield Case("message of 0", frame(BINARY), told(Close.MALFORMED))
    yield Case("limit and one", frame(BINARY, ping_of(LIMIT + 1)), told(Close.TOO_LARGE))
    # picows has seen enough when it knows the length, and says it its own way.
    head = frame(BINARY, claims=4 * LIMIT + 1)
    yield Case("4 × limit and one", head, refused(1009))
    yield Case("2^62 bytes", frame(BINARY, claims=1 << 62), refused(1009))
    yield Case("2^63 bytes", frame(BINARY, claims=1 << 63), refused(1002))
    for size, wide in ((0, 2), (125, 2), (125, 8), (65_535, 8)):
        sent = frame(BINARY, bytes(size), length_bytes=wide)
        yield Case(f"{size} written in {wide} bytes", sent, refused(1002))


def masks() -> Iterator[Case]:
    for mask in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"\x80\0\0\0", b"\x37\xfa\x21\x3d"):
        for size in (3, 9, 130, 1_001):
            sent = frame(BINARY, ping_of(size), mask=mask)
            yield Case(f"mask {mask.hex()} over {size}", sent, [FIVE])
        yield Case(
            f"mask {mask.hex()} over a ping", frame(PING, b"abcde", mask=mask), [pong(b"abcde")]
        )
    for opcode in (BINARY, TEXT, PING, PONG, CLOSE):
        yield Case(f"unmasked {opcode:#x}", frame(opcode, b"\x03\xe8", mask=None), refused(1002))


def opcodes() -> Iterator[Case]:
    for opcode in (*range(0x3, 0x8), *range(0xB, 0x10)):
        yield Case(f"opcode {opcode:#x}", frame(opcode), refused(1002))
    for bits in range(1, 8):
        yield Case(f"reserved bits {bits:03b}", frame(BINARY, b"\x92\x09\x05", reserved=bits),
                   refused(1002))  # fmt: skip
    for opcode in (PING, PONG, CLOSE):
        yield Case(f"reserved bit on {opcode:#x}", frame(opcode, reserved=4), refused(1002))
    sent = frame(BINARY, b"\x92", fin=False) + frame(CONTINUATION, b"\x09\x05", reserved=2)
    yield Case("reserved bit on a continuation", sent, refused(1002))


def pings() -> Iterator[Case]:
    for size in (0, 1, 4, 124, 125):
        payload = bytes(range(size))
        yield Case(f"ping of {size}", frame(PING, payload), [pong(payload)])
        yield Case(f"pong of {size}", frame(PONG, payload), [])
    yield Case("ping of bytes that are no text", frame(PING, b"\xff\xfe\0"), [pong(b"\xff\xfe\0")])
    yield Case("ten pings", b"".join(frame(PING, b"%d" % n) for n in range(10)),
               [pong(b"%d" % n) for n in range(10)])  # fmt: skip
    flood = range(1_000)
    yield Case("flood of pings", b"".join(frame(PING, struct.pack(">H", n) * 60) for n in flood),
               [pong(struct.pack(">H", n) * 60) for n in flood])  # fmt: skip
    for opcode in (PING, PONG, CLOSE):
        for size in (126, 127, 65_536):
            yield Case(f"{opcode:#x} of {size}", frame(opcode, bytes(size)), refused(1002))
        yield Case(
            f"{opcode:#x} in fragments", frame(opcode, b"\x03\xe8", fin=False), refused(1002)
        )
    yield Case("ping and a message together", frame(PING, b"a") + ASK, [pong(b"a"), FIVE])


def fragments() -> Iterator[Case]:
    data = ping_of(200)
    for parts in ((data,), (data[:1], data[1:]), (b"", data), (data, b""), (b"", b"", data, b"")):
        shape = ",".join(str(len(part)) for part in parts)
        yield Case(f"fragments {shape}", pieces(BINARY, *parts), [FIVE])
    single = [data[at : at + 1] for at in range(len(data))]
    yield Case("fragments of a byte", pieces(BINARY, *single), [FIVE])
    yield Case("ping between fragments", pieces(BINARY, b"\x92", b"\x09", b"\x05",
               between=frame(PING, b"!")), [pong(b"!"), pong(b"!"), FIVE])  # fmt: skip
    yield Case("pong between fragments", pieces(BINARY, b"\x92", b"\x09\x05", between=frame(PONG)),
               [FIVE])  # fmt: skip
    yield Case("two in fragments", pieces(BINARY, b"\x92", b"\x09\x05") * 2, [FIVE, FIVE])
    yield Case("close between fragments", frame(BINARY, b"\x92", fin=False) + close(1000),
               [echoed(1000)])  # fmt: skip
    yield Case("whole after fragments", pieces(BINARY, b"\x92\x09", b"\x05") + ASK, [FIVE, FIVE])
    yield Case("continuation of nothing", frame(CONTINUATION, b"\x92\x09\x05"), refused(1002))
    yield Case("unfinished continuation of nothing", frame(CONTINUATION, fin=False), refused(1002))
    yield Case("continuation after the end", pieces(BINARY, b"\x92\x09", b"\x05")
               + frame(CONTINUATION), [FIVE, *refused(1002)])  # fmt: skip
    begun = frame(BINARY, b"\x92", fin=False)
    for name, second in (("whole", ASK), ("begun", begun), ("text", ASK_TEXT)):
        yield Case(f"{name} inside another", begun + second, refused(1002))
    half = ping_of(LIMIT)
    yield Case("limit in halves", pieces(BINARY, half[: LIMIT // 2], half[LIMIT // 2 :]), [FIVE])
    yield Case("limit and one in halves", pieces(BINARY, half, b"!"), told(Close.TOO_LARGE))
    yield Case("too large before its end", frame(BINARY, half, fin=False)
               + frame(CONTINUATION, b"!", fin=False), told(Close.TOO_LARGE))  # fmt: skip
    most = (b"\x92", *[b""] * (_FRAGMENTS - 2), b"\x09\x05")
    yield Case("as many fragments as may be", pieces(BINARY, *most), [FIVE])
    yield Case("one more", pieces(BINARY, b"", *most), told(Close.TOO_LARGE))


def texts() -> Iterator[Case]:
    def say(name: str, sent: bytes, back: list[tuple[str, Any]]) -> Case:
        return Case(name, sent, back, JSON)

    good = '[9,5,"κόσμε \u0000\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff 🐦"]'
    data = good.replace("\u0000", " ").encode()
    yield say("text", frame(TEXT, data), [FIVE])
    for at in range(len(data) + 1):
        yield say(f"text split at {at}", pieces(TEXT, data[:at], data[at:]), [FIVE])
    single = [data[at : at + 1] for at in range(len(data))]
    yield say("text in fragments of a byte", pieces(TEXT, *single), [FIVE])
    wrong = {
        "lone continuation": b"\x80", "two continuations": b"\xbf\x80", "fe": b"\xfe",
        "ff": b"\xff", "overlong slash, 2": b"\xc0\xaf", "overlong slash, 3": b"\xe0\x80\xaf",
        "overlong slash, 4": b"\xf0\x80\x80\xaf", "overlong nul": b"\xc0\x80",
        "overlong 7f": b"\xc1\xbf", "overlong 7ff": b"\xe0\x9f\xbf",
        "overlong ffff": b"\xf0\x8f\xbf\xbf", "surrogate d800": b"\xed\xa0\x80",
        "surrogate dfff": b"\xed\xbf\xbf", "pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80",
        "above 10ffff": b"\xf4\x90\x80\x80", "five bytes": b"\xf8\x88\x80\x80\x80",
        "six bytes": b"\xfc\x84\x80\x80\x80\x80", "cut, 2": b"\xce", "cut, 3": b"\xe2\x82",
        "cut, 4": b"\xf0\x9f\x90", "latin-1": "é".encode("latin-1"),
    }  # fmt: skip
    for name, bad in wrong.items():
        # In a field that no frame has: what is not looked at has to be text all the same.
        sent = b'[9,5,"' + bad + b'"]'
        yield say(f"not text: {name}", frame(TEXT, sent), refused(1007))
        yield say(
            f"not text, in fragments: {name}", pieces(TEXT, sent[:7], sent[7:]), refused(1007)
        )
    yield say("text that ends inside a letter", frame(TEXT, "[9,5]é".encode()[:-1]), refused(1007))
    yield say("empty text", frame(TEXT), told(Close.MALFORMED))
    yield say("binary where text is meant", frame(BINARY, b"[9,5]"), told(Close.MALFORMED))
    yield Case("text where binary is meant", ASK_TEXT, told(Close.MALFORMED))


def closes() -> Iterator[Case]:
    for code in (1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999):
        yield Case(f"close {code}", close(code), [echoed(code)])
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535):
        yield Case(f"close {code}", close(code), refused(1002))
    yield Case("close without a code", frame(CLOSE), [echoed(1000)])
    yield Case("close with half a code", frame(CLOSE, b"\x03"), refused(1002))
    yield Case("close with a reason", close(1000, "再见".encode()), [echoed(1000)])
    yield Case("close with the longest reason", close(1000, b"x" * 123), [echoed(1000)])
    yield Case("close with a longer one", close(1000, b"x" * 124), refused(1002))
    for bad in (b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"bye\xe2\x82"):
        yield Case(f"close with the reason {bad.hex()}", close(1000, bad), refused(1007))
    yield Case("message after close", close(1000) + ASK, [echoed(1000)])
    yield Case("ping after close", close(1000) + frame(PING), [echoed(1000)])
    # picows looks one frame ahead: what breaks its rules is answered before the close it follows.
    yield Case("close after close at once", close(1000) + close(1001), refused(1002))
    yield Case("nonsense after close at once", close(1000) + b"\xff" * 300, refused(1002))
    yield Case("message before close", ASK + close(3000), [FIVE, echoed(3000)])


TABLE = [*sizes(), *masks(), *opcodes(), *pings(), *fragments(), *texts(), *closes()]
SLICED = [
    case._replace(name=f"{case.name}, byte by byte", piece_bytes=1)
    for case in TABLE
    if len(case.sent) < 500
    and not any(w in case.name for w in ("split", "not text", "after close"))
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_house() -> AsyncIterator[GatewayHouse]:
    with tempfile.TemporaryDirectory() as folder:
        house = GatewayHouse(
            Path(folder), wire={"frame_bytes": LIMIT}, gateway={"frames": 1_000_000}
        )
        await house.open()
        yield house
        await house.close()


def read(codec: Codec, opcode: int, payload: bytes) -> tuple[str, Any]:
    """What a frame of the server says, as in the table."""
    if opcode == PONG:
        return "pong", payload
    if opcode == CLOSE:
        payload[2:].decode()
        return "close", int.from_bytes(payload[:2], "big")
    assert opcode == (BINARY if codec.is_binary else TEXT)
    said = codec.down(payload)
    if isinstance(said, Bye):
        return "bye", said.code
    assert isinstance(said, Pong)
    return "frame", said.number


async def greeted(house: GatewayHouse, codec: Codec) -> Wire:
    """A visitor after `welcome`."""
    wire = await Wire.open(house.port, codec.name)
    wire.say(frame(BINARY if codec.is_binary else TEXT, codec.encode(Hello("v:7", "d1"))))
    first = await wire.hear()
    assert first is not None
    assert isinstance(codec.down(first.payload), Welcome)
    return wire


@pytest.mark.parametrize("case", TABLE + SLICED, ids=lambda case: case.name)
async def test_frames_are_answered_as_the_standard_says(
    one_house: GatewayHouse, case: Case
) -> None:
    wire = await greeted(one_house, case.codec)
    lives = not case.back or case.back[-1][0] != "close"
    sent = case.sent + (b"" if not lives else LAST if case.codec.is_binary else LAST_TEXT)
    saying = asyncio.ensure_future(wire.say_slowly(sent, case.piece_bytes or len(sent)))
    wanted = [*case.back, ALIVE] if lives else case.back
    got: list[tuple[str, Any]] = []
    while len(got) < len(wanted):
        one = await wire.hear()
        assert one is not None, f"dropped after {got}"
        got.append(read(case.codec, *one))
    assert got == wanted
    saying.cancel()  # who has heard a close says nothing more
    if not lives:
        wire.say(close(1000))
        assert await wire.ended() == []
    await wire.leave()


async def test_bytes_are_read_in_any_slices(one_house: GatewayHouse) -> None:
    told_of = ping_of(300)
    sent = b"".join((
        frame(BINARY, told_of), pieces(BINARY, told_of[:100], told_of[100:], between=frame(PING)),
        frame(PING, b"end"),
    ))  # fmt: skip
    for size in (1, 2, 3, 5, 7, 64, 251):
        wire = await greeted(one_house, MSGPACK)
        await wire.say_slowly(sent, size)
        got = [read(MSGPACK, *(await wire.hear() or (0, b""))) for _ in range(4)]
        assert got == [FIVE, pong(), FIVE, pong(b"end")]
        await wire.leave()


async def test_client_that_pings_and_never_reads_is_too_slow(one_house: GatewayHouse) -> None:
    wire = await greeted(one_house, MSGPACK)
    wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
    before, pings = one_house.hub.outboxes.slow, frame(PING, bytes(125)) * 500
    async with asyncio.timeout(20):
        while one_house.hub.outboxes.slow == before:
            wire.say(pings)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wire.writer.drain(), 0.01)
    wire.reader._transport.resume_reading()  # type: ignore[attr-defined]
    got: list[Any] = []
    while not got or got[-1].opcode != CLOSE:
        got.append(await wire.hear())
        assert got[-1] is not None
    *pongs, said, last = got
    assert {one.opcode for one in pongs} == {PONG}
    assert (read(MSGPACK, *said), last.code) == (("bye", Close.SLOW), Close.SLOW)
    await wire.leave()


async def test_table_names_each_case_once() -> None:
    names = [case.name for case in TABLE + SLICED]
    assert len(names) == len(set(names)) > 250
    assert msgspec.msgpack.decode(ping_of(65_536))[1] == 5
