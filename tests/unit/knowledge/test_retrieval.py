"""Search: the right entry first, a confidence that means something, and quickly."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingniao import samples
from qingniao.knowledge.entries import Entry
from qingniao.knowledge.grams import MAX_TERMS, grams
from qingniao.knowledge.importing import read_knowledge
from qingniao.knowledge.index import IndexUnusable, write_index
from qingniao.knowledge.retriever import KnowledgeRetriever

ANSWER_AT = 0.5
"""The local bot's threshold."""

LISTED = (Path(__file__).parents[2] / "data" / "questions_shop.txt").read_text(encoding="utf-8")
QUESTIONS = [line.split(" ", 1) for line in LISTED.splitlines() if not line.startswith("#")]
OURS = [(entry, text) for entry, text in QUESTIONS if entry != "-"]
FOREIGN = [text for entry, text in QUESTIONS if entry == "-"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeRetriever:
    folder = tmp_path_factory.mktemp("shop")
    write_index(folder, read_knowledge(samples.knowledge_file()).entries)
    return KnowledgeRetriever.open(folder, version="sample")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeRetriever:
    folder = tmp_path_factory.mktemp("small")
    write_index(folder, [Entry(id=q, question=q, answer="好") for q in ("退货", "换货", "a b")])
    return KnowledgeRetriever.open(folder, version="small")


def test_held_out_questions_are_held_out(shop: KnowledgeRetriever) -> None:
    known = {wording for entry in shop.entries for wording in entry.wordings()}
    assert known.isdisjoint(text for _, text in QUESTIONS)
    assert len(OURS) >= 100
    assert {entry for entry, _ in OURS} == {entry.id for entry in shop.entries}


def test_right_entry_is_first_for_nine_of_ten_held_out_questions(shop: KnowledgeRetriever) -> None:
    missed = [text for entry, text in OURS if shop.search(text)[0].entry.id != entry]
    assert len(missed) <= 0.1 * len(OURS), missed


def test_most_held_out_questions_are_answered_and_hardly_any_wrongly(
    shop: KnowledgeRetriever,
) -> None:
    # Every second one was looked at when the coefficients were fitted: only the others count.
    first = [(entry, shop.search(text)[0]) for entry, text in OURS[1::2]]
    answered = [(entry, hit) for entry, hit in first if hit.confidence >= ANSWER_AT]
    assert len(answered) >= 0.8 * len(first)
    assert sum(hit.entry.id != entry for entry, hit in answered) <= 0.03 * len(first)


def test_other_business_stays_below_the_threshold(shop: KnowledgeRetriever) -> None:
    assert len(FOREIGN) >= 40
    hits = {text: shop.search(text, limit=1) for text in FOREIGN}
    sure = [text for text, found in hits.items() if found and found[0].confidence >= ANSWER_AT]
    assert sure == []


def test_every_wording_finds_its_entry(shop: KnowledgeRetriever) -> None:
    wordings = [(entry.id, wording) for entry in shop.entries for wording in entry.wordings()]
    lost = [w for owner, w in wordings if shop.search(w)[0].entry.id != owner]
    assert len(lost) <= 0.01 * len(wordings), lost


@pytest.mark.parametrize(
    "text", ["怎么退货", "咋退货呀", "怎 么 退 货?", "請问怎么退货", "How do I RETURN it"]
)
def test_returning_is_understood_however_it_is_written(shop: KnowledgeRetriever, text: str) -> None:
    hit = shop.search(text)[0]
    assert hit.entry.question == "怎么退货？"
    assert hit.confidence >= ANSWER_AT


def test_search_takes_under_a_millisecond(shop: KnowledgeRetriever) -> None:
    took = []
    for _, text in OURS:
        started = time.thread_time()
        shop.search(text)
        took.append(time.thread_time() - started)
    assert sorted(took)[len(took) // 2] < 0.001


@given(text=st.text(max_size=200) | st.text("退换货怎么 aB1，", max_size=30))
def test_no_question_makes_it_raise(small: KnowledgeRetriever, text: str) -> None:
    hits = small.search(text, limit=2)
    assert len({hit.entry.id for hit in hits}) == len(hits) <= 2
    assert all(0.0 <= hit.confidence <= 1.0 for hit in hits)
    assert sorted(grams(text)) == sorted(set(grams(text)))
    assert len(grams(text)) <= MAX_TERMS


def test_width_case_and_synonyms_are_folded() -> None:
    assert grams("ＡＢＣ 咋退钱") == grams("abc 怎么退款")
    assert grams("请问您怎么退货呢") == grams("怎么退货")
    assert grams("您好") == ("您好", "您", "好")


def test_empty_knowledge_finds_nothing(tmp_path: Path) -> None:
    write_index(tmp_path, [])
    assert KnowledgeRetriever.open(tmp_path, version="0").search("怎么退货") == []


def test_damaged_index_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(IndexUnusable):
        KnowledgeRetriever.open(tmp_path, version="0")
    write_index(tmp_path, [Entry(id="1", question="q", answer="a")])
    (tmp_path / "index" / "meta.json").write_text("{")
    with pytest.raises(IndexUnusable):
        KnowledgeRetriever.open(tmp_path, version="0")
