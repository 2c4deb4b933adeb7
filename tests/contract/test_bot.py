"""What every bot promises. A new bot joins by a fixture and a line in `BOTS`; the checks are those
that third parties run on theirs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from doubles_house import StartDouble
from serving_house import served

from qingniao import samples
from qingniao.bots.base import BotService, Closing
from qingniao.bots.coze import CozeBot, CozeSettings
from qingniao.bots.dify import DifyBot, DifySettings
from qingniao.bots.fastgpt import FastGPTBot, FastGPTSettings
from qingniao.bots.local import LocalBot
from qingniao.bots.openai import OpenAIBot, OpenAISettings
from qingniao.bots.remote import RemoteBot, RemoteSettings
from qingniao.bots.serving import serve
from qingniao.bots.wrappers.budget import MemoryLedger
from qingniao.bots.wrappers.stack import Policy, chain, guarded
from qingniao.doubles.coze import CozeDouble
from qingniao.doubles.coze_auth import PAT
from qingniao.doubles.coze_records import BOTS as BOTS_OF_COZE
from qingniao.doubles.dify import DifyDouble
from qingniao.doubles.fastgpt import FastGPTDouble
from qingniao.doubles.openai import OpenAIDouble
from qingniao.doubles.openai_dialects import DIALECTS
from qingniao.knowledge.importing import read_knowledge
from qingniao.knowledge.index import write_index
from qingniao.knowledge.retriever import KnowledgeRetriever
from qingniao.outgoing.client import Outgoing
from qingniao.testing.bots import CHECKS, Check, Made, run

EASY = "怎么退货？"


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeRetriever:
    folder: Path = tmp_path_factory.mktemp("local")
    write_index(folder, read_knowledge(samples.knowledge_file()).entries)
    return KnowledgeRetriever.open(folder, version="v1")


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@asynccontextmanager
async def remote(local: LocalBot, outgoing: Outgoing) -> AsyncIterator[RemoteBot]:
    """The local bot, as a service of its own."""
    async with served(serve(local, key="k")) as url:
        settings = RemoteSettings(base_url=url, key="k", cites=True, measures_confidence=True)
        yield RemoteBot(outgoing, settings)


async def dify(start_double: StartDouble, outgoing: Outgoing, key: str) -> DifyBot:
    double = await start_double(DifyDouble)
    app = "workflow" if key.endswith("workflow") else "chat"
    settings = DifySettings(
        key=key, base_url=double.base_url, app=app, cites=key != "app-double-new-agent"
    )
    return DifyBot(outgoing, settings)


async def fastgpt(start_double: StartDouble, outgoing: Outgoing) -> FastGPTBot:
    double = await start_double(FastGPTDouble)
    settings = FastGPTSettings(key="fastgpt-double-chat", base_url=double.base_url)
    return FastGPTBot(outgoing, settings)


async def coze(start_double: StartDouble, outgoing: Outgoing, streams: bool) -> CozeBot:
    double = await start_double(CozeDouble)
    number = next(bot.id for bot in BOTS_OF_COZE.values() if bot.is_published)
    settings = CozeSettings(
        bot=number, token=PAT, base_url=double.url, streams=streams, poll_s=0.01
    )
    return CozeBot(outgoing, settings)


async def openai(start_double: StartDouble, outgoing: Outgoing, dialect: str) -> OpenAIBot:
    double = await start_double(OpenAIDouble, dialect=dialect)
    settings = OpenAISettings(
        model=double.dialect.models[0], base_url=double.base_url, key=double.key
    )
    return OpenAIBot(outgoing, settings)


BOTS = [
    "local",
    "remote",
    "guarded",
    "fastgpt",
    "coze:stream",
    "coze:poll",
    *(f"openai:{dialect}" for dialect in sorted(DIALECTS)),
    *(f"dify:app-double-{app}" for app in ("chat", "agent", "new-agent", "chatflow", "workflow")),
]


@pytest.fixture(params=BOTS)
async def made(
    request: pytest.FixtureRequest,
    retriever: KnowledgeRetriever,  # read from disk before there is a loop
    start_double: StartDouble,
    outgoing: Outgoing,
    stack: AsyncExitStack,
) -> AsyncIterator[Made]:
    bot: BotService
    kind, _, which = request.param.partition(":")
    if kind == "openai":
        bot = await openai(start_double, outgoing, which)
    elif kind == "dify":
        bot = await dify(start_double, outgoing, which)
    elif kind == "fastgpt":
        bot = await fastgpt(start_double, outgoing)
    elif kind == "coze":
        bot = await coze(start_double, outgoing, streams=which == "stream")
    elif kind == "guarded":
        local = LocalBot(retriever)
        bot = guarded(
            chain([local, local]), Policy(per_minute=1e6, day_tokens=10**9), MemoryLedger()
        )
    elif kind == "remote":
        bot = await stack.enter_async_context(remote(LocalBot(retriever), outgoing))
    else:
        bot = LocalBot(retriever)
    yield Made(bot=bot, easy=EASY)
    if isinstance(bot, Closing):
        await bot.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_bot(made: Made, check: Check) -> None:
    await check(made)


async def test_checks_find_what_is_wrong(retriever: KnowledgeRetriever) -> None:
    """A bot that lies about itself is found out, and the report says by which check."""

    class Liar(LocalBot):
        async def reply(self, query):  # type: ignore[no-untyped-def, override]
            async for event in super().reply(query):
                yield event
            raise RuntimeError

    found = await run(Made(bot=Liar(retriever), easy=EASY))
    assert found["grounded_first_and_done_last"] == "RuntimeError"
    assert found["untrainable_bot_says_so"] == ""
