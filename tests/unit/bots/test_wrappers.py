"""Each wrapper alone, and all of them around one bot."""

import asyncio
from typing import Any

import pytest
from asking import answer, ask, shown
from scripted_bots import Scripted

from qingniao.bots.base import (
    Action,
    Attachment,
    BotBusy,
    BotError,
    BotMisconfigured,
    BotOverBudget,
    BotTimeout,
    BotUnavailable,
    Done,
    Grounded,
    Query,
    QueryRejected,
    ReplyTruncated,
    Retracted,
    TextDelta,
    Usage,
    Working,
)
from qingniao.bots.wrappers.breaker import CircuitBreaker
from qingniao.bots.wrappers.budget import DAY_S, Budget, MemoryLedger
from qingniao.bots.wrappers.concurrency import Concurrency
from qingniao.bots.wrappers.deadline import Deadline
from qingniao.bots.wrappers.fallback import Fallback
from qingniao.bots.wrappers.idle import IdleTimeout
from qingniao.bots.wrappers.rate import RateLimit
from qingniao.bots.wrappers.retry import Retry
from qingniao.bots.wrappers.stack import Policy, chain, guarded

GROUND, GOOD = Grounded(), TextDelta(text="好")
WHOLE = (GROUND, GOOD, Done(text="好"))
QUERY = Query(conversation=1, text="x")


async def test_silence_is_bounded_and_a_sign_of_life_ends_it() -> None:
    slow = Scripted(GROUND, 0.05, Working(), 0.05, GOOD, 0.05, Done(text="好"))
    assert (await answer(IdleTimeout(slow, idle_s=1.0))).text == "好"
    hung = Scripted(GROUND, GOOD, 60.0)
    with pytest.raises(BotTimeout, match="silent"):
        await ask(IdleTimeout(hung, idle_s=0.02))
    assert hung.under_way == 0


@pytest.mark.parametrize(
    ("steps", "bounds"),
    [((GROUND, GOOD, 60.0), {"idle_s": 0.02}), ((Working(), 0.01) * 500, {"total_s": 0.05})],
    ids=["silent", "pings only"],
)
async def test_bounds_of_whoever_asks_reach_each_bot_of_a_chain(
    steps: tuple[Any, ...], bounds: dict[str, float]
) -> None:
    now_s = [0.0]
    policy, ledger = Policy(idle_s=0, total_s=0, failures=0), MemoryLedger()
    hung = Scripted(GROUND, *steps, name="hung")
    breaker = CircuitBreaker(guarded(hung, policy, ledger), failures=2, clock=lambda: now_s[0])
    spare = guarded(Scripted(*WHOLE, name="spare"), policy, ledger)
    for _ in range(3):
        done = await answer(chain([breaker, spare]), **bounds)
        assert (done.text, done.bot) == ("好", "spare")
        assert [said.partition(":")[0] for said in done.instead_of] == ["hung"]
    assert len(hung.asked) == 2, "one that never answers in time is left alone"


async def test_whole_reply_is_bounded() -> None:
    chatty = Scripted(*([GROUND] + [Working(), 0.02] * 500))
    with pytest.raises(BotTimeout, match="not done"):
        await ask(Deadline(chatty, total_s=0.1))
    assert chatty.under_way == 0
    assert (await answer(Deadline(Scripted(*WHOLE), total_s=1))).text == "好"


async def test_time_of_the_reader_is_not_the_bots() -> None:
    events = []
    async for event in Deadline(Scripted(*WHOLE), total_s=0.05).reply(QUERY):
        events.append(event)
        await asyncio.sleep(0.03)
    assert events == list(WHOLE)


@pytest.mark.parametrize("error", [BotUnavailable(), BotBusy()])
async def test_second_try_answers(error: BotError) -> None:
    bot = Scripted(turns=[[GROUND, error], WHOLE])
    events = await ask(Retry(bot, tries=2, backoff_s=0.001))
    assert events == list(WHOLE)
    assert len(bot.asked) == 2


@pytest.mark.parametrize(
    ("turn", "asked"),
    [
        ([GROUND, GOOD, BotUnavailable()], 1),
        ([GROUND, BotTimeout()], 1),
        ([GROUND, BotMisconfigured()], 1),
        ([GROUND, ReplyTruncated()], 1),
        ([BotBusy(retry_after_s=3_600)], 1),
        ([BotUnavailable()], 3),
    ],
)
async def test_only_what_has_not_begun_is_tried_again(turn: list[object], asked: int) -> None:
    bot = Scripted(*turn)  # type: ignore[arg-type]
    with pytest.raises(BotError):
        await ask(Retry(bot, tries=3, backoff_s=0.001))
    assert len(bot.asked) == asked


