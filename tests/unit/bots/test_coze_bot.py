"""The Coze adapter: recorded streams exactly, and the double as stream, by polling and by OAuth."""

import base64
import json
import time
from pathlib import Path

import pytest
from asking import answer, ask, shown
from doubles_house import StartDouble
from scripted_server import Says, ScriptedServer, says_json

from qingniao.bots.base import (
    Attachment,
    BotBusy,
    BotError,
    BotGarbled,
    BotMisconfigured,
    BotOverQuota,
    BotUnavailable,
    Grounded,
    InputRequired,
    Query,
    ReplyTruncated,
    TrainingUnsupported,
)
from qingniao.bots.coze import CozeBot, CozeSettings
from qingniao.bots.coze_auth import CozeApp, JwtTokens, signed
from qingniao.bots.coze_faults import read_fault
from qingniao.doubles.coze import CozeDouble
from qingniao.doubles.coze_auth import APP_ID, KEY_ID, PAT, private_key_pem
from qingniao.doubles.coze_records import BOTS
from qingniao.doubles.faq import Faq
from qingniao.outgoing.client import Outgoing

RECORDED = Path(__file__).parents[2] / "data/coze"
BOT = next(bot.id for bot in BOTS.values() if bot.is_published)


@pytest.fixture
async def double(start_double: StartDouble) -> CozeDouble:
    found: CozeDouble = await start_double(CozeDouble)
    return found


def made(double: CozeDouble, outgoing: Outgoing, **more: object) -> CozeBot:
    fields = {"bot": BOT, "token": PAT, "base_url": double.url, "poll_s": 0.01}
    return CozeBot(outgoing, CozeSettings(**fields | more))  # type: ignore[arg-type]


@pytest.fixture
def app() -> CozeApp:
    return CozeApp(app=APP_ID, key_id=KEY_ID, private_key=private_key_pem())


@pytest.fixture(params=["stream", "poll"])
def bot(request: pytest.FixtureRequest, double: CozeDouble, outgoing: Outgoing) -> CozeBot:
    return made(double, outgoing, streams=request.param == "stream")


@pytest.fixture
def told(scripted: ScriptedServer, outgoing: Outgoing) -> CozeBot:
    settings = CozeSettings(bot="b", token="t", base_url=scripted.url, idle_s=1, poll_s=0.01)
    return CozeBot(outgoing, settings)


def recorded(name: str) -> Says:
    return Says(((RECORDED / f"{name}.txt").read_bytes(),))


async def test_recorded_chat(told: CozeBot, scripted: ScriptedServer) -> None:
    scripted.will(recorded("chat_text_stream_resp"))
    events = await ask(told)
    done = await answer(told)
    # In the recording the pieces are an excerpt; what the message said at its end is the answer.
    assert done.text == shown(events) == "2024 年 10 月 1 日是星期三。"
    assert done.remote == "7381473525342978089"
    assert done.message == "7381473525342978089/7382159494123470858"
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (614, 19)


async def test_recorded_workflow_chat(told: CozeBot, scripted: ScriptedServer) -> None:
    scripted.will(recorded("workflows_chat_stream_resp"))
    done = await answer(told)
    assert done.text == "I'm fine, thank you. How about you?"
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (21, 11)


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("chat_failed_resp", BotUnavailable, "event interval error"),
        ("chat_error_resp", BotUnavailable, "failed"),
        ("chat_invalid_resp", ReplyTruncated, "not a whole answer"),
    ],
)
async def test_recorded_failures(
    told: CozeBot, scripted: ScriptedServer, name: str, error: type[BotError], sentence: str
) -> None:
    scripted.will(recorded(name))
    with pytest.raises(error, match=sentence):
        await ask(told)


async def test_recorded_chat_byte_by_byte(told: CozeBot, scripted: ScriptedServer) -> None:
    whole = (RECORDED / "chat_text_stream_resp.txt").read_bytes()
    scripted.will(Says(tuple(whole[n : n + 7] for n in range(0, len(whole), 7))))
    assert (await answer(told)).text == "2024 年 10 月 1 日是星期三。"


