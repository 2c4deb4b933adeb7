"""When and how the bot calls a person, and what that person is told."""

import pytest
from ai_house import ANSWER, CONVERSATION, House

from qingniao.bots.base import Turn
from qingniao.chat.intake import Move
from qingniao.chat.lifecycle import Event, Status, Why
from qingniao.protocol.frames import EntryType
from qingniao.workers.handoff_summary import MAX_CHARS, summarise


def visitor(text: str) -> Turn:
    return Turn(role="visitor", text=text)


def bot(text: str) -> Turn:
    return Turn(role="bot", text=text)


@pytest.mark.parametrize(
    ("text", "why"), [("转人工", "asked"), ("退款多久到账？转人工", "asked"), ("我要投诉", "angry")]
)
async def test_a_person_is_called(text: str, why: str) -> None:
    house = House()
    await house.hears(text)
    assert house.status is Status.WAITING
    assert house.head.why == why
    assert house.bot.asked == []


async def test_the_question_inside_a_wish_for_a_person_is_kept() -> None:
    house = House()
    await house.hears("退款多久到账？转人工")
    (summary,) = house.bodies(EntryType.SUMMARY)
    assert summary["text"].startswith("诉求：退款多久到账？\n")


async def test_the_mood_is_told_whatever_the_reason() -> None:
    house = House()
    await house.hears("我要投诉，转人工")
    assert house.head.why == "asked"
    assert "情绪：不满" in house.bodies(EntryType.SUMMARY)[0]["text"]


async def test_unsure_twice_in_a_row_calls_a_person() -> None:
    house = House()
    await house.hears("那个票的事")
    assert house.status is Status.BOT
    assert house.bodies(EntryType.ANSWER)[0]["options"] == ["怎么开发票？"]
    await house.hears("就是那样")
    assert house.status is Status.WAITING
    assert house.head.why == "unsure"


async def test_unsure_twice_with_an_answer_between_does_not() -> None:
    house = House()
    for text in ("那个票的事", "退款多久到账", "那个票的事"):
        await house.hears(text)
    assert house.status is Status.BOT


async def test_after_the_bot_is_given_back_the_count_starts_anew() -> None:
    house = House()
    await house.hears("那个票的事")
    await house.hears("转人工")
    house.log.commit(Move(CONVERSATION, Event.RETURN, "returned"))
    await house.hears("那个票的事")
    assert house.status is Status.BOT


async def test_a_file_alone_is_answered_with_the_offer_of_a_person() -> None:
    house = House()
    body = {"id": "f1", "name": "1.png", "size": 3, "mime": "image/png"}
    await house.hears(body, EntryType.FILE)
    (answer,) = house.bodies(EntryType.ANSWER)
    assert answer["options"] == ["转人工"]
    assert house.status is Status.BOT
    await house.hears("转人工")
    assert house.status is Status.WAITING


async def test_a_file_with_words_is_a_question() -> None:
    house = House()
    house.says({"id": "f1", "name": "1.png", "size": 3, "mime": "image/png"}, EntryType.FILE)
    await house.hears("退款多久到账")
    assert house.bot.asked[0].text == "退款多久到账"


@pytest.mark.parametrize(
    ("text", "locale", "begins"),
    [
        ("你好", "en", "您好"),
        ("hello", "en", "Hello"),
        ("hello", "zh-CN", "您好"),
        ("hello", "", "Hello"),
        ("please talk to a person", "zh-CN", "Of course"),
    ],
)
async def test_the_visitors_language_is_spoken(text: str, locale: str, begins: str) -> None:
    house = House()
    house.visitor_locale = locale
    await house.hears(text)
    assert house.bodies(EntryType.ANSWER)[0]["text"].startswith(begins)


async def test_a_language_that_cannot_be_found_out_delays_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House()

    async def fails(visitor: str) -> str:
        raise RuntimeError("the database is busy")

    monkeypatch.setattr(house.worker, "_locale", fails)
    await house.hears("hello")
    assert house.bodies(EntryType.ANSWER)[0]["text"].startswith("Hello")


async def test_sensitive_words_are_refused_politely() -> None:
    house = House()
    await house.hears("脏话")
    assert "帮不上忙" in house.bodies(EntryType.ANSWER)[0]["text"]
    assert house.status is Status.BOT


async def test_flagged_words_go_on_and_are_traced() -> None:
    house = House()
    await house.hears("加微信退款多久到账")
    assert house.bodies(EntryType.ANSWER)[0]["text"] == ANSWER
    assert house.trace()[1]["port"] == "flagged"


# The summary


def test_a_summary_holds_wish_answer_mood_and_reason() -> None:
    said = [
        visitor("你好"),
        bot("您好，很高兴为您服务。"),
        visitor("退款多久到账？"),
        bot("1 至 3 个工作日内原路退回。"),
        visitor("都五天了还没到，转人工"),
    ]
    assert summarise(said, Why.ASKED, angry=False).split("\n") == [
        "诉求：都五天了还没到；退款多久到账？",
        "机器人：答过“1 至 3 个工作日内原路退回。”",
        "情绪：平稳",
        "转接原因：访客要求人工",
    ]


def test_a_summary_without_a_wish_says_so() -> None:
    text = summarise([visitor("你好"), bot("您好。"), visitor("转人工")], Why.ASKED, angry=True)
    assert text.split("\n")[:3] == ["诉求：没有说明", "机器人：还没有答复", "情绪：不满"]
    assert "发来文件" in summarise([], Why.ASKED, angry=False, files=2)


@pytest.mark.parametrize(
    "call",
    [
        "转人工",
        "转人工!!!",
        "请转人工",
        "麻烦转一下人工",
        "我要人工客服",
        "人工",
        "找个真人来",
        "谢谢",
        "在吗",
        "hello",
        "I want to talk to a person",
        "2",
    ],
)
def test_a_call_for_a_person_is_not_a_wish(call: str) -> None:
    assert "诉求：没有说明" in summarise([visitor(call)], Why.ASKED, angry=False)


@pytest.mark.parametrize("text", ["人工费多少", "我要退货", "客服几点上班", "这件是手工的吗"])
def test_what_only_sounds_like_it_is_kept(text: str) -> None:
    assert text in summarise([visitor(text)], Why.UNSURE, angry=False)


def test_a_summary_is_short_whatever_was_said() -> None:
    said = [
        visitor("我想退这件大衣因为它太大了" * 30),
        bot("很长的回答。" * 50),
        visitor("投诉" * 99),
    ]
    for why in Why:
        assert len(summarise(said, why, angry=True)) <= MAX_CHARS


def test_a_question_asked_twice_is_named_once() -> None:
    text = summarise([visitor("怎么退货"), visitor("怎么退货")], Why.UNSURE, angry=False)
    assert text.count("怎么退货") == 1


async def test_a_person_called_by_the_button_gets_one_summary() -> None:
    house = House()
    await house.hears("退款多久到账")
    entries = await house.hears({"do": "handoff"}, EntryType.ACTION)
    assert [entry.type for entry in entries] == [EntryType.SUMMARY]
    assert "诉求：退款多久到账" in house.bodies(EntryType.SUMMARY)[0]["text"]
    await house.worker.handle(CONVERSATION)
    house.says("在吗")
    await house.worker.handle(CONVERSATION)
    assert len(house.bodies(EntryType.SUMMARY)) == 1


async def test_a_button_before_any_word_owes_no_summary() -> None:
    house = House()
    assert await house.hears({"do": "handoff"}, EntryType.ACTION) == []
    assert not house.head.owes_bot
