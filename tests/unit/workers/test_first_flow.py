"""The first flow as a new installation runs it: the real classifier, words, search and bot."""

import json
from pathlib import Path

import pytest
from ai_house import CONVERSATION, House

from qingniao import samples
from qingniao.bots.local import LocalBot
from qingniao.chat.intake import Move
from qingniao.chat.lifecycle import Event, Status
from qingniao.knowledge.entries import Entry
from qingniao.knowledge.importing import read_knowledge
from qingniao.protocol.frames import EntryType
from qingniao.training import Built, build, encode_corpus, open_current
from qingniao.workers.senses import Mind

ENTRIES = read_knowledge(samples.knowledge_file()).entries


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder: Path = tmp_path_factory.mktemp("learnt")
    source = folder / "source.json"
    source.write_bytes(encode_corpus(entries=ENTRIES, intents=samples.intents()))
    build(source, folder)
    return open_current(folder)


@pytest.fixture(scope="module")
def mind(learnt: Built) -> Mind:
    mind = Mind()
    mind.use(learnt)
    return mind


@pytest.fixture
def house(learnt: Built, mind: Mind) -> House:
    return House(bot=LocalBot(learnt.retriever), senses=mind)


def answers(house: House) -> list[dict[str, object]]:
    return house.bodies(EntryType.ANSWER)


def back_to_the_bot(house: House) -> None:
    if house.status is not Status.BOT:
        house.log.commit(Move(CONVERSATION, Event.RETURN, "returned"))


async def test_the_knowledge_base_answers_its_own_questions_and_cites(house: House) -> None:
    wrong = []
    for entry in ENTRIES:
        back_to_the_bot(house)
        await house.hears(entry.question)
        answer = answers(house)[-1]
        cites = answer.get("cites")
        if answer["text"] != entry.answer or not cites or cites[0]["id"] != entry.id:  # type: ignore[index]
            wrong.append((entry.question, answer["text"]))
    assert len(wrong) <= len(ENTRIES) * 0.02, json.dumps(wrong, ensure_ascii=False, indent=1)


async def test_other_wordings_are_answered_too(house: House) -> None:
    asked: list[tuple[Entry, str]] = [(e, w) for e in ENTRIES for w in e.alternatives]
    wrong = []
    for entry, wording in asked[::3]:
        back_to_the_bot(house)
        await house.hears(wording)
        if answers(house)[-1]["text"] != entry.answer:
            wrong.append((wording, answers(house)[-1]["text"]))
    assert len(wrong) <= len(asked[::3]) * 0.06, json.dumps(wrong, ensure_ascii=False, indent=1)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("你好", "greeting"),
        ("您好，在吗", "greeting"),
        ("谢谢", "thanks"),
        ("好的谢谢您", "thanks"),
        ("再见", "goodbye"),
        ("拜拜", "goodbye"),
        ("你会唱歌吗", "chitchat"),
    ],
)
async def test_small_talk_is_answered_in_kind(house: House, text: str, node: str) -> None:
    await house.hears(text)
    assert node in [step["node"] for step in house.trace()]
    assert house.status is Status.BOT


@pytest.mark.parametrize(
    "text",
    [
        "转人工",
        "我要人工客服",
        "退款多久到账？转人工",
        "I want to talk to a human",
        "别让机器人回我",
    ],
)
async def test_whoever_wants_a_person_gets_one(house: House, text: str) -> None:
    await house.hears(text)
    assert (house.status, house.head.why) == (Status.WAITING, "asked")


@pytest.mark.parametrize("text", ["你们是骗子，我要投诉", "气死我了，还我钱", "垃圾店"])
async def test_whoever_is_angry_gets_a_person(house: House, text: str) -> None:
    await house.hears(text)
    assert (house.status, house.head.why) == (Status.WAITING, "angry")
    assert "情绪：不满" in house.bodies(EntryType.SUMMARY)[0]["text"]


async def test_the_buttons_of_the_flow_lead_where_they_say(house: House) -> None:
    for label in ("转人工", "Talk to a person"):
        back_to_the_bot(house)
        await house.hears({"id": "f", "name": "1.png", "size": 1, "mime": ""}, EntryType.FILE)
        await house.hears(label)
        assert house.head.why == "asked"


async def test_twice_unsure_is_handed_over_with_a_summary(house: House) -> None:
    await house.hears("量子计算机的散热方案")
    assert house.status is Status.BOT
    assert len(answers(house)[0].get("options", [])) <= 3  # type: ignore[arg-type]
    await house.hears("就是超导量子比特那种")
    assert (house.status, house.head.why) == (Status.WAITING, "unsure")
    assert "超导量子比特" in house.bodies(EntryType.SUMMARY)[0]["text"]


async def asked_back(house: House) -> list[str]:
    """Ask in fragments of known questions until the flow is unsure; what it offers then."""
    for entry in ENTRIES:
        await house.hears("那个" + entry.question[:3])
        options = answers(house)[-1].get("options")
        is_unsure = house.status is Status.BOT and "cites" not in answers(house)[-1]
        if is_unsure and isinstance(options, list):
            return options
        back_to_the_bot(house)
    pytest.fail("nothing was asked back")


async def test_an_offered_question_is_answered_when_it_is_chosen(house: House) -> None:
    chosen = (await asked_back(house))[0]
    await house.hears("1")
    assert answers(house)[-1]["text"] in [e.answer for e in ENTRIES if e.question == chosen]


@pytest.mark.parametrize("text", ["谢谢，那运费谁出", "你好！怎么退货？", "好的谢谢，怎么开发票"])
async def test_a_question_behind_pleasantries_is_looked_up(house: House, text: str) -> None:
    await house.hears(text)
    assert "knowledge" in [step["node"] for step in house.trace()]


async def test_none_of_these_brings_a_person_without_reproach(house: House) -> None:
    await asked_back(house)
    await house.hears("都不是")
    assert (house.status, house.head.why) == (Status.WAITING, "unsure")


async def test_blocked_words_are_refused_and_flagged_ones_go_on(house: House) -> None:
    await house.hears("你们能代开发票吗")
    assert "帮不上忙" in str(answers(house)[-1]["text"])
    await house.hears("加微信说，怎么退货？")
    assert house.trace()[1]["port"] == "flagged"
    assert house.trace()[1]["words"] == ["加微信"]


async def test_english_is_answered_in_english_when_the_flow_speaks(house: House) -> None:
    await house.hears("please let me talk to a real person")
    assert str(answers(house)[-1]["text"]).startswith("Of course")


async def test_the_first_words_come_at_once(house: House) -> None:
    took_ms = []
    for entry in ENTRIES[:8]:
        await house.hears(entry.question)
        took_ms.append(sum(step["ms"] for step in house.trace()))
    assert house.deltas
    assert min(took_ms) < 25, "the best of eight: others may be using this machine"