async def test_answer(bot: CozeBot, faq: Faq) -> None:
    done = await answer(bot)
    assert done.text == faq.by_id["s01-01"].answer
    assert done.usage.completion_tokens > 0
    assert done.remote
    assert done.options


@pytest.mark.parametrize(
    "words", ["split", "crlf", "odd", "reasoning", "repeat", "drip:1", "tools"]
)
async def test_odd_wires_give_the_same_answer(bot: CozeBot, faq: Faq, words: str) -> None:
    done = await answer(bot, f"怎么退货？ [[{words}]]")
    assert done.text == faq.by_id["s01-01"].answer


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("unauthorized", BotMisconfigured), ("quota", BotOverQuota), ("rate", BotBusy),
        ("busy", BotBusy), ("error", BotUnavailable), ("error-midway", BotUnavailable),
        ("form", InputRequired), ("loop", BotGarbled),
    ],
)  # fmt: skip
async def test_errors(bot: CozeBot, words: str, error: type[BotError]) -> None:
    with pytest.raises(error):
        await ask(bot, f"怎么退货？ [[{words}]]")


async def test_stream_that_ends_early_is_no_answer(double: CozeDouble, outgoing: Outgoing) -> None:
    with pytest.raises(ReplyTruncated):
        await ask(made(double, outgoing), "怎么退货？ [[truncate]]")


async def test_dialogue_goes_on(bot: CozeBot) -> None:
    first = await answer(bot)
    assert (await answer(bot, "那运费呢", remote=first.remote)).remote == first.remote


async def test_dialogue_that_is_gone_begins_anew(told: CozeBot, scripted: ScriptedServer) -> None:
    gone = {"code": 4200, "msg": "Requested resource conversation_id=old does not exist."}
    scripted.will(says_json(gone), recorded("chat_text_stream_resp"))
    assert (await answer(told, remote="old")).text
    assert [asked.path for asked in scripted.asked] == ["/v3/chat?conversation_id=old", "/v3/chat"]


async def test_dialogue_of_another_account_begins_anew(bot: CozeBot) -> None:
    done = await answer(bot, remote="7380000000000009999")
    assert done.text
    assert done.remote != "7380000000000009999"


async def test_files_go_along(bot: CozeBot, double: CozeDouble) -> None:
    files = (
        Attachment(name="票.png", media_type="image/png", content=b"\x89PNG\r\n\x1a\n"),
        Attachment(name="a.pdf", media_type="application/pdf", url="https://x.example/a.pdf"),
    )
    await answer(bot, files=files)
    asked = next(e for e in double.exchanges if e.request.path == "/v3/chat")
    (message,) = json.loads(asked.request.body)["additional_messages"]
    assert message["content_type"] == "object_string"
    kinds = [sorted(part) for part in json.loads(message["content"])]
    assert kinds == [["text", "type"], ["file_id", "type"], ["file_url", "type"]]
    await answer(bot, files=(Attachment(name="大.mp4", media_type=""),), locale="en")
    asked = next(e for e in reversed(double.exchanges) if e.request.path == "/v3/chat")
    (message,) = json.loads(asked.request.body)["additional_messages"]
    assert message["content"].endswith("(The visitor sent a file: 大.mp4)")


async def test_leaving_early_cancels_there(double: CozeDouble, outgoing: Outgoing) -> None:
    bot = made(double, outgoing)
    events = bot.reply(Query(conversation=1, text="怎么退货？ [[drip:50]]", visitor="v"))
    assert isinstance(await anext(events), Grounded)
    await anext(events)
    await events.aclose()
    await bot.close()
    cancels = [one for one in double.exchanges if one.request.path.endswith("/cancel")]
    assert [cancel.status for cancel in cancels] == [200]


