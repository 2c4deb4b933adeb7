"""Who wants a person and who is angry, on lists that were written before the classifier."""

import unicodedata
from pathlib import Path

import pytest

from qingniao.understanding.intent import Example, IntentModel, Ranking
from qingniao.understanding.signals import SignalReader, read_signals

DATA = Path(__file__).parents[2] / "data"


def phrases(name: str) -> list[str]:
    lines = (DATA / f"phrases_{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def bare(text: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


@pytest.fixture(scope="module")
def reader(model: IntentModel) -> SignalReader:
    return SignalReader(model)


def test_lists_are_long_enough_and_hold_nothing_twice() -> None:
    assert len(set(phrases("handoff"))) == len(phrases("handoff")) >= 120
    assert len(set(phrases("anger"))) == len(phrases("anger")) >= 120
    assert len(set(phrases("neutral"))) == len(phrases("neutral")) >= 200


def test_no_listed_phrase_is_a_training_example(examples: list[Example]) -> None:
    trained = {bare(example.text) for example in examples}
    listed = [p for name in ("handoff", "anger", "neutral") for p in phrases(name)]
    assert [phrase for phrase in listed if bare(phrase) in trained] == []


def test_wish_for_a_person_is_heard(reader: SignalReader) -> None:
    listed = phrases("handoff")
    missed = [phrase for phrase in listed if not reader.read(phrase).wants_person]
    assert len(missed) <= 0.05 * len(listed), missed


def test_anger_is_heard(reader: SignalReader) -> None:
    listed = phrases("anger")
    missed = [phrase for phrase in listed if not reader.read(phrase).angry]
    assert len(missed) <= 0.05 * len(listed), missed


def test_ordinary_questions_are_neither(reader: SignalReader) -> None:
    listed = phrases("neutral")
    wrong = [phrase for phrase in listed if reader.read(phrase).why]
    assert len(wrong) <= 0.02 * len(listed), wrong


@pytest.mark.parametrize(
    "text",
    [
        "不好意思打扰一下",
        "退货的操作步骤是什么",
        "这件衣服了解一下",
        "良心商家,推荐给朋友了",
        "你们态度很好",
        "这个可以洗多少次",
        "客服说今天会发货",
        "人气最高的是哪款",
        "滚边的那件衬衫",
    ],
)
def test_rules_do_not_stumble_over_parts_of_words(reader: SignalReader, text: str) -> None:
    signals = reader.read(text)
    assert not signals.angry
    assert not signals.wants_person


def test_excuse_excuses_only_itself(reader: SignalReader) -> None:
    assert reader.read("昨天的客服说今天退款,现在给我转人工").wants_person
    assert reader.read("浪费我那么多时间,找你们经理来").wants_person
    assert reader.read("人工费多少我不管,我要人工客服").wants_person


def test_one_message_may_be_both_and_says_why(reader: SignalReader) -> None:
    signals = reader.read("气死我了,转人工!")
    assert signals.wants_person
    assert signals.angry
    assert signals.why == ("rule:handoff", "rule:anger")


def test_classifier_alone_is_believed_when_it_is_sure() -> None:
    text = "随便一句没有规则的话"
    sure = Ranking((("handoff", 0.81), ("question", 0.19)))
    unsure = Ranking((("handoff", 0.55), ("question", 0.45)))
    assert read_signals(text, sure).why == ("intent:handoff=0.81",)
    assert read_signals(text, unsure).why == ()
