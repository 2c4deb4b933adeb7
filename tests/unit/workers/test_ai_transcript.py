"""What counts as said, by whom, and in which session."""

from typing import Any

from qingniao.bots.base import Turn
from qingniao.protocol.frames import Body, Entry, EntryType
from qingniao.workers.attachments import SentFile
from qingniao.workers.transcript import MAX_QUESTION_CHARS, Transcript, read

REOPENED: dict[str, Any] = {"from": "closed", "to": "bot", "why": "wrote_again", "session": 2}


def log(*lines: tuple[str, EntryType, Body]) -> list[Entry]:
    return [Entry(1, seq, 0, who, kind, body) for seq, (who, kind, body) in enumerate(lines, 1)]


ENTRIES = log(
    ("v", EntryType.TEXT, "旧问题"),
    ("s", EntryType.STATUS, REOPENED),
    ("v", EntryType.TEXT, "怎么退货"),
    ("b", EntryType.STEP, {"answers": 3}),
    ("b", EntryType.ANSWER, {"text": "在订单页申请。"}),
    ("a3", EntryType.NOTE, "老客户"),
    ("a3", EntryType.TEXT, "我来看看"),
    ("v", EntryType.FILE, {"id": "f2", "name": "1.png"}),
    ("v", EntryType.RATING, {"score": 5}),
    ("v", EntryType.TEXT, " 运费谁出 "),
    ("v", EntryType.TEXT, "后来的话"),
)


def test_a_transcript_ends_with_what_is_to_be_answered() -> None:
    assert read(ENTRIES, answered=3, asked=10) == Transcript(
        text="运费谁出",
        files=1,
        turns=(
            Turn(role="visitor", text="怎么退货"),
            Turn(role="bot", text="在订单页申请。"),
            Turn(role="agent", text="我来看看"),
        ),
        unseen=(SentFile("f2", "1.png"),),
    )


def test_a_file_is_unseen_until_a_bot_or_a_person_has_answered() -> None:
    picture = ("v", EntryType.FILE, {"id": "f1", "name": "1.png"})
    canned = ("b", EntryType.ANSWER, {"text": "文件已收到。"})
    question = ("v", EntryType.TEXT, "这是什么")
    for between, count in (
        ((canned,), 1),
        ((("b", EntryType.ANSWER, {"text": "是外套。", "bot": "shop"}),), 0),
        ((("a3", EntryType.NOTE, "看过"),), 1),
        ((("a3", EntryType.TEXT, "看到了"),), 0),
        ((("s", EntryType.STATUS, REOPENED),), 0),
        ((picture, picture), 3),
    ):
        entries = log(picture, *between, question)
        told = read(entries, answered=1 + len(between), asked=len(entries))
        assert (len(told.unseen), told.files) == (count, 0)


def test_of_a_very_long_question_the_end_counts() -> None:
    entries = log(("v", EntryType.TEXT, "长" * 4_000), ("v", EntryType.TEXT, "到底退不退"))
    text = read(entries, answered=0, asked=2).text
    assert len(text) == MAX_QUESTION_CHARS
    assert text.endswith("到底退不退")
