"""The classifier: deterministic, quick, and right about texts it was not trained on."""

import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingniao import samples
from qingniao.understanding.intent import Example, IntentModel, ModelUnusable, train

UNSEEN = [
    ("您好,在不在呀", "greeting"),
    ("hello, good afternoon", "greeting"),
    ("太谢谢你啦", "thanks"),
    ("thank you very very much", "thanks"),
    ("好了没别的事了,拜拜", "goodbye"),
    ("ok bye then", "goodbye"),
    ("快帮我接人工客服吧", "handoff"),
    ("could I talk to a human agent", "handoff"),
    ("你们这群骗子,太坑人", "anger"),
    ("this is a terrible experience", "anger"),
    ("我的裙子什么时候发货呀", "question"),
    ("how to return my parcel", "question"),
    ("给我讲个好玩的故事", "chitchat"),
    ("can you sing a song", "chitchat"),
]


@pytest.mark.parametrize(("text", "label"), UNSEEN)
def test_unseen_text_gets_its_label(model: IntentModel, text: str, label: str) -> None:
    assert text not in {t for texts in samples.intents().values() for t in texts}
    assert model.predict(text).label == label


def test_held_out_fold_is_mostly_right(examples: list[Example]) -> None:
    model = train([example for n, example in enumerate(examples) if n % 8])
    held = examples[::8]
    right = sum(model.predict(example.text).label == example.label for example in held)
    assert right >= 0.7 * len(held)


def test_samples_hold_forty_examples_of_each_intent() -> None:
    intents = samples.intents()
    assert set(intents) == {label for _, label in UNSEEN}
    assert min(map(len, intents.values())) >= 40
    texts = [text for some in intents.values() for text in some]
    assert len(texts) == len(set(texts))


def test_training_twice_gives_the_same_bytes(tmp_path: Path, examples: list[Example]) -> None:
    for name in ("a", "b"):
        train(examples[::5]).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_saved_model_predicts_the_same(tmp_path: Path, model: IntentModel) -> None:
    model.save(tmp_path / "m")
    loaded = IntentModel.load(tmp_path / "m")
    assert all(loaded.predict(text) == model.predict(text) for text, _ in UNSEEN)


def test_damaged_or_newer_file_is_refused(tmp_path: Path, model: IntentModel) -> None:
    model.save(tmp_path / "m")
    file = msgspec.msgpack.decode((tmp_path / "m").read_bytes())
    newer = file | {"version": 9}
    cut = file | {"weights": file["weights"][:-4]}  # not a whole row
    torn = file | {"weights": file["weights"][:-1]}  # not a whole number
    damaged = [msgspec.msgpack.encode(content) for content in (newer, cut, torn)]
    for content in (b"", b"\xc1", *damaged):
        (tmp_path / "m").write_bytes(content)
        with pytest.raises(ModelUnusable):
            IntentModel.load(tmp_path / "m")
    with pytest.raises(ModelUnusable):
        IntentModel.load(tmp_path / "absent")


def test_one_label_is_too_few() -> None:
    with pytest.raises(ValueError, match="two labels"):
        train([Example("a", "x"), Example("b", "x")])


@given(text=st.text(max_size=400))
def test_probabilities_are_a_distribution(model: IntentModel, text: str) -> None:
    ranking = model.predict(text)
    chances = [chance for _, chance in ranking.labels]
    assert sum(chances) == pytest.approx(1.0)
    assert chances == sorted(chances, reverse=True)
    assert ranking.of(ranking.label) == ranking.probability
    assert ranking.of("no such label") == 0.0


def test_prediction_takes_a_fraction_of_a_millisecond(model: IntentModel) -> None:
    took = []
    for text, _ in UNSEEN * 5:
        started = time.thread_time()
        model.predict(text)
        took.append(time.thread_time() - started)
    assert sorted(took)[len(took) // 2] < 0.0003