async def test_bot_that_says_when_to_come_back_is_believed() -> None:
    bot = Scripted(turns=[[BotBusy(retry_after_s=0.05)], WHOLE])
    loop = asyncio.get_running_loop()
    began = loop.time()
    await ask(Retry(bot, tries=2, backoff_s=0.0001))
    assert loop.time() - began >= 0.05


async def test_so_many_at_once_and_so_many_in_line() -> None:
    bot = Scripted(GROUND, 0.05, Done(text=""))
    limited = Concurrency(bot, at_once=2, waiting=1, wait_s=5)
    told = await asyncio.gather(*(ask(limited) for _ in range(5)), return_exceptions=True)
    assert [isinstance(one, BotBusy) for one in told] == [False] * 3 + [True] * 2
    assert len(await ask(limited)) == 2


async def test_waiting_for_a_place_is_bounded_and_leaving_gives_it_back() -> None:
    bot = Scripted(GROUND, 60.0)
    limited = Concurrency(bot, at_once=1, waiting=5, wait_s=0.02)
    held = asyncio.ensure_future(ask(limited))
    await asyncio.sleep(0)
    with pytest.raises(BotBusy, match="no time"):
        await ask(limited)
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    again = asyncio.ensure_future(ask(limited))
    await asyncio.sleep(0.01)
    assert bot.under_way == 1
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)
    assert bot.under_way == 0


async def test_rate_is_a_bucket() -> None:
    now = [0.0]
    bot = RateLimit(Scripted(*WHOLE), per_minute=60, burst=2, clock=lambda: now[0])
    await ask(bot)
    await ask(bot)
    with pytest.raises(BotBusy) as caught:
        await ask(bot)
    assert 0.9 < caught.value.retry_after_s <= 1.0
    now[0] += 1.0
    await ask(bot)


async def test_breaker_leaves_alone_tries_and_comes_back() -> None:
    now = [0.0]
    bot = Scripted(turns=[[BotUnavailable("down")]] * 4 + [list(WHOLE)])
    breaker = CircuitBreaker(bot, failures=3, open_s=30, clock=lambda: now[0])
    for _ in range(3):
        with pytest.raises(BotUnavailable):
            await ask(breaker)
    assert breaker.state == "open"
    assert "down" in (await breaker.health()).detail
    with pytest.raises(BotUnavailable, match="left alone"):
        await ask(breaker)
    assert len(bot.asked) == 3
    now[0] = 31.0
    assert breaker.state == "trying"
    with pytest.raises(BotUnavailable, match="down"):
        await ask(breaker)
    assert breaker.state == "open"
    now[0] = 62.0
    await ask(breaker)
    assert breaker.state == "closed"
    assert (await breaker.health()).is_ok


