"""The figures of bots: each reply counts once, for the bot that gave it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from asking import ask
from scripted_bots import Scripted

from qingniao.bots.base import (
    BotBusy,
    BotError,
    BotUnavailable,
    Done,
    Grounded,
    Query,
    ReplyEvent,
    TextDelta,
    Usage,
)
from qingniao.bots.wrappers.budget import MemoryLedger
from qingniao.bots.wrappers.measured import BOTS, Figures
from qingniao.bots.wrappers.stack import Policy, chain, guarded
from qingniao.metrics import Metrics

WHOLE = (
    Grounded(), TextDelta(text="好"),
    Done(text="好", usage=Usage(prompt_tokens=7, completion_tokens=2)),
)  # fmt: skip


class Broken(Scripted):
    """A plugin with a fault."""

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        yield Grounded()
        raise ZeroDivisionError


def page(figures: Figures) -> dict[str, float]:
    """What a scrape says, without the prefix and histograms' buckets."""
    metrics = Metrics()
    metrics.add(figures.readings)
    lines = metrics.render().decode().splitlines()
    told = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {
        name.removeprefix("qingniao_bot_"): float(value)
        for name, value in told
        if "_bucket" not in name
    }


async def test_answers_failures_and_those_left_are_counted_for_each_bot() -> None:
    figures = Figures()
    ledger = MemoryLedger()
    policy = Policy(tries=1, failures=2)
    bad = figures.measured(guarded(Scripted(BotUnavailable(), name="bad"), policy, ledger))
    good = figures.measured(guarded(Scripted(*WHOLE, name="good"), policy, ledger))
    for _ in range(3):
        await ask(chain([bad, good]))
    async with aclosing(good.reply(Query(conversation=1, text="x"))) as events:
        await anext(events)
        assert page(figures)['replies{bot="good"}'] == 1
    told = page(figures)
    assert told['answers_total{bot="good"}'] == 3
    assert told['answers_total{bot="bad"}'] == 0
    assert told['failures_total{bot="bad",code="bot_unavailable"}'] == 3
    assert told['left_total{bot="good"}'] == 1
    assert told['replies{bot="good"}'] == 0
    assert (told['left_alone{bot="bad"}'], told['left_alone{bot="good"}']) == (1, 0)
    assert told['tokens_total{bot="good",kind="prompt"}'] == 21
    assert told['tokens_total{bot="good",kind="completion"}'] == 6
    assert told['first_ms_count{bot="good"}'] == told['answer_ms_count{bot="good"}'] == 3


async def test_refusal_of_a_policy_and_a_bot_that_raises_anything_are_failures() -> None:
    figures = Figures()
    busy = figures.measured(Scripted(BotBusy(), name="busy"))
    broken = figures.measured(Broken(name="broken"))
    with pytest.raises(BotError):
        await ask(busy)
    with pytest.raises(ZeroDivisionError):
        await ask(broken)
    told = page(figures)
    assert told['failures_total{bot="busy",code="bot_busy"}'] == 1
    assert told['failures_total{bot="broken",code="bot"}'] == 1


async def test_one_that_takes_anothers_place_goes_on_with_its_figures() -> None:
    figures = Figures()
    for _ in range(2):
        await ask(figures.measured(Scripted(*WHOLE, name="shop")))
    assert page(figures)['answers_total{bot="shop"}'] == 2


async def test_labels_are_bounded() -> None:
    figures = Figures()
    for number in range(BOTS + 20):
        await ask(figures.measured(Scripted(*WHOLE, name=f"b{number}")))
    told = page(figures)
    assert sum(name.startswith("answers_total") for name in told) == BOTS + 1
    assert told['answers_total{bot="other"}'] == 20
