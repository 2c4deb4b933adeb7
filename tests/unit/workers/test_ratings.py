"""Ratings of single answers on their way to the platforms: told within bounds, on record, and never
in anybody's way."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from ai_house import MemoryLog, ScriptedBot

from qingniao.bots.base import (
    BotMisconfigured,
    BotService,
    BotUnavailable,
    FeedbackUnsupported,
)
from qingniao.chat.intake import Decision, Intent, Message, Outcome
from qingniao.chat.ports import Role
from qingniao.errors import StorageError
from qingniao.protocol.frames import EntryType
from qingniao.workers.ratings import RatingLimits, Ratings

CONVERSATION = 7
LIMITS = RatingLimits(try_s=0.05, pauses_s=(0.0, 0.0))


class Log(MemoryLog):
    """Remembers which marks were cleared."""

    def __init__(self) -> None:
        super().__init__()
        self.cleared: list[tuple[Role, int]] = []

    async def clear(self, role: Role, seen: Iterable[tuple[int, int]]) -> None:
        self.cleared += [(role, seq) for _, seq in seen]


class Rated(ScriptedBot):
    """A bot whose platform takes ratings in the ways of its script."""

    def __init__(self, *ways: BaseException | float, name: str = "shop") -> None:
        super().__init__(name=name)
        self.ways = list(ways)
        self.told: list[tuple[str, str, str, str]] = []
        self.tried = 0

    async def feedback(self, message: str, visitor: str, verdict: str, comment: str = "") -> None:
        self.tried += 1
        way = self.ways.pop(0) if self.ways else 0.0
        if isinstance(way, BaseException):
            raise way
        await asyncio.sleep(way)
        self.told.append((message, visitor, verdict, comment))


class Desk:
    """One conversation with one answer, and who tells what was thought of it."""

    def __init__(self, bot: BotService | None, *, message: str = "m1") -> None:
        self.log = Log()
        self.bot = bot
        self.refusals: list[Exception] = []
        self.ratings = Ratings(self.log, self.submit, self.find, LIMITS)  # type: ignore[arg-type]
        self.sent = 0
        self.say("怎么退货", EntryType.TEXT)
        named = {"bot": "shop", "id": message} if message else {}
        says = ((EntryType.ANSWER, {"text": "七天内", "bot": "shop"}),)
        self.log.commit(Outcome(CONVERSATION, 1, 1, says, message=named))

    def find(self, bot: str) -> BotService:
        if self.bot is None:
            raise BotMisconfigured("There is no such bot.")
        return self.bot

    async def submit(self, intent: Intent) -> Decision:
        if self.refusals:
            raise self.refusals.pop(0)
        return self.log.commit(intent)

    def say(self, body: Any, kind: int = EntryType.RATING) -> None:
        self.sent += 1
        self.log.commit(Message(CONVERSATION, "v", "tab", self.sent, kind, body, "visitor-1"))

    async def tell(self, *bodies: dict[str, Any]) -> Sequence[dict[str, Any]]:
        """The visitor rates; the trace of what became of it."""
        for body in bodies:
            self.say(body)
        self.ratings.begin(self.log.heads[CONVERSATION])
        self.ratings.begin(self.log.heads[CONVERSATION])
        async with asyncio.timeout(5):
            while self.ratings._under_way:
                await asyncio.sleep(0.005)
        last = self.log.stored[CONVERSATION][-1]
        trace: list[dict[str, Any]] = (
            last.body.get("trace", []) if isinstance(last.body, dict) else []
        )
        return trace


async def test_platform_is_told_and_the_log_says_so() -> None:
    bot = Rated()
    desk = Desk(bot)
    comment = {"score": 1, "of": 3, "comment": "不对"}
    (stage,) = await desk.tell({"score": 5, "of": 3}, comment)
    assert bot.told == [("m1", "visitor-1", "bad", "不对")], "the last word counts"
    assert stage == {"kind": "rating", "port": "told", "of": 3, "verdict": "bad", "bot": "shop"}
    assert desk.log.heads[CONVERSATION].rated == ()
    assert desk.log.cleared == [(Role.AI, 6)]
    await desk.tell({"score": 0, "of": 3})
    assert bot.told[-1][2] == "none"


@pytest.mark.parametrize(
    ("ways", "port", "tried"),
    [
        ((BotUnavailable(), 60.0), "told", 3),
        ((BotUnavailable(), BotUnavailable(), BotUnavailable()), "untold", 3),
        ((60.0, 60.0, 60.0), "untold", 3),
        ((BotMisconfigured("The key is wrong."),), "untold", 1),
        ((ZeroDivisionError(),), "untold", 1),
        ((FeedbackUnsupported("Not here."),), "kept", 1),
    ],
    ids=["late", "down", "hangs", "refused", "broken", "unwanted"],
)
async def test_tries_are_bounded_and_what_failed_is_on_record(
    ways: tuple[Any, ...], port: str, tried: int
) -> None:
    bot = Rated(*ways)
    desk = Desk(bot)
    (stage,) = await desk.tell({"score": 5, "of": 3})
    assert (stage["port"], bot.tried) == (port, tried)
    assert bool(stage.get("reason")) == (port != "told")
    assert not desk.log.heads[CONVERSATION].owes_bot


@pytest.mark.parametrize(
    ("bot", "message", "of"),
    [
        (ScriptedBot(name="shop"), "m1", 3),
        (Rated(name="another"), "m1", 3),
        (Rated(), "", 3),
        (Rated(), "m1", 1),
    ],
    ids=["takes none", "its stand-in", "nameless answer", "no answer at all"],
)
async def test_what_concerns_no_platform_stays_here(
    bot: ScriptedBot, message: str, of: int
) -> None:
    (stage,) = await Desk(bot, message=message).tell({"score": 5, "of": of})
    assert stage["port"] == "kept"
    assert getattr(bot, "told", []) == []


async def test_bot_that_is_gone_is_on_record() -> None:
    (stage,) = await Desk(None).tell({"score": 5, "of": 3})
    assert stage["port"] == "untold"


async def test_what_could_not_be_stored_is_told_again_later() -> None:
    desk = Desk(Rated())
    desk.refusals.append(StorageError())
    await desk.tell({"score": 5, "of": 3})
    assert desk.log.heads[CONVERSATION].rated == (4,)
    assert desk.log.cleared == []
    (stage,) = await desk.tell()
    assert stage["port"] == "told"


async def test_the_end_of_the_process_ends_the_tries() -> None:
    desk = Desk(Rated(60.0))
    running = asyncio.ensure_future(desk.ratings.run())
    desk.say({"score": 5, "of": 3})
    desk.ratings.begin(desk.log.heads[CONVERSATION])
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not desk.ratings._under_way
    assert desk.log.heads[CONVERSATION].rated == (4,)
