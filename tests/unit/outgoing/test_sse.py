"""Event streams as they are really written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingniao.outgoing.errors import AnswerTooLong
from qingniao.outgoing.sse import EventReader, ServerEvent


def read(*chunks: bytes) -> list[tuple[str, str]]:
    reader = EventReader()
    events = [event for chunk in chunks for event in reader.feed(chunk)] + reader.end()
    return [(event.name, event.data) for event in events]


@pytest.mark.parametrize(
    ("wire", "events"),
    [
        (b"data: a\n\n", [("", "a")]),
        (b"data:a\n\n", [("", "a")]),
        (b"data:  a\n\n", [("", " a")]),
        (b"event:x\ndata: a\n\n", [("x", "a")]),
        (b"event: x \ndata: a\r\n\r\n", [("x", "a")]),
        (b"data: a\r\rdata: b\r\r", [("", "a"), ("", "b")]),
        (b"data: a\ndata: b\n\n", [("", "a\nb")]),
        (b"data: a\n\n\n\ndata: b\n\n", [("", "a"), ("", "b")]),
        (b": keep-alive\n\ndata: a\n\n: again\n\n", [("", ""), ("", "a"), ("", "")]),
        (b"data: a\n: in between\ndata: b\n\n", [("", "a\nb")]),
        (b"event: ping\n\ndata: a\n\n", [("ping", ""), ("", "a")]),
        (b"id: 1\nretry: 3\nwhatever: x\nnonsense\ndata: a\n\n", [("", "a")]),
        (b"data: a", [("", "a")]),
        (b"data: a\n", [("", "a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("", "a")]),
        (b"data\n\ndata: a\n\n", [("", ""), ("", "a")]),
        (b"", []),
        (b"\n\n\n", []),
        (b"data: \xff\xfe\n\n", [("", "��")]),
    ],
)
def test_spellings(wire: bytes, events: list[tuple[str, str]]) -> None:
    assert read(wire) == events


WIRE = (
    "event: 答\r\ndata: 退货\r\ndata:😀\r\n\r\n: c\r\n\r\nevent:ping\r\n\r\ndata: 完\n\ndata: x\r\r"
)
WHOLE = [("答", "退货\n😀"), ("", ""), ("ping", ""), ("", "完"), ("", "x")]


@given(st.lists(st.integers(1, 12), max_size=60))
def test_any_cut_gives_the_same_events(sizes: list[int]) -> None:
    wire, chunks = WIRE.encode(), []
    for size in sizes:
        chunks.append(wire[:size])
        wire = wire[size:]
    assert read(*chunks, wire) == WHOLE


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_nothing_makes_it_raise(chunks: list[bytes]) -> None:
    assert all(isinstance(name, str) for name, _ in read(*chunks))


def test_event_is_there_as_soon_as_it_is_complete() -> None:
    reader = EventReader()
    assert reader.feed(b"data: a\n") == []
    assert reader.feed(b"\n") == [ServerEvent("", "a")]
    assert reader.end() == []


def test_line_without_end_is_refused() -> None:
    reader = EventReader(max_bytes=1_000)
    with pytest.raises(AnswerTooLong):
        for _ in range(20):
            reader.feed(b"x" * 100)


def test_event_without_end_is_refused() -> None:
    reader = EventReader(max_bytes=1_000)
    with pytest.raises(AnswerTooLong):
        for _ in range(200):
            reader.feed(b"data: 12345678\n")
