"""The log in memory that other tests rest on decides and remembers like the one on disk."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from memory_house import BEGIN_MS, MemoryLog

from qingniao.chat.intake import Intent, Message, Move
from qingniao.chat.lifecycle import Event, Why
from qingniao.chat.ports import ReadMark
from qingniao.protocol.frames import EntryType
from qingniao.storage.messages_rocksdb import RocksMessageLog

conversations = st.sampled_from([7, 7, 7, 8])
words = st.sampled_from(["在吗", "好的", ""])
actions = st.sampled_from(["handoff", "take", "return", "close", "?"]).map(lambda do: {"do": do})


@st.composite
def messages(draw: st.DrawFn) -> Message:
    conversation, agent = draw(conversations), draw(st.sampled_from([0, 0, 3, 4]))
    kind = draw(st.sampled_from([EntryType.TEXT, EntryType.TEXT, EntryType.ACTION, EntryType.NOTE]))
    body = draw(actions if kind == EntryType.ACTION else words)
    sender, visitor = (f"a{agent}", "") if agent else ("v", f"visitor-{conversation}")
    device, n = draw(st.sampled_from(["d1", "d2"])), draw(st.integers(1, 5))
    return Message(conversation, sender, device, n, kind, body, visitor, agent, f"客服{agent}")


moves = st.builds(Move, conversations, st.sampled_from(list(Event)), st.just(Why.ASKED))
commits = st.lists(st.lists(messages() | moves, min_size=1, max_size=6), max_size=6)


async def _both(batches: list[list[Intent]], folder: Path) -> None:
    disk, memory = RocksMessageLog(folder), MemoryLog()
    try:
        for number, batch in enumerate(batches):
            now = BEGIN_MS + number
            assert await memory.commit(batch, now) == await disk.commit(batch, now)
        for conversation in (7, 8, 9):
            for after in (0, 1, 3):
                got = await memory.entries(conversation, after, 4)
                assert got == await disk.entries(conversation, after, 4)
                assert await memory.read(conversation, after, 4) == await disk.read(
                    conversation, after, 4
                )
            for device in ("v/d1", "v/d2", "a3/d1", "a4/d2", "v/none"):
                assert await memory.sent(conversation, device) == await disk.sent(
                    conversation, device
                )
            for agent in (True, False):
                for seq in (2, 1, 10**9):
                    marks = [ReadMark(conversation, agent, seq)]
                    assert await memory.mark_read(marks) == await disk.mark_read(marks)
            assert await memory.head(conversation) == await disk.head(conversation)
        known = {7: 1, 8: 0, 9: 0}
        assert await memory.advanced(known) == await disk.advanced(known)
        assert await memory.heads([7, 8, 9]) == await disk.heads([7, 8, 9])
    finally:
        await disk.close()


@settings(max_examples=40)
@given(batches=commits)
def test_memory_and_disk_decide_alike(batches: list[list[Intent]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_both(batches, Path(folder)))
