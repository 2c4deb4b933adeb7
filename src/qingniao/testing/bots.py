"""What every bot promises, as checks that anybody can run on theirs, in process or over HTTP.

    python -m qingniao.testing.bots http://127.0.0.1:9000 --ask "how do I return an item"

In pytest, one test for each check:

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    async def test_my_bot(check):
        await check(Made(bot=MyBot(), easy="how do I return an item"))

Rule: a check raises `AssertionError` with a sentence for whoever wrote the bot, and knows nothing
of it but the port.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final

from msgspec import Struct

from qingniao.bots.base import (
    BotError,
    BotService,
    Closing,
    Done,
    Grounded,
    Query,
    ReplyEvent,
    Retracted,
    TextDelta,
    TrainingUnsupported,
    Working,
)
from qingniao.bots.remote import RemoteBot, RemoteSettings
from qingniao.outgoing.client import Outgoing
from qingniao.outgoing.guard import Guard

__all__ = ["CHECKS", "Check", "Made", "main", "run", "told"]

REPLY_S: Final = 60.0
AT_ONCE: Final = 20


class Made(Struct, frozen=True, kw_only=True):
    """A bot, something that it can answer, and something that it cannot."""

    bot: BotService
    easy: str
    foreign: str = "帮我写一首关于月亮的诗"


Check = Callable[[Made], Awaitable[None]]


async def told(bot: BotService, text: str, *, conversation: int = 1) -> list[ReplyEvent]:
    """Everything that a bot says to `text`. Raises `BotError`, `TimeoutError`."""
    query = Query(conversation=conversation, text=text, visitor=f"visitor-{conversation}")
    async with asyncio.timeout(REPLY_S), aclosing(bot.reply(query)) as events:
        return [event async for event in events]


async def grounded_first_and_done_last(made: Made) -> None:
    """A reply begins with `Grounded` and ends with the only `Done`."""
    for text in (made.easy, made.foreign):
        events = await told(made.bot, text)
        assert events, "the reply was empty: it has to end with Done"
        assert isinstance(events[0], Grounded), f"it began with {type(events[0]).__name__}"
        ends = [n for n, event in enumerate(events) if isinstance(event, Done)]
        assert ends == [len(events) - 1], f"Done came at {ends} of {len(events)} events"
        for event in events[1:-1]:
            assert isinstance(event, TextDelta | Retracted | Working), (
                f"{type(event).__name__} came in the middle"
            )


async def pieces_join_to_the_answer(made: Made) -> None:
    """The pieces since the last `Retracted` are the text of `Done`."""
    events = await told(made.bot, made.easy)
    done = events[-1]
    assert isinstance(done, Done)
    assert done.text.strip(), "it knew no answer to what it can answer"
    streamed, pieces = "", 0
    for event in events:
        if isinstance(event, Retracted):
            streamed = ""
        elif isinstance(event, TextDelta):
            assert event.text, "a piece was empty"
            streamed += event.text
            pieces += 1
    assert streamed == done.text, f"streamed {streamed[:60]!r}, then said {done.text[:60]!r}"
    if made.bot.capabilities.streams:
        assert pieces > 1, "it says that it streams, and sent one piece"


async def confidence_tells_known_from_unknown(made: Made) -> None:
    """A bot that measures its confidence is sure of what it knows only."""
    grounds = [(await told(made.bot, text))[0] for text in (made.easy, made.foreign)]
    sure, unsure = (g.confidence for g in grounds if isinstance(g, Grounded))
    if not made.bot.capabilities.measures_confidence:
        assert sure is None, "it tells a confidence and says that it measures none"
        assert unsure is None, "it tells a confidence and says that it measures none"
        return
    assert sure is not None, "it says that it measures its confidence, and told none"
    assert unsure is not None, "it says that it measures its confidence, and told none"
    assert 0.0 <= unsure < 0.5 < sure <= 1.0, f"sure {sure} of the known, {unsure} of the unknown"


async def sources_have_an_id_and_a_title(made: Made) -> None:
    """A bot that cites names its sources, and one that does not, names none."""
    events = await told(made.bot, made.easy)
    ground, done = events[0], events[-1]
    assert isinstance(ground, Grounded)
    assert isinstance(done, Done)
    cited = done.citations or ground.citations
    assert bool(cited) is made.bot.capabilities.cites, f"{len(cited)} sources"
    assert all(one.id and one.title for one in cited), "a source has no id or no title"


STRANGE: Final = ("", " ", "?!", "\0", "\ud83d", "😀" * 50, "退" * 20_000)


async def strange_text_is_answered_or_refused(made: Made) -> None:
    """Whatever a visitor writes ends with `Done` or with a `BotError`, never with anything else."""
    for text in STRANGE:
        try:
            events = await told(made.bot, text)
        except BotError:
            continue
        assert isinstance(events[-1], Done), f"{text[:10]!r} did not end with Done"


async def reply_may_be_left_early(made: Made) -> None:
    """Closing a reply in the middle stops it, and the next one is whole."""
    query = Query(conversation=2, text=made.easy, visitor="visitor-2")
    async with asyncio.timeout(REPLY_S), aclosing(made.bot.reply(query)) as events:
        assert isinstance(await anext(events), Grounded)
    assert isinstance((await told(made.bot, made.easy, conversation=2))[-1], Done)


async def many_at_once_do_not_mix(made: Made) -> None:
    """One object serves many conversations at once."""
    alone = (await told(made.bot, made.easy, conversation=100))[-1]
    assert isinstance(alone, Done)
    together = await asyncio.gather(
        *(told(made.bot, made.easy, conversation=101 + n) for n in range(AT_ONCE))
    )
    for events in together:
        done = events[-1]
        assert isinstance(done, Done)
        assert done.text, "an answer was empty when many asked at once"
        pieces = "".join(e.text for e in events if isinstance(e, TextDelta))
        if not any(isinstance(e, Retracted) for e in events):
            assert pieces == done.text, "answers were mixed up when many asked at once"


async def untrainable_bot_says_so(made: Made) -> None:
    """`train` works, or raises `TrainingUnsupported`, as declared."""
    if made.bot.capabilities.trains:
        return  # what it knows is not ours to replace in a check
    try:
        await made.bot.train(())
    except TrainingUnsupported:
        return
    raise AssertionError("it says that it cannot be trained, and took a training")


async def health_is_told(made: Made) -> None:
    """A bot that answers is well, and has a name."""
    async with asyncio.timeout(REPLY_S):
        health = await made.bot.health()
    assert health.is_ok, f"it answers and says it is not well: {health.detail}"
    assert made.bot.name, "it has no name"


CHECKS: Final[tuple[Check, ...]] = (
    grounded_first_and_done_last,
    pieces_join_to_the_answer,
    confidence_tells_known_from_unknown,
    sources_have_an_id_and_a_title,
    strange_text_is_answered_or_refused,
    reply_may_be_left_early,
    many_at_once_do_not_mix,
    untrainable_bot_says_so,
    health_is_told,
)


async def run(made: Made) -> dict[str, str]:
    """Every check by its name, with what is wrong; empty where nothing is."""
    found = {}
    for check in CHECKS:
        name = getattr(check, "__name__", "check")
        try:
            await check(made)
        except Exception as exc:  # a check that breaks is a check that failed
            found[name] = str(exc) or type(exc).__name__
        else:
            found[name] = ""
    return found


async def _run_remote(settings: RemoteSettings, easy: str, foreign: str) -> dict[str, str]:
    outgoing = Outgoing(Guard(["*"]))
    bot = RemoteBot(outgoing, settings)
    try:
        return await run(Made(bot=bot, easy=easy, foreign=foreign))
    finally:
        if isinstance(bot, Closing):
            await bot.close()
        await outgoing.close()


def main(arguments: list[str] | None = None) -> int:
    """The command; 0 when nothing is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m qingniao.testing.bots",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", help="where the bot's service is")
    parser.add_argument("--ask", required=True, help="something that it can answer")
    parser.add_argument("--foreign", default="帮我写一首关于月亮的诗", help="what it cannot")
    parser.add_argument("--key", default="")
    for flag in ("cites", "measures-confidence"):
        parser.add_argument(f"--{flag}", action="store_true", help="it says that it does")
    given = parser.parse_args(arguments)
    settings = RemoteSettings(
        base_url=given.url, key=given.key, cites=given.cites,
        measures_confidence=given.measures_confidence,
    )  # fmt: skip
    found = asyncio.run(_run_remote(settings, given.ask, given.foreign))
    for name, wrong in found.items():
        mark = "FAILED" if wrong else "ok"
        sys.stdout.write(f"{mark:7} {name.replace('_', ' ')}{': ' + wrong if wrong else ''}\n")
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
