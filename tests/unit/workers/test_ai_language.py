"""Languages and clauses, told from the characters alone."""

import pytest

from qingniao.workers.language import MAX_CLAUSES, clauses, locale_of


@pytest.mark.parametrize(
    ("text", "known", "locale"),
    [
        ("怎么退货", "en", "zh-CN"),
        ("iPhone 15 有货吗", "en", "zh-CN"),
        ("How do I return this?", "zh-CN", "en"),
        ("iPhone Pro", "zh-CN", "zh-CN"),
        ("iPhone Pro", "", "en"),
        ("", "en", "en"),
        ("👍", "", "zh-CN"),
    ],
)
async def test_locale(text: str, known: str, locale: str) -> None:
    async def ask() -> str:
        return known

    assert await locale_of(text, ask) == locale


async def test_the_browser_is_only_asked_when_in_doubt() -> None:
    async def ask() -> str:
        raise AssertionError("no doubt here")

    assert await locale_of("退货", ask) == "zh-CN"


def test_clauses_are_what_stands_between_punctuation() -> None:
    assert clauses("谢谢，那运费谁出？!") == ("谢谢，", "那运费谁出？!")
    assert clauses("thanks! who pays, then") == ("thanks!", " who pays,", " then")
    assert clauses("。。。？") == ()


@pytest.mark.parametrize("count", [MAX_CLAUSES - 1, MAX_CLAUSES, MAX_CLAUSES + 1, 40])
def test_of_many_clauses_the_early_ones_are_one(count: int) -> None:
    text = "，".join(f"第{i}句" for i in range(count))
    assert len(clauses(text)) == min(count, MAX_CLAUSES)
    assert clauses(text)[-1] == f"第{count - 1}句"
    assert "".join(clauses(text)) == text
