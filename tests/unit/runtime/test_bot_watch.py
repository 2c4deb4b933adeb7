"""What bots do is counted without anybody waiting for it."""

from collections.abc import Mapping, Sequence

import pytest

from qingniao.bots.base import BotTimeout, Done, Grounded, Query, TextDelta, Usage
from qingniao.bots.figures import read_figures
from qingniao.bots.simple import SimpleBot
from qingniao.bots.wrappers.measured import Measured, Tally
from qingniao.errors import StorageError
from qingniao.runtime.bot_watch import SUMS, BotWatch
from qingniao.storage.bot_records import BotFailure, BotRecords
from qingniao.storage.rollups import Rollup

HOUR_MS = 3_600_000


class Records(BotRecords):
    """In memory, and away when told."""

    def __init__(self) -> None:
        self.amounts: list[Rollup] = []
        self.failed: dict[str, BotFailure] = {}
        self.is_away = False

    async def add(self, amounts: Sequence[Rollup], failures: Mapping[str, BotFailure]) -> None:
        if self.is_away:
            raise StorageError("The database is away.")
        self.amounts += amounts
        self.failed |= failures

    def of(self, metric: str) -> float:
        return sum(amount.value for amount in self.amounts if amount.metric == metric)


class Watched:
    """A watch whose clocks stand still until they are moved."""

    def __init__(self) -> None:
        self.records = Records()
        self.now_ms = 5 * HOUR_MS
        self.timer_s = 100.0
        self.watch = BotWatch(self.records, lambda: self.now_ms)

    async def ask(self, bot: SimpleBot) -> None:
        measured = Measured(bot, Tally(), self.watch, lambda: self.timer_s)
        async for _ in measured.reply(Query(conversation=1, text="x")):
            pass


@pytest.fixture
def house() -> Watched:
    return Watched()


async def test_first_words_and_whole_answer_are_timed(house: Watched) -> None:
    class Slow(SimpleBot):
        name = "slow"

        async def reply(self, query: Query):  # type: ignore[no-untyped-def]
            yield Grounded()
            house.timer_s += 0.4
            yield TextDelta(text="a")
            house.timer_s += 2
            yield Done(text="a", usage=Usage(prompt_tokens=3, cost=0.5, currency="CNY"))

    await house.ask(Slow())
    await house.watch.flush()
    assert {(amount.hour, amount.label) for amount in house.records.amounts} == {(5, "slow")}
    figures = read_figures({a.metric: a.value for a in house.records.amounts})
    assert 300 < figures.first_p50_ms <= 500
    assert (figures.took_ms, figures.tokens, figures.cost) == (2_400, 3, {"CNY": 0.5})


async def test_who_fails_is_counted_with_the_reason(house: Watched) -> None:
    class Gone(SimpleBot):
        name = "gone"

        async def reply(self, query: Query):  # type: ignore[no-untyped-def]
            yield Grounded()
            raise BotTimeout("x.cn stayed silent for too long.")

    for _ in range(2):
        with pytest.raises(BotTimeout):
            await house.ask(Gone())
        house.now_ms += 1
    await house.watch.flush()
    assert house.records.of("bot_failed") == 2
    failure = house.records.failed["gone"]
    assert (failure.code, failure.time) == ("bot_timeout", 5 * HOUR_MS + 1)


async def test_what_cannot_be_written_is_written_later(house: Watched) -> None:
    class Quick(SimpleBot):
        name = "quick"

        async def reply(self, query: Query):  # type: ignore[no-untyped-def]
            yield Grounded()
            yield Done(text="a")

    house.records.is_away = True
    await house.ask(Quick())
    await house.watch.flush()
    house.now_ms += HOUR_MS
    await house.ask(Quick())
    await house.watch.flush()
    house.records.is_away = False
    await house.watch.flush()
    await house.watch.flush()
    assert house.records.of("bot_answers") == 2
    assert {amount.hour for amount in house.records.amounts} == {5, 6}


async def test_sums_are_bounded_while_the_database_is_away(house: Watched) -> None:
    house.records.is_away = True
    for number in range(SUMS):
        house.watch.failed(f"b{number}", BotTimeout())
        house.watch.failed(f"c{number}", BotTimeout())
    await house.watch.flush()
    house.records.is_away = False
    await house.watch.flush()
    assert len(house.records.amounts) == SUMS
    assert len(house.records.failed) <= SUMS
