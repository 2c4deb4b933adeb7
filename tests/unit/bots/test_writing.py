"""What an answer becomes, whatever a platform does to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingniao.bots.base import BotGarbled, Retracted, TextDelta
from qingniao.bots.writing import LOOP_CHARS, MAX_CHARS, QUOTE_CHARS, Writing


def seen(*steps: tuple[str, str]) -> tuple[str, str]:
    """(what is on the screen, what the answer is)"""
    writing, screen = Writing(), ""
    events: list[TextDelta | Retracted] = []
    for step, text in steps:
        events += writing.add(text) if step == "add" else writing.replace(text)
    events += writing.finish()
    for event in events:
        screen = "" if isinstance(event, Retracted) else screen + event.text
    return screen, writing.text


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "replace"]),
        st.one_of(
            st.text(max_size=6), st.sampled_from(["<think>", "</think>", "<thi", "nk>", " "])
        ),
    ),
    max_size=12,
)


@given(STEPS)
def test_screen_is_always_the_answer(steps: list[tuple[str, str]]) -> None:
    screen, text = seen(*steps)
    assert screen == text


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["<think>嗯</think>好"], "好"),
        (["<", "think", ">a", "b</thi", "nk>", "\n\n", "好"], "好"),
        (["\n<think>\n</think>\n\n好<think>x"], "好<think>x"),
        (["<think>never closed"], ""),
        (["<thin"], "<thin"),
        (["<b>bold"], "<b>bold"),
        (["", " ", ""], " "),
    ],
)
def test_thoughts_at_the_beginning_are_not_shown(pieces: list[str], text: str) -> None:
    assert seen(*(("add", piece) for piece in pieces)) == (text, text)


def test_replacing_by_a_longer_text_only_adds() -> None:
    writing = Writing()
    writing.add("您可以")
    assert writing.replace("您可以退货") == [TextDelta(text="退货")]
    assert writing.replace("您可以退货") == []
    assert writing.replace("不行") == [Retracted(), TextDelta(text="不行")]
    assert writing.replace("<think>x</think>不行") == []


def test_answer_given_twice_is_shown_once() -> None:
    once = "自签收之日起七天内可以退货，请您打开我的订单，点申请退货，选好原因提交。"
    assert seen(("add", once), ("add", once)) == (once, once)
    assert seen(("add", "好的"), ("add", "好的"))[0] == "好的好的"


@pytest.mark.parametrize(
    "loop", ["好", "退货。", "请您打开我的订单，点申请退货，再选好原因提交。\n"]
)
def test_model_that_got_stuck_is_stopped(loop: str) -> None:
    writing = Writing()
    writing.add("您好！")
    with pytest.raises(BotGarbled, match="repeats itself"):
        for _ in range(4 * LOOP_CHARS):
            writing.add(loop)


def test_long_answer_is_no_loop() -> None:
    writing = Writing()
    for number in range(3_000):
        writing.add(f"{number}. 第 {number} 步；")
    assert len(writing.text) > 10 * LOOP_CHARS


def test_answer_without_end_is_stopped() -> None:
    writing = Writing()
    with pytest.raises(BotGarbled, match="never comes to an end"):
        for number in range(MAX_CHARS):
            writing.add(f"{number} ")


def test_sources_are_named_once_and_cut() -> None:
    writing = Writing()
    writing.cite("1", " 规则 ", "长" * 500)
    writing.cite("1", "again")
    writing.cite("", "")
    writing.cite("", "只有标题")
    first, second = writing.done().citations
    assert (first.title, len(first.quote)) == ("规则", QUOTE_CHARS)
    assert (second.id, second.title) == ("只有标题", "只有标题")
