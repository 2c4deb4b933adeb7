"""The local bot's own choices; what all bots promise is in `tests/contract/test_bot.py`."""

from collections.abc import Sequence

import pytest
from msgspec import Struct

from qingniao.bots.base import (
    BotError,
    BotUnavailable,
    Done,
    Grounded,
    Lesson,
    Query,
    ReplyEvent,
    TrainingReport,
)
from qingniao.bots.local import QUOTE_CHARS, Learned, LocalBot
from qingniao.knowledge.entries import Entry

RETURNS = Entry(id="1", title="规则", question="怎么退货", answer="您好，请申请退货。" * 30)
REFUND = Entry(id="2", question="多久退款", answer="一天。", category="退款")


class Seen(Struct, frozen=True):
    entry: Entry
    confidence: float


class Shelf:
    """A retriever that always finds the same."""

    def __init__(self, *found: Seen, version: str = "v1", fails: bool = False) -> None:
        self.found = found
        self.version = version
        self.fails = fails

    def search(self, text: str, *, limit: int = 3) -> Sequence[Seen]:
        if self.fails:
            raise OSError("gone")
        return self.found[:limit]


async def reply(bot: LocalBot) -> tuple[Grounded, Done, list[ReplyEvent]]:
    events = [event async for event in bot.reply(Query(conversation=1, text="退货"))]
    ground, done = events[0], events[-1]
    assert isinstance(ground, Grounded)
    assert isinstance(done, Done)
    return ground, done, events


async def test_sure_answer_is_cited_and_offers_what_else_was_near() -> None:
    ground, done, _ = await reply(LocalBot(Shelf(Seen(RETURNS, 0.9), Seen(REFUND, 0.3))))
    assert ground.confidence == 0.9
    (cite,) = ground.citations
    assert (cite.id, cite.title) == ("1", "规则")
    assert len(cite.quote) == QUOTE_CHARS
    assert cite.quote.endswith("…")
    assert done.text == RETURNS.answer
    assert done.options == ("多久退款",)


async def test_unsure_bot_says_nothing_but_asks_what_was_meant() -> None:
    ground, done, events = await reply(LocalBot(Shelf(Seen(RETURNS, 0.4), Seen(REFUND, 0.1))))
    assert ground == Grounded(confidence=0.4)
    assert done.text == ""
    assert done.options == ("怎么退货",)
    assert len(events) == 2


async def test_title_falls_back_to_category() -> None:
    ground, _, _ = await reply(LocalBot(Shelf(Seen(REFUND, 1.0))))
    assert ground.citations[0].title == "退款"


async def test_failing_index_is_a_temporary_bot_error() -> None:
    with pytest.raises(BotUnavailable) as caught:
        await reply(LocalBot(Shelf(fails=True)))
    assert isinstance(caught.value, BotError)
    assert caught.value.temporary
    assert isinstance(caught.value.__cause__, OSError)


def test_thresholds_out_of_order_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="suggest_at"):
        LocalBot(Shelf(), answer_at=0.2, suggest_at=0.5)


async def test_training_swaps_what_is_searched() -> None:
    async def trainer(lessons: Sequence[Lesson]) -> Learned:
        report = TrainingReport(version="v2", lessons=len(lessons), took_ms=1)
        return Shelf(Seen(REFUND, 1.0), version="v2"), report

    bot = LocalBot(Shelf(Seen(RETURNS, 1.0)), trainer=trainer)
    assert bot.capabilities.trains
    assert (await bot.train([REFUND])).lessons == 1
    assert (await bot.health()).version == "v2"
    assert (await reply(bot))[1].text == REFUND.answer


async def test_failed_training_keeps_the_old_knowledge() -> None:
    async def trainer(lessons: Sequence[Lesson]) -> Learned:
        raise MemoryError

    bot = LocalBot(Shelf(Seen(RETURNS, 1.0)), trainer=trainer)
    with pytest.raises(BotUnavailable):
        await bot.train([REFUND])
    assert (await bot.health()).version == "v1"
