"""What every bot promises. A new bot joins by a line in `BOTS`; nothing here knows an engine."""

from contextlib import aclosing
from typing import NamedTuple

import pytest

from qingniao import samples
from qingniao.bots.base import (
    BotService,
    Done,
    Grounded,
    Query,
    ReplyEvent,
    Retracted,
    TextDelta,
    TrainingUnsupported,
)
from qingniao.bots.local import LocalBot
from qingniao.knowledge.importing import read_knowledge
from qingniao.knowledge.index import write_index
from qingniao.knowledge.retriever import KnowledgeRetriever


class Made(NamedTuple):
    """A bot, something it can answer and something it cannot."""

    bot: BotService
    easy: str
    foreign: str


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("local")
    write_index(folder, read_knowledge(samples.knowledge_file()).entries)
    retriever = KnowledgeRetriever.open(folder, version="v1")
    return Made(LocalBot(retriever), "怎么退货", "帮我写一首关于月亮的诗")


BOTS = ["local"]


@pytest.fixture(params=BOTS)
def made(request: pytest.FixtureRequest) -> Made:
    found: Made = request.getfixturevalue(request.param)
    return found


async def told(bot: BotService, text: str) -> list[ReplyEvent]:
    async with aclosing(bot.reply(Query(conversation=1, text=text))) as events:
        return [event async for event in events]


async def test_reply_is_grounded_first_and_done_once_at_the_end(made: Made) -> None:
    for text in (made.easy, made.foreign):
        events = await told(made.bot, text)
        assert isinstance(events[0], Grounded)
        assert [n for n, event in enumerate(events) if isinstance(event, Done)] == [len(events) - 1]
        assert all(isinstance(event, TextDelta | Retracted) for event in events[1:-1])


async def test_pieces_join_to_the_answer(made: Made) -> None:
    events = await told(made.bot, made.easy)
    done = events[-1]
    assert isinstance(done, Done)
    assert done.text
    streamed = ""
    for event in events:
        match event:
            case Retracted():
                streamed = ""
            case TextDelta(text=text):
                assert text
                streamed += text
            case _:
                pass
    assert streamed == done.text
    if made.bot.capabilities.streams:
        assert sum(isinstance(event, TextDelta) for event in events) > 1


async def test_confidence_tells_known_from_unknown(made: Made) -> None:
    grounds = [(await told(made.bot, text))[0] for text in (made.easy, made.foreign)]
    assert all(isinstance(ground, Grounded) for ground in grounds)
    sure, unsure = (ground.confidence for ground in grounds if isinstance(ground, Grounded))
    if not made.bot.capabilities.measures_confidence:
        assert sure is unsure is None
        return
    assert sure is not None
    assert unsure is not None
    assert 0.0 <= unsure < 0.5 < sure <= 1.0


async def test_sources_have_an_id_and_a_title(made: Made) -> None:
    ground, *_, done = await told(made.bot, made.easy)
    assert isinstance(ground, Grounded)
    assert isinstance(done, Done)
    cited = done.citations or ground.citations
    assert bool(cited) is made.bot.capabilities.cites
    assert all(one.id and one.title for one in cited)


@pytest.mark.parametrize("text", ["", " ", "?!", "\0", "\ud83d", "😀" * 50, "退" * 20_000])
async def test_strange_text_is_still_a_reply(made: Made, text: str) -> None:
    events = await told(made.bot, text)
    assert isinstance(events[-1], Done)


async def test_reply_may_be_left_early(made: Made) -> None:
    async with aclosing(made.bot.reply(Query(conversation=1, text=made.easy))) as events:
        assert isinstance(await anext(events), Grounded)
    assert isinstance((await told(made.bot, made.easy))[-1], Done)


async def test_untrainable_bot_says_so(made: Made) -> None:
    try:
        await made.bot.train(())
    except TrainingUnsupported:
        assert not made.bot.capabilities.trains
    else:
        assert made.bot.capabilities.trains


async def test_health_is_told(made: Made) -> None:
    health = await made.bot.health()
    assert health.is_ok
    assert made.bot.name
