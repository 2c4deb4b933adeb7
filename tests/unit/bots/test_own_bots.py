"""Bots of one's own: the examples keep the contract, and careless services are borne."""

import asyncio
import runpy
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import ClassVar

import pytest
from asking import answer, ask
from scripted_bots import Scripted
from scripted_server import Says, ScriptedServer, says_events, says_json
from serving_house import served

from qingniao.bots.base import (
    Action,
    BotBusy,
    BotError,
    BotGarbled,
    BotMisconfigured,
    BotUnavailable,
    Done,
    FeedbackUnsupported,
    Grounded,
    Query,
    QueryRejected,
    ReplyTruncated,
    Retracted,
    TextDelta,
    TrainingReport,
    TrainingUnsupported,
    Working,
)
from qingniao.bots.http import Endpoint
from qingniao.bots.remote import FAULTS, RemoteBot, RemoteSettings, read_fault
from qingniao.bots.serving import serve
from qingniao.knowledge.entries import Entry
from qingniao.outgoing.client import Outgoing
from qingniao.testing.bots import Made, run

EXAMPLES = Path(__file__).parents[3] / "examples"
DONE = {"type": "done", "text": "好"}


@pytest.fixture
def bot(scripted: ScriptedServer, outgoing: Outgoing) -> RemoteBot:
    return RemoteBot(outgoing, RemoteSettings(base_url=scripted.url, key="k", idle_s=1))


async def test_example_in_process_keeps_the_contract() -> None:
    parrot = runpy.run_path(str(EXAMPLES / "bot_in_process.py"))["ParrotBot"]
    found = await run(Made(bot=parrot(), easy="hello\nthere"))
    assert not any(found.values()), found


@pytest.fixture
async def service() -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / "bot_service.py"), "0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    yield (await process.stdout.readline()).decode().strip()
    process.kill()
    await process.wait()


async def test_example_as_a_service_keeps_the_contract(service: str, outgoing: Outgoing) -> None:
    found = await run(Made(bot=RemoteBot(outgoing, RemoteSettings(base_url=service)), easy="hello"))
    assert not any(found.values()), found


