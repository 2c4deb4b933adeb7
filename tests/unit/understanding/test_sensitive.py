"""The word filter against a search that is too simple to be wrong."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingniao import samples
from qingniao.understanding.sensitive import MAX_GAP, SensitiveFilter, Word, read_words


def plain(*texts: str) -> SensitiveFilter:
    return SensitiveFilter([Word(text=text, category="c") for text in texts])


def spans(found: SensitiveFilter, text: str) -> list[tuple[int, int, str]]:
    return [(one.start, one.end, one.word.text) for one in found.find(text)]


@given(
    st.lists(st.text("甲乙丙丁", min_size=1, max_size=4), min_size=1, max_size=8, unique=True),
    st.text("甲乙丙丁戊", max_size=40),
)
def test_finds_what_naive_search_finds(words: list[str], text: str) -> None:
    naive = [
        (start, start + len(word), word)
        for word in words
        for start in range(len(text))
        if text.startswith(word, start)
    ]
    assert spans(plain(*words), text) == sorted(naive)


@given(st.text("加微信 -_.,　＋ab", max_size=40))
def test_mask_keeps_the_length_and_leaves_nothing(text: str) -> None:
    words = plain("加微信", "微信", "ab")
    masked = words.mask(text)
    assert len(masked) == len(text)
    assert words.find(masked) == []
    if not words.find(text):
        assert masked == text


@given(
    st.text("退换货啊", max_size=6),
    st.text(" -_.·", max_size=MAX_GAP),
    st.text("退货", max_size=6),
)
def test_separators_inside_a_word_do_not_hide_it(before: str, gap: str, after: str) -> None:
    text = f"{before}加{gap}微{gap}信{after}"
    end = len(text) - len(after)
    assert (len(before), end, "加微信") in spans(plain("加微信"), text)


@given(st.text(max_size=200))
def test_no_text_makes_it_raise(text: str) -> None:
    words = SensitiveFilter(read_words(samples.sensitive_lines()))
    assert len(words.mask(text)) == len(text)


@pytest.mark.parametrize("text", ["FUCK", "ｆｕｃｋ", "f u c k", "f.u.c.k!", "what the fuck?"])
def test_width_case_and_spacing_do_not_hide(text: str) -> None:
    assert plain("fuck").find(text)


@pytest.mark.parametrize("text", ["class", "assume", "b ass1", "pass"])
def test_latin_word_counts_only_as_a_whole(text: str) -> None:
    assert plain("ass").find(text) == []


def test_too_wide_a_gap_divides() -> None:
    assert plain("加微信").find("加" + " " * (MAX_GAP + 1) + "微信") == []


def test_mask_by_action() -> None:
    words = SensitiveFilter(
        [
            Word(text="甲", category="c", action="flag"),
            Word(text="乙", category="c", action="mask"),
            Word(text="丙", category="c", action="block"),
        ]
    )
    assert words.mask("甲乙丙丁") == "甲**丁"
    assert words.mask("甲乙丙丁", actions=("flag",)) == "*乙丙丁"


def test_word_list_is_read_and_faults_are_numbered() -> None:
    (word,) = read_words(["# nothing", "", "scam block 刷单 兼职 # why"])
    assert word == Word(text="刷单 兼职", category="scam", action="block")
    with pytest.raises(ValueError, match="Line 2"):
        read_words(["a mask b", "a hide b"])
    with pytest.raises(ValueError, match="letters"):
        plain("!!")


def test_sample_list_catches_and_spares() -> None:
    words = SensitiveFilter(read_words(samples.sensitive_lines()))
    assert {one.word.action for one in words.find("加我微信,兼职刷单日赚千元,傻逼")} == {
        "flag",
        "block",
        "mask",
    }
    assert words.find("您好，请问怎么退货？我想用微信付款，滚边衬衫有货吗") == []


def test_time_grows_with_the_text_and_not_with_the_words() -> None:
    def took(words: SensitiveFilter, text: str) -> float:
        best = 9.0
        for _ in range(5):
            started = time.thread_time()
            words.find(text)
            best = min(best, time.thread_time() - started)
        return best

    few = plain("甲乙丙丁戊")
    many = plain(*(f"甲乙{chr(0x4E00 + n)}" for n in range(5_000)))
    text = "甲乙丙丁己退货换货" * 200
    assert took(many, text) < 5 * took(few, text)
    assert took(few, text * 8) < 8 * 4 * took(few, text)
