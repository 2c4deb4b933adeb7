"""Everything that may be wrong with a provider, for every platform: what it ends as, and the
sentence that a person reads. Nothing of it is ever taken for a whole answer."""

import pytest
from asking import ask
from doubles_house import StartDouble

from qingniao.bots.base import (
    BotError,
    BotGarbled,
    BotMisconfigured,
    BotService,
    BotTimeout,
    BotUnavailable,
    ReplyTruncated,
)
from qingniao.bots.coze import CozeBot, CozeSettings
from qingniao.bots.dify import DifyBot, DifySettings
from qingniao.bots.fastgpt import FastGPTBot, FastGPTSettings
from qingniao.bots.openai import OpenAIBot, OpenAISettings
from qingniao.doubles.coze import CozeDouble
from qingniao.doubles.coze_auth import PAT
from qingniao.doubles.coze_records import BOTS
from qingniao.doubles.dify import DifyDouble
from qingniao.doubles.double import Double
from qingniao.doubles.fastgpt import FastGPTDouble
from qingniao.doubles.openai import OpenAIDouble
from qingniao.outgoing.client import Outgoing

IDLE_S = 0.4
BOT = next(bot.id for bot in BOTS.values() if bot.is_published)


def make(kind: str, outgoing: Outgoing, double: Double) -> BotService:
    """A bot of that platform that waits for a moment only."""
    url = double.url
    match kind:
        case "dify":
            settings = DifySettings(key="app-double-chat", base_url=f"{url}/v1", idle_s=IDLE_S)
            return DifyBot(outgoing, settings)
        case "dify workflow":
            key = "app-double-workflow"
            return DifyBot(
                outgoing,
                DifySettings(key=key, base_url=f"{url}/v1", app="workflow", idle_s=IDLE_S),
            )
        case "coze":
            settings = CozeSettings(bot=BOT, token=PAT, base_url=url, idle_s=IDLE_S)
            return CozeBot(outgoing, settings)
        case "fastgpt":
            return FastGPTBot(
                outgoing,
                FastGPTSettings(key="fastgpt-double-chat", base_url=f"{url}/api", idle_s=IDLE_S),
            )
    return OpenAIBot(
        outgoing,
        OpenAISettings(model="gpt-4o-mini", key="sk-double", base_url=f"{url}/v1", idle_s=IDLE_S),
    )


DOUBLES = {
    "openai": OpenAIDouble,
    "dify": DifyDouble,
    "dify workflow": DifyDouble,
    "fastgpt": FastGPTDouble,
    "coze": CozeDouble,
}


@pytest.fixture(params=DOUBLES)
async def sides(
    request: pytest.FixtureRequest, start_double: StartDouble, outgoing: Outgoing
) -> tuple[BotService, Double]:
    double = await start_double(DOUBLES[request.param])
    return make(request.param, outgoing, double), double


BAD: dict[str, tuple[type[BotError] | tuple[type[BotError], ...], str]] = {
    "hang": (BotTimeout, "silent"),
    "hang-midway": (BotTimeout, "silent"),
    "reset": (BotUnavailable, "closed the connection|broke off|cannot be asked"),
    "reset-midway": (ReplyTruncated, "broke off"),
    "cut": (ReplyTruncated, "broke off"),
    "truncate": (ReplyTruncated, "not a whole answer"),
    "garbage": ((BotGarbled, ReplyTruncated), "cannot be read|not a whole answer"),
    "html": (BotMisconfigured, "web page"),
    "html:502": (BotUnavailable, "502"),
    "redirect": (BotMisconfigured, "inside this network"),
    "redirect:https://elsewhere.example/v1": (BotMisconfigured, r"elsewhere\.example"),
    "status:500": (BotUnavailable, "failed inside"),
    "status:503": (BotUnavailable, "failed inside"),
    "status:504": (BotTimeout, "in time"),
    "status:404": (BotMisconfigured, "no such thing"),
    "status:413": (BotError, "too long"),
    "loop": (BotGarbled, "repeats itself"),
    "error-midway": (BotError, "."),
    "quota": (BotError, "nothing left|used up"),
    "unauthorized": (BotMisconfigured, "key|token"),
}


@pytest.mark.parametrize("words", BAD)
async def test_bad_provider_is_a_sentence(sides: tuple[BotService, Double], words: str) -> None:
    bot, double = sides
    double.play(words)
    error, sentence = BAD[words]
    with pytest.raises(error, match=sentence) as caught:
        await ask(bot)
    said = str(caught.value)
    assert said[0].isupper() or said.startswith("127.0.0.1")
    assert "double" not in said.replace("sk-double", "")  # the key is nobody's to see
    assert "Traceback" not in said


async def test_provider_that_is_down(sides: tuple[BotService, Double]) -> None:
    bot, double = sides
    await double.close()
    with pytest.raises(BotUnavailable, match="does not take connections"):
        await ask(bot)
    health = await bot.health()
    assert not health.is_ok
    assert "does not take connections" in health.detail


async def test_sign_of_life_without_an_answer_ends_by_the_deadline(
    sides: tuple[BotService, Double],
) -> None:
    from qingniao.bots.wrappers.deadline import Deadline

    bot, double = sides
    double.ping_s = 0.1
    double.play("stall")
    with pytest.raises(BotTimeout):
        await ask(Deadline(bot, total_s=0.5))


async def test_nonsense_in_the_middle_is_skipped(sides: tuple[BotService, Double]) -> None:
    bot, double = sides
    whole = (await ask(bot))[-1]
    double.play("garbage-midway")
    assert (await ask(bot))[-1].text == whole.text  # type: ignore[union-attr]


async def test_health_says_what_is_wrong(sides: tuple[BotService, Double]) -> None:
    bot, double = sides
    for words in ("html", "redirect", "status:500", "garbage"):
        double.play(words)
        health = await bot.health()
        double.play_nothing()
        assert not health.is_ok, words
        assert health.detail


async def test_health_does_not_wait_for_the_silent(
    sides: tuple[BotService, Double], monkeypatch: pytest.MonkeyPatch
) -> None:
    bot, double = sides
    monkeypatch.setattr("qingniao.bots.platform.HEALTH_S", IDLE_S / 4)
    double.play("hang")
    health = await bot.health()
    assert not health.is_ok
    assert health.detail == "127.0.0.1 stayed silent for too long."
