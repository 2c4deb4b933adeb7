"""The Dify adapter against its double: all kinds of apps, every documented error, repair."""

import asyncio
import json

import pytest
from asking import answer, ask, shown
from doubles_house import StartDouble
from scripted_server import ScriptedServer, says_events, says_json

from qingniao.bots.base import (
    Attachment,
    BotBusy,
    BotError,
    BotGarbled,
    BotMisconfigured,
    BotOverQuota,
    BotUnavailable,
    ConversationGone,
    Grounded,
    InputRequired,
    Query,
    QueryRejected,
    ReplyTruncated,
    TrainingUnsupported,
    Working,
)
from qingniao.bots.dify import DifyBot, DifySettings
from qingniao.bots.dify_faults import read_fault
from qingniao.doubles.dify import APPS, DifyDouble
from qingniao.doubles.dify_faults import FAULTS
from qingniao.doubles.faq import Faq
from qingniao.outgoing.client import Outgoing


@pytest.fixture
async def double(start_double: StartDouble) -> DifyDouble:
    found: DifyDouble = await start_double(DifyDouble)
    return found


def made(double: DifyDouble, outgoing: Outgoing, key: str, **more: object) -> DifyBot:
    app = "workflow" if key.endswith("workflow") else "chat"
    fields = {"key": key, "base_url": double.base_url, "app": app}
    return DifyBot(outgoing, DifySettings(**fields | more))  # type: ignore[arg-type]


@pytest.fixture(params=[app.key for app in APPS])
def bot(request: pytest.FixtureRequest, double: DifyDouble, outgoing: Outgoing) -> DifyBot:
    return made(double, outgoing, request.param)


@pytest.fixture
def chat(double: DifyDouble, outgoing: Outgoing) -> DifyBot:
    return made(double, outgoing, "app-double-chat")


@pytest.fixture
def told(scripted: ScriptedServer, outgoing: Outgoing) -> DifyBot:
    return DifyBot(outgoing, DifySettings(key="k", base_url=scripted.url, idle_s=1))


async def test_answer_of_every_kind_of_app(bot: DifyBot, faq: Faq) -> None:
    done = await answer(bot)
    assert done.text == faq.by_id["s01-01"].answer
    assert done.usage.completion_tokens > 0
    assert bool(done.remote) is bot.capabilities.remembers


@pytest.mark.parametrize("words", ["split", "crlf", "odd", "reasoning", "repeat", "drip:1"])
async def test_odd_wires_give_the_same_answer(bot: DifyBot, faq: Faq, words: str) -> None:
    done = await answer(bot, f"怎么退货？ [[{words}]]")
    assert done.text == faq.by_id["s01-01"].answer


async def test_sources_and_price_are_told(chat: DifyBot) -> None:
    done = await answer(chat)
    assert done.citations
    assert all(cite.id and cite.title and cite.quote for cite in done.citations)
    assert done.usage.cost > 0
    assert done.usage.currency


async def test_dialogue_goes_on_and_is_mended_when_it_is_gone(
    chat: DifyBot, double: DifyDouble, outgoing: Outgoing
) -> None:
    first = await answer(chat)
    second = await answer(chat, "那运费呢", remote=first.remote)
    assert second.remote == first.remote
    third = await answer(chat, "那运费呢", remote="11111111-1111-4111-8111-111111111111")
    assert third.remote not in ("", first.remote)
    # Another visitor's dialogue is none of ours.
    fourth = await answer(chat, "那运费呢", remote=first.remote, visitor="another")
    assert fourth.remote != first.remote


async def test_dialogue_that_is_gone_for_good_is_an_error(
    told: DifyBot, scripted: ScriptedServer
) -> None:
    gone = {"code": "not_found", "message": "Conversation Not Exists.", "status": 404}
    scripted.will(says_json(gone, 404))
    with pytest.raises(ConversationGone):
        await ask(told, remote="old")
    assert [a.json["conversation_id"] for a in scripted.asked] == ["old", ""]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("unauthorized", BotMisconfigured), ("quota", BotOverQuota), ("rate", BotBusy),
        ("error", BotUnavailable), ("error-midway", BotUnavailable), ("truncate", ReplyTruncated),
        ("loop", BotGarbled),
    ],
)  # fmt: skip
async def test_errors_of_every_kind_of_app(bot: DifyBot, words: str, error: type[BotError]) -> None:
    with pytest.raises(error):
        await ask(bot, f"怎么退货？ [[{words}]]")