async def test_command_says_what_is_wrong(service: str) -> None:
    command = [sys.executable, "-m", "qingniao.testing.bots", service, "--ask", "hello"]
    for more, status, words in (([], 0, b"ok"), (["--cites"], 1, b"FAILED  sources have an id")):
        process = await asyncio.create_subprocess_exec(
            *command, *more, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert process.returncode == status, out
        assert words in out


async def test_bot_behind_http_is_the_same_bot(outgoing: Outgoing) -> None:
    inner = Scripted(
        Grounded(confidence=0.9), TextDelta(text="您可"), Retracted(), Working(step="查"),
        TextDelta(text="好"),
        Done(text="好", remote="r", options=("还有呢",), version="3", bot="x", instead_of=("y",)),
    )  # fmt: skip
    async with served(serve(inner, key="k")) as url:
        bot = RemoteBot(outgoing, RemoteSettings(base_url=url, key="k"))
        assert await ask(bot, variables={"order": "42"}) == [
            Grounded(confidence=0.9), TextDelta(text="您可"), Retracted(), Working(step="查"),
            TextDelta(text="好"), Done(text="好", remote="r", options=("还有呢",), version="3"),
        ]  # fmt: skip
        assert inner.asked[0].variables == {"order": "42"}
        assert (await bot.health()).is_ok
        wrong = RemoteBot(outgoing, RemoteSettings(base_url=url, key="x"))
        with pytest.raises(BotMisconfigured):
            await ask(wrong)
        assert not (await wrong.health()).is_ok


async def test_ratings_travel(outgoing: Outgoing) -> None:
    class Proud(Scripted):
        heard: ClassVar[list[tuple[str, ...]]] = []

        async def feedback(self, *told: str) -> None:
            self.heard.append(told)

    for inner in (Proud(), Scripted()):
        async with served(serve(inner, key="k")) as url:
            settings = RemoteSettings(base_url=url, key="k", takes_feedback=True)
            bot = RemoteBot(outgoing, settings)
            if isinstance(inner, Proud):
                await bot.feedback("m1", "v7", "bad", "太慢")
                assert Proud.heard == [("m1", "v7", "bad", "太慢")]
            else:
                with pytest.raises(FeedbackUnsupported):
                    await bot.feedback("m1", "v7", "good")
    with pytest.raises(FeedbackUnsupported):
        await RemoteBot(outgoing, RemoteSettings(base_url=url)).feedback("m1", "v7", "good")


@pytest.mark.parametrize("kind", FAULTS.values(), ids=FAULTS)
async def test_errors_travel(outgoing: Outgoing, kind: type[BotError]) -> None:
    inner = Scripted(Grounded(), TextDelta(text="您"), kind("why it is so"))
    async with served(serve(inner)) as url:
        with pytest.raises(kind, match="why it is so") as caught:
            await ask(RemoteBot(outgoing, RemoteSettings(base_url=url)))
    assert type(caught.value) is kind


async def test_what_is_sent_wrongly_is_not_the_bots_failure(
    outgoing: Outgoing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking again would not help, so none of it is `BotUnavailable`."""
    monkeypatch.setattr("qingniao.bots.serving.BODY_BYTES", 1_000)
    async with served(serve(Scripted(Done(text="好")))) as url:
        bot = RemoteBot(outgoing, RemoteSettings(base_url=url, trains=True))
        with pytest.raises(QueryRejected, match="too long"):
            await ask(bot, "退" * 1_000)
        endpoint = Endpoint(outgoing, url, reading=read_fault)
        with pytest.raises(QueryRejected, match="cannot be read"):
            await endpoint.call("POST", "/reply", {"text": 3})
        with pytest.raises(BotMisconfigured, match="nothing here"):
            await endpoint.call("GET", "/elsewhere")


async def test_leaving_early_stops_the_bot_behind_http(outgoing: Outgoing) -> None:
    inner = Scripted(Grounded(), TextDelta(text="您可"), 60.0, Done(text="您可"))
    async with served(serve(inner)) as url:
        bot = RemoteBot(outgoing, RemoteSettings(base_url=url))
        async with aclosing(bot.reply(Query(conversation=1, text="怎么退货？"))) as events:
            assert isinstance(await anext(events), Grounded)
            assert inner.under_way == 1
        async with asyncio.timeout(20):
            while inner.under_way:
                await asyncio.sleep(0.01)


async def test_bot_that_breaks_or_just_stops(outgoing: Outgoing) -> None:
    class Broken(Scripted):
        async def reply(self, query):  # type: ignore[no-untyped-def, override]
            yield Grounded()
            raise RuntimeError("secret")

    for inner, error in ((Broken(), BotUnavailable), (Scripted(Grounded()), ReplyTruncated)):
        async with served(serve(inner)) as url:
            with pytest.raises(error) as caught:
                await ask(RemoteBot(outgoing, RemoteSettings(base_url=url)))
            assert "secret" not in str(caught.value)


CARELESS: dict[str, Says] = {
    "only the end": says_events(DONE),
    "no ground": says_events({"type": "delta", "text": "好"}, DONE),
    "more fields": says_events({"type": "done", "text": "好", "mood": 3}),
    "new events": says_events({"type": "smile"}, DONE),
    "pings": Says(
        (b": ping\n\nevent: ping\n\n", b'data: {"type":"done","text":"\xe5\xa5\xbd"}\n\n')
    ),
    "other text at the end": says_events({"type": "delta", "text": "坏"}, DONE),
    "after the end": says_events(DONE, {"type": "delta", "text": "坏"}),
}


async def test_wishes_travel_also_those_that_nobody_knows(
    bot: RemoteBot, scripted: ScriptedServer
) -> None:
    call = {"kind": "handoff", "name": "售后组", "reason": "赔偿", "mood": 3}
    scripted.will(says_events({"type": "done", "text": "好", "actions": [call, {"kind": "dance"}]}))
    assert (await answer(bot)).actions == (
        Action(kind="handoff", name="售后组", reason="赔偿"),
        Action(kind="dance"),
    )


@pytest.mark.parametrize("name", CARELESS)
async def test_careless_service(bot: RemoteBot, scripted: ScriptedServer, name: str) -> None:
    scripted.will(CARELESS[name])
    events = await ask(bot)
    assert isinstance(events[0], Grounded)
    assert events[-1].text == "好"  # type: ignore[union-attr]
    scripted.will(CARELESS[name])
    await answer(bot)


@pytest.mark.parametrize(
    ("says", "error"),
    [
        (says_events({"type": "delta", "text": "好"}), ReplyTruncated),
        (says_events({"type": "done"}), BotGarbled),
        (says_events({"type": "delta", "text": 3}), BotGarbled),
        (says_events("nonsense"), BotGarbled),
        (says_events({"type": "error", "code": "new_code", "text": "x"}), BotUnavailable),
        (says_events({"type": "error", "code": "bot_busy", "retry_after_s": 2}), BotBusy),
        (says_json({"code": "bot_over_quota", "text": "empty"}, 500), FAULTS["bot_over_quota"]),
        (says_json({}, 404), BotMisconfigured),
    ],
)
async def test_faulty_service(
    bot: RemoteBot, scripted: ScriptedServer, says: Says, error: type[BotError]
) -> None:
    scripted.will(says)
    with pytest.raises(error):
        await ask(bot)


async def test_training_travels(
    scripted: ScriptedServer, outgoing: Outgoing, bot: RemoteBot
) -> None:
    report = {"version": "2", "lessons": 1, "took_ms": 3}
    scripted.by_path["/train"] = says_json(report)
    trained = RemoteBot(outgoing, RemoteSettings(base_url=scripted.url, trains=True))
    lessons = [Entry(id="1", question="问", answer="答", alternatives=("另",))]
    assert await trained.train(lessons) == TrainingReport(version="2", lessons=1, took_ms=3)
    assert scripted.asked[0].json["lessons"][0]["alternatives"] == ["另"]
    with pytest.raises(TrainingUnsupported):
        await bot.train(lessons)
