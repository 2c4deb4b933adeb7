"""Files of knowledge: every fault is a problem with its line, never an exception."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingniao import samples
from qingniao.knowledge import importing
from qingniao.knowledge.entries import Entry, derive_id
from qingniao.knowledge.importing import Imported, Problem, read_knowledge


def lines(imported: Imported) -> list[int]:
    return [problem.line for problem in imported.problems]


def test_csv_with_the_documented_columns() -> None:
    content = 'question,answer,category\r\n怎么退货,"请申请,\r\n谢谢",退货\r\n'.encode()
    (entry,) = read_knowledge(content, "a.csv").entries
    assert (entry.question, entry.answer) == ("怎么退货", "请申请,\r\n谢谢")
    assert entry.id == derive_id("怎么退货")
    assert entry.category == "退货"


def test_csv_from_excel_in_china_is_read() -> None:
    content = "问题,答案,分类,相似问\n怎么退货,请申请,退货,退货|想退\n".encode("gb18030")
    (entry,) = read_knowledge(content, "a.csv").entries
    assert entry.alternatives == ("退货", "想退")


def test_bad_rows_become_problems_with_their_line() -> None:
    content = b'question,answer\nq1,a1\n,a2\n"q\n3",\nq4,a4,extra\nq5,a5\n'
    found = read_knowledge(content, "a.csv")
    assert [entry.question for entry in found.entries] == ["q1", "q5"]
    assert lines(found) == [3, 4, 6]


def test_csv_without_the_columns_is_refused() -> None:
    assert lines(read_knowledge("甲,乙\n1,2\n".encode(), "a.csv")) == [1]


def test_unclosed_quote_is_a_problem() -> None:
    found = read_knowledge(b'question,answer\nq1,a1\nq2,"a2\n', "a.csv")
    assert len(found.entries) == 1
    assert lines(found) == [3]


def test_json_problems_carry_the_line_of_their_entry() -> None:
    content = b'{"entries": [\n{"question": "q1", "answer": "a1"},\n{"question": 5},\n\n{}\n]}'
    found = read_knowledge(content, "a.json")
    assert len(found.entries) == 1
    assert lines(found) == [3, 5]


def test_json_list_is_taken_too() -> None:
    assert len(read_knowledge(b' [{"question": "q", "answer": "a"}]').entries) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[1", b"\xff\xfe\x00", b'{"entries": 3}', b"\n\n"])
def test_file_that_is_none_is_a_problem(content: bytes) -> None:
    for name in ("a.json", "a.csv", ""):
        found = read_knowledge(content, name)
        assert not found.entries
        assert found.problems


def test_last_of_the_same_question_counts() -> None:
    found = read_knowledge(b"question,answer\nq,a1\nq,a2\n", "a.csv")
    assert [entry.answer for entry in found.entries] == ["a2"]


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "MAX_ROWS", 2)
    monkeypatch.setattr(importing, "MAX_PROBLEMS", 2)
    many = read_knowledge(b"question,answer\n" + b"q1,a\nq2,a\nq3,a\n", "a.csv")
    assert len(many.entries) == 2
    assert "first 2 rows" in many.problems[0].text
    monkeypatch.setattr(importing, "MAX_ROWS", 99)
    bad = read_knowledge(b"question,answer\n" + b",a\n" * 9, "a.csv")
    assert len(bad.problems) == 3
    monkeypatch.setattr(importing, "MAX_FILE_BYTES", 3)
    assert read_knowledge(b"question").problems[0].line == 0
    long = b"question,answer\n" + b"q" * 501 + b",a\n"
    monkeypatch.setattr(importing, "MAX_FILE_BYTES", 9999)
    assert lines(read_knowledge(long, "a.csv")) == [2]


@given(st.binary(max_size=300), st.sampled_from(["a.json", "a.csv", ""]))
def test_no_bytes_make_it_raise(content: bytes, name: str) -> None:
    found = read_knowledge(content, name)
    assert found.entries or found.problems
    assert all(isinstance(problem, Problem) and problem.text for problem in found.problems)


letters = st.characters(exclude_categories=["Cs", "Cc"])
text = st.text(letters, min_size=1, max_size=40).map(str.strip)


@given(st.lists(st.tuples(text, text), min_size=1, max_size=8, unique_by=lambda pair: pair[0]))
def test_what_is_written_as_json_is_read_back(pairs: list[tuple[str, str]]) -> None:
    entries = [Entry(id=derive_id(q), question=q, answer=a) for q, a in pairs if q and a]
    if entries:
        found = read_knowledge(msgspec.json.encode({"entries": entries}), "x.json")
        assert list(found.entries) == entries


def test_sample_is_a_knowledge_base() -> None:
    found = read_knowledge(samples.knowledge_file(), "shop_after_sales.json")
    assert not found.problems
    assert len(found.entries) >= 80
    assert all(len(entry.alternatives) >= 4 and entry.title for entry in found.entries)
    assert "怎么退货？" in {entry.question for entry in found.entries}
    wordings = [wording for entry in found.entries for wording in entry.wordings()]
    assert len(set(wordings)) == len(wordings)