@pytest.mark.parametrize("app", ["chatflow", "workflow"])
async def test_form_is_nothing_for_a_visitor(
    double: DifyDouble, outgoing: Outgoing, app: str
) -> None:
    with pytest.raises(InputRequired):
        await ask(made(double, outgoing, f"app-double-{app}"), "怎么退货？ [[form]]")


MEANING: dict[type[BotError], set[str]] = {
    BotOverQuota: {"provider_quota_exceeded", "rate_limit_error"},
    BotBusy: {"too_many_requests"},
    ConversationGone: {"conversation_completed"},
    BotUnavailable: {
        "completion_request_error", "internal_server_error", "dataset_not_initialized",
    },
    QueryRejected: {
        "no_file_uploaded", "too_many_files", "filename_not_exists_error", "file_too_large",
        "unsupported_file_type", "file_access_denied",
    },
    BotMisconfigured: {
        "app_unavailable", "not_chat_app", "not_workflow_app", "agent_not_published",
        "provider_not_initialize", "model_currently_not_support", "unauthorized", "forbidden",
        "workflow_version_execution_not_allowed",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_every_documented_error_is_understood(name: str) -> None:
    (status, message), code = FAULTS[name], name.partition(".")[0]
    error = read_fault(status, {"code": code, "message": message, "status": status}, 0.0)
    assert error is not None
    sentence = str(error)
    assert sentence.endswith((".", message)) or message in sentence
    assert "HTTP" not in sentence or code in ("bad_request", "invalid_param")
    for kind, codes in MEANING.items():
        if code in codes:
            assert type(error) is kind


@pytest.mark.parametrize("name", ["app_unavailable", "provider_not_initialize", "not_chat_app"])
async def test_error_reaches_the_person_in_a_sentence(chat: DifyBot, name: str) -> None:
    with pytest.raises(BotMisconfigured) as caught:
        await ask(chat, f"怎么退货？ [[error:{name}]]")
    assert "Dify" in str(caught.value) or "choose that kind" in str(caught.value)


async def test_moderation_takes_back_what_was_said(chat: DifyBot) -> None:
    events = await ask(chat, "怎么退货？ [[retract]]")
    done = await answer(chat, "怎么退货？ [[retract]]")
    assert shown(events) == done.text


async def test_picture_of_the_answer_is_a_link(chat: DifyBot) -> None:
    assert "http" in (await answer(chat, "怎么退货？ [[file]]")).text


async def test_files_go_along(chat: DifyBot, double: DifyDouble) -> None:
    files = (
        Attachment(name="票.png", media_type="image/png", content=b"\x89PNG\r\n\x1a\n"),
        Attachment(name="a.pdf", media_type="application/pdf", url="https://x.example/a.pdf"),
    )
    assert "收到 2 个文件" in (await answer(chat, files=files)).text
    # One that Dify does not take, and one of which only the name is known.
    double.play("error:file_too_large", times=1, path="/files/upload")
    large = Attachment(name="大.mp4", media_type="")
    await answer(chat, files=(files[0], large))
    asked = json.loads(double.exchanges[-1].request.body)
    assert "files" not in asked
    assert asked["query"] == "怎么退货？\n（访客发来文件：票.png）\n（访客发来文件：大.mp4）"


async def test_leaving_early_stops_the_work_there(chat: DifyBot, double: DifyDouble) -> None:
    events = chat.reply(Query(conversation=1, text="怎么退货？ [[drip:50]]", visitor="v"))
    assert isinstance(await anext(events), Grounded)
    await anext(events)
    await events.aclose()
    await chat.close()
    stops = [one for one in double.exchanges if one.request.path.endswith("/stop")]
    assert [stop.status for stop in stops] == [200]
    assert b'"user":"v"' in stops[0].request.body


async def test_whole_answer_stops_nothing(chat: DifyBot, double: DifyDouble) -> None:
    await answer(chat)
    await chat.close()
    assert not [one for one in double.exchanges if one.request.path.endswith("/stop")]


async def test_feedback(chat: DifyBot, double: DifyDouble) -> None:
    done = await answer(chat)
    await chat.feedback(done.message, "v7", "good")
    await chat.feedback(done.message, "v7", "none")
    with pytest.raises(BotMisconfigured):
        await chat.feedback("11111111-1111-4111-8111-111111111111", "v7", "bad", "wrong")


async def test_health_knows_the_kind_of_app(
    bot: DifyBot, double: DifyDouble, outgoing: Outgoing
) -> None:
    assert (await bot.health()).is_ok
    key = bot._settings.key
    other = "chat" if bot._settings.app == "workflow" else "workflow"
    health = await made(double, outgoing, key, app=other).health()
    assert not health.is_ok
    assert "choose that kind" in health.detail
    wrong = await made(double, outgoing, "app-wrong").health()
    assert not wrong.is_ok
    assert "key" in wrong.detail


@pytest.mark.parametrize(
    ("outputs", "setting", "text"),
    [
        ({"text": "好"}, "", "好"),
        ({"whatever": "好"}, "", "好"),
        ({"a": "x", "answer": "好", "n": 3}, "", "好"),
        ({"a": "好", "b": "x"}, "a", "好"),
        ({"a": "好", "b": 3}, "b", "3"),
        ({}, "", "stream"),
        ({"n": 3}, "", "stream"),
    ],
)
async def test_workflow_answer_is_found_among_its_outputs(
    scripted: ScriptedServer,
    outgoing: Outgoing,
    outputs: dict[str, object],
    setting: str,
    text: str,
) -> None:
    scripted.will(
        says_events(
            {"event": "text_chunk", "task_id": "t", "data": {"text": "stream"}},
            {"event": "workflow_finished", "data": {"status": "succeeded", "outputs": outputs}},
        )
    )
    settings = DifySettings(
        key="k", base_url=scripted.url, app="workflow", question="frage", answer=setting
    )
    done = await answer(DifyBot(outgoing, settings), variables={"order": "42"})
    assert done.text == text
    assert scripted.asked[0].json["inputs"] == {"order": "42", "frage": "怎么退货？"}


@pytest.mark.parametrize(
    ("outputs", "setting"), [({"a": "x", "b": "y"}, ""), ({"a": "x"}, "missing")]
)
async def test_workflow_without_a_clear_answer_says_what_to_set(
    scripted: ScriptedServer, outgoing: Outgoing, outputs: dict[str, object], setting: str
) -> None:
    scripted.will(
        says_events(
            {"event": "workflow_finished", "data": {"status": "succeeded", "outputs": outputs}}
        )
    )
    settings = DifySettings(key="k", base_url=scripted.url, app="workflow", answer=setting)
    with pytest.raises(BotMisconfigured, match="output"):
        await ask(DifyBot(outgoing, settings))


async def test_unknown_events_and_pings_are_signs_of_life(
    told: DifyBot, scripted: ScriptedServer
) -> None:
    scripted.will(
        says_events(
            {"event": "brand_new", "x": 1},
            {"event": "node_started", "data": {"title": "知识检索"}},
            {"event": "message", "answer": "好", "message_id": "m", "conversation_id": "c"},
            {"event": "message_end", "metadata": None, "message_id": "m"},
        )
    )
    events = await ask(told)
    assert Working(step="知识检索") in events
    assert shown(events) == "好"


async def test_two_visitors_do_not_share_a_dialogue(chat: DifyBot) -> None:
    one, two = await asyncio.gather(answer(chat, visitor="a"), answer(chat, visitor="b"))
    assert one.remote != two.remote


async def test_training_is_declined(chat: DifyBot) -> None:
    with pytest.raises(TrainingUnsupported, match="in Dify"):
        await chat.train(())