async def test_only_one_question_is_the_trial() -> None:
    now = [0.0]
    bot = Scripted(turns=[[BotTimeout()], [GROUND, 0.05, Done(text="")]])
    breaker = CircuitBreaker(bot, failures=1, open_s=1, clock=lambda: now[0])
    with pytest.raises(BotTimeout):
        await ask(breaker)
    now[0] = 2.0
    told = await asyncio.gather(*(ask(breaker) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(one, BotUnavailable) for one in told) == 3
    assert len(bot.asked) == 2


async def test_trial_that_is_left_early_decides_nothing() -> None:
    now = [0.0]
    bot = Scripted(turns=[[BotTimeout()], [GROUND, 60.0], list(WHOLE)])
    breaker = CircuitBreaker(bot, failures=1, open_s=1, clock=lambda: now[0])
    with pytest.raises(BotTimeout):
        await ask(breaker)
    now[0] = 2.0
    left = asyncio.ensure_future(ask(breaker))
    await asyncio.sleep(0.01)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    await ask(breaker)
    assert breaker.state == "closed"


@pytest.mark.parametrize("error", [BotBusy(), QueryRejected()])
async def test_what_is_not_the_bots_fault_opens_nothing(error: BotError) -> None:
    breaker = CircuitBreaker(Scripted(error), failures=1)
    for _ in range(3):
        with pytest.raises(type(error)):
            await ask(breaker)
    assert breaker.state == "closed"


async def test_next_bot_answers_and_half_an_answer_is_taken_back() -> None:
    first = Scripted(GROUND, TextDelta(text="您可"), ReplyTruncated(), name="first")
    second = Scripted(Grounded(confidence=0.9), GOOD, Done(text="好", remote="r"), name="second")
    events = await ask(Fallback([first, second]), remote="dialogue")
    assert Retracted() in events
    assert shown(events) == "好"
    done = events[-1]
    assert isinstance(done, Done)
    assert done.remote == ""
    assert first.asked[0].remote == "dialogue"
    assert second.asked[0].remote == ""


async def test_last_bots_error_is_the_chains() -> None:
    with pytest.raises(BotMisconfigured):
        await ask(Fallback([Scripted(BotTimeout()), Scripted(BotMisconfigured())]))


async def test_bot_that_does_not_know_is_passed_over_if_wanted() -> None:
    silent, second = Scripted(GROUND, Done(text="")), Scripted(*WHOLE)
    assert (await answer(Fallback([silent, second], on_silence=True))).text == "好"
    assert (await answer(Fallback([silent, second]))).text == ""
    acting = Scripted(GROUND, Done(text="", actions=(Action(kind="handoff"),)))
    assert (await answer(Fallback([acting, second], on_silence=True))).actions


async def test_iterator_that_just_stops_is_no_answer() -> None:
    events = await ask(Fallback([Scripted(GROUND, GOOD), Scripted(*WHOLE)]))
    assert shown(events) == "好"


async def test_budget_is_used_up_and_comes_back() -> None:
    now = [float(DAY_S)]
    used = Done(text="好", usage=Usage(prompt_tokens=60, completion_tokens=1, cost=0.5))
    ledger = MemoryLedger()
    bot = Budget(Scripted(GROUND, GOOD, used), ledger, tokens=100, clock=lambda: now[0])
    await ask(bot)
    await ask(bot)
    with pytest.raises(BotOverBudget):
        await ask(bot)
    now[0] += DAY_S
    await ask(bot)
    by_cost = Budget(Scripted(GROUND, GOOD, used), MemoryLedger(), cost=0.4, clock=lambda: now[0])
    await ask(by_cost)
    with pytest.raises(BotOverBudget):
        await ask(by_cost)


async def test_wrappers_refuse_nonsense_at_once() -> None:
    bot = Scripted()
    for make in (
        lambda: IdleTimeout(bot, idle_s=-1), lambda: Deadline(bot, total_s=-1),
        lambda: Retry(bot, tries=0), lambda: Concurrency(bot, at_once=0),
        lambda: RateLimit(bot, per_minute=0), lambda: CircuitBreaker(bot, failures=0),
        lambda: Fallback([]), lambda: Budget(bot, MemoryLedger(), tokens=-1),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"must|needs"):
            make()


async def test_files_are_words_for_bots_that_see_none() -> None:
    inner = Scripted(*WHOLE)
    bot = guarded(inner, Policy(), MemoryLedger())
    files = (Attachment(name="票.png", media_type="image/png", content=b"png"),)
    await ask(bot, "这个呢", files=files)
    await ask(bot, "", files=files, locale="en")
    assert [one.text for one in inner.asked] == [
        "这个呢\n（访客发来文件：票.png）", "(The visitor sent a file: 票.png)",
    ]  # fmt: skip
    assert all(one.files == () for one in inner.asked)


async def test_all_of_them_pass_everything_on() -> None:
    inner = Scripted(*WHOLE, name="inner")
    policy = Policy(per_minute=600, day_tokens=1_000)
    bot = chain(
        [guarded(inner, policy, MemoryLedger()), guarded(Scripted(), policy, MemoryLedger())]
    )
    assert bot.name == "inner"
    assert (await ask(bot)) == list(WHOLE)
    assert (await bot.health()).is_ok
    await bot.close()  # type: ignore[attr-defined]
    assert inner.closed == 1


async def test_leaving_early_reaches_the_bot_through_all_of_them() -> None:
    inner = Scripted(GROUND, GOOD, 60.0)
    bot = guarded(inner, Policy(per_minute=600, day_tokens=9), MemoryLedger())
    events = bot.reply(QUERY)
    assert await anext(events) == GROUND
    await events.aclose()
    assert inner.under_way == 0
