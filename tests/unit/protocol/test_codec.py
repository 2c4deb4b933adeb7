"""Codec: golden frames both ways, tolerance for the future, and nothing but two errors."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingniao.protocol import frames
from qingniao.protocol.codec import JSON, MSGPACK, SUBPROTOCOLS, BadFields, Codec, Malformed

GOLDEN = json.loads((Path(__file__).parents[2] / "data" / "golden_frames.json").read_text())
UP = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 10})
CODECS = [MSGPACK, JSON]


def _decode(codec: Codec, data: bytes, kind: int) -> Any:
    return (codec.up if kind in UP else codec.down)(data)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["name"])
def test_golden_frame_reads_and_writes_as_recorded(golden: dict[str, Any]) -> None:
    packed, kind = bytes.fromhex(golden["msgpack"]), golden["frame"][0]
    frame = _decode(MSGPACK, packed, kind)
    assert frame is not None
    assert MSGPACK.encode(frame) == packed
    assert json.loads(JSON.encode(frame)) == golden["frame"]
    assert _decode(JSON, json.dumps(golden["frame"]).encode(), kind) == frame


def test_every_kind_has_a_golden_frame() -> None:
    known = {
        f.__struct_config__.tag for f in (*frames.UpFrame.__args__, *frames.DownFrame.__args__)
    }
    assert {golden["frame"][0] for golden in GOLDEN} == known


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_subprotocol_names_its_codec(codec: Codec) -> None:
    assert SUBPROTOCOLS[codec.name] is codec


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["name"])
def test_additional_fields_are_ignored(golden: dict[str, Any]) -> None:
    kind, longer = golden["frame"][0], [*golden["frame"], "from the future", {"x": [1]}]
    frame = _decode(MSGPACK, bytes.fromhex(golden["msgpack"]), kind)
    assert _decode(MSGPACK, msgspec.msgpack.encode(longer), kind) == frame
    assert _decode(JSON, json.dumps(longer).encode(), kind) == frame


@pytest.mark.parametrize("kind", [0, 8, 11, 31, 41, 1_000, -1, 2**31, 2**60])
@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_unknown_kinds_are_ignored(codec: Codec, kind: int) -> None:
    data = codec.encode([kind, "anything", {"at": "all"}])
    assert codec.up(data) is None
    assert codec.down(data) is None


@pytest.mark.parametrize(
    "raw",
    [
        [4, "seven", 1, 1, "x"], [4, 7, 1.5, 1, "x"], [4, 7, 1, 1], [4], [4, 7, 1, 1, 5],
        [1, "token"], [1, 5, "d"], [1, "t", "d", [[1]]], [9, True], [9, None], [6, 1, "yes"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_known_kind_with_wrong_fields_is_bad_fields(codec: Codec, raw: list[Any]) -> None:
    with pytest.raises(BadFields, match=f"Frame {raw[0]}"):
        codec.up(codec.encode(raw))


@pytest.mark.parametrize("raw", [[], {}, {"kind": 9}, "ping", 9, None, ["9", 1], [True, 1], [[9]]])
@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_what_is_not_a_frame_is_malformed(codec: Codec, raw: Any) -> None:
    with pytest.raises(Malformed):
        codec.up(codec.encode(raw))


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        (MSGPACK, b""), (JSON, b""), (JSON, b"[9,1"), (MSGPACK, b"\x92\x09"), (JSON, b"\xff\xfe"),
        (MSGPACK, b"\x95\x04\x01\x01\x01\xa1\xff"), (JSON, b'[4,1,1,1,"\xff"]'),
        (MSGPACK, b"\x91" * 100_000), (JSON, b"[" * 100_000), (JSON, b"[4,1,1,1," + b"[" * 50_000),
        (MSGPACK, b"\xc1"), (JSON, b"[9,1] [9,2]"), (MSGPACK, b"\x92\x09\x01\x92\x09\x02"),
    ],
    ids=lambda value: value.name if isinstance(value, Codec) else value[:24].hex(),
)  # fmt: skip
def test_undecodable_bytes_are_malformed(codec: Codec, data: bytes) -> None:
    with pytest.raises(Malformed):
        codec.up(data)


def test_stored_entry_is_told_in_either_encoding() -> None:
    entry = frames.Entry(7, 3, 1_000, "v", frames.EntryType.TEXT, "在吗 🐦")
    stored = MSGPACK.encode(entry)
    assert MSGPACK.from_stored(stored) == stored
    assert JSON.down(JSON.from_stored(stored)) == entry


numbers = st.integers(0, frames.MAX_INT)
words = st.text(max_size=20)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
bodies = words | st.none() | st.dictionaries(words, plain, max_size=4)
entries = st.builds(frames.Entry, numbers, numbers, numbers, words, numbers, bodies)
any_frame = st.one_of(
    st.builds(
        frames.Hello, words, words, st.lists(st.tuples(numbers, numbers), max_size=3),
        st.dictionaries(words, words, max_size=3),
    ),
    st.builds(frames.Follow, numbers, numbers),
    st.builds(frames.Unfollow, numbers),
    st.builds(frames.Send, numbers, numbers, numbers, bodies),
    st.builds(frames.Read, numbers, numbers),
    st.builds(frames.Typing, numbers, st.booleans(), words, words),
    st.builds(frames.History, numbers, numbers, numbers),
    st.builds(frames.Ping, numbers),
    st.builds(frames.Pong, numbers, numbers),
    st.builds(
        frames.Welcome, words, numbers, st.just(frames.Limits()),
        st.lists(st.tuples(numbers, st.dictionaries(words, plain, max_size=3)), max_size=3),
    ),
    st.builds(frames.Ack, numbers, numbers, numbers, numbers),
    st.builds(frames.Busy, numbers, numbers, numbers),
    entries,
    st.builds(frames.Delta, numbers, numbers, numbers, words),
    st.builds(frames.State, numbers, st.dictionaries(words, plain, max_size=3)),
    st.builds(frames.Page, numbers, st.lists(entries, max_size=3), st.booleans()),
    st.builds(frames.Error, numbers, numbers, numbers, words, st.booleans(), numbers),
    st.builds(frames.Bye, numbers, words, numbers),
)  # fmt: skip


@given(any_frame)
def test_any_frame_survives_both_encodings(frame: Any) -> None:
    kind = type(frame).__struct_config__.tag
    for codec in CODECS:
        assert _decode(codec, codec.encode(frame), kind) == frame


@given(any_frame)
def test_the_encodings_agree(frame: Any) -> None:
    packed = msgspec.msgpack.decode(MSGPACK.encode(frame))
    assert packed == msgspec.json.decode(JSON.encode(frame))


def _decodes_or_says_why(codec: Codec, data: bytes) -> None:
    for direction in (codec.up, codec.down):
        try:
            direction(data)
        except (Malformed, BadFields) as exc:
            assert str(exc)


@given(st.binary(max_size=200), st.sampled_from(CODECS))
def test_random_bytes_raise_nothing_else(data: bytes, codec: Codec) -> None:
    _decodes_or_says_why(codec, data)


@given(any_frame, st.sampled_from(CODECS), st.data())
def test_damaged_frames_raise_nothing_else(frame: Any, codec: Codec, data: st.DataObject) -> None:
    damaged = bytearray(codec.encode(frame))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    _decodes_or_says_why(codec, bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))