async def test_oauth_renews_a_token_that_was_taken_back(
    double: CozeDouble, outgoing: Outgoing, app: CozeApp
) -> None:
    bot = made(double, outgoing, token="", app=app)
    assert (await answer(bot)).text
    assert (await answer(bot)).text
    double.forget_tokens()
    assert (await answer(bot)).text
    assert (await bot.health()).is_ok
    tokens = [e for e in double.exchanges if e.request.path.endswith("/token")]
    assert len(tokens) == 2


async def test_wrong_application_is_a_sentence(
    double: CozeDouble, outgoing: Outgoing, app: CozeApp
) -> None:
    other = CozeApp(app=APP_ID, key_id="other", private_key=app.private_key)
    with pytest.raises(BotMisconfigured, match="does not accept this application"):
        await ask(made(double, outgoing, token="", app=other))
    with pytest.raises(BotMisconfigured, match="whole PEM file"):
        await ask(
            made(double, outgoing, app=CozeApp(app=APP_ID, key_id=KEY_ID, private_key="nonsense"))
        )


@pytest.mark.parametrize("absolute", [True, False])
async def test_token_is_used_until_shortly_before_its_end(
    scripted: ScriptedServer, outgoing: Outgoing, app: CozeApp, absolute: bool
) -> None:
    """`expires_in` is a moment where it is large, and a duration where it is small."""
    now = [time.time()]
    ends = now[0] + 1_000 if absolute else 1_000
    scripted.will(says_json({"access_token": "a", "expires_in": int(ends)}))
    tokens = JwtTokens(outgoing, scripted.url, app, clock=lambda: now[0])
    assert await tokens.token() == "a"
    now[0] += 800
    await tokens.token()
    assert len(scripted.asked) == 1
    now[0] += 150
    await tokens.token()
    assert len(scripted.asked) == 2


def test_jwt_says_who_and_for_whom(app: CozeApp) -> None:
    head, claims, _ = (
        base64.urlsafe_b64decode(part + "==")
        for part in signed(app, "api.coze.cn", 1_000).split(".")
    )
    assert json.loads(head) == {"alg": "RS256", "typ": "JWT", "kid": KEY_ID}
    told = json.loads(claims)
    assert (told["iss"], told["aud"], told["iat"], told["exp"]) == (
        APP_ID, "api.coze.cn", 1_000, 1_600,
    )  # fmt: skip
    assert (
        told["jti"]
        != json.loads(base64.urlsafe_b64decode(signed(app, "x", 1_000).split(".")[1] + "=="))["jti"]
    )


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (4000, "Request parameter error", BotMisconfigured), (4016, "", BotBusy),
        (4100, "authentication is invalid", BotMisconfigured), (4101, "", BotMisconfigured),
        (5000, "event interval error", BotUnavailable), (4999, "new", BotUnavailable),
        (702_232_003, "balance is insufficient", BotOverQuota), (4013, "请求过于频繁", BotBusy),
    ],
)  # fmt: skip
def test_codes(code: int, message: str, error: type[BotError]) -> None:
    found = read_fault(200, {"code": code, "msg": message, "detail": {"logid": "2024x"}}, 0)
    assert isinstance(found, error)
    assert "2024x" in str(found) or code == 4000


def test_success_is_none() -> None:
    assert read_fault(200, {"code": 0, "msg": "", "data": {}}, 0) is None


async def test_health(bot: CozeBot, double: CozeDouble, outgoing: Outgoing) -> None:
    assert (await bot.health()).is_ok
    health = await made(double, outgoing, token="pat_wrong").health()
    assert not health.is_ok
    assert "token" in health.detail
    unpublished = next(bot.id for bot in BOTS.values() if not bot.is_published)
    for number, sentence in ((unpublished, "not published"), ("1", "id right")):
        health = await made(double, outgoing, bot=number).health()
        assert not health.is_ok
        assert sentence in health.detail


async def test_feedback(bot: CozeBot) -> None:
    done = await answer(bot)
    await bot.feedback(done.message, "v7", "good")
    await bot.feedback(done.message, "v7", "none")


async def test_training_is_declined(bot: CozeBot) -> None:
    with pytest.raises(TrainingUnsupported, match="in Coze"):
        await bot.train(())
