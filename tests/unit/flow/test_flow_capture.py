"""What a reply says when it was asked for something, however it was written."""

from datetime import UTC, datetime

import pytest

from qingniao.flow.capture import (
    choose,
    read_date,
    read_email,
    read_number,
    read_phone,
    read_score,
)

NOW = round(datetime(2026, 11, 25, 20, 0, tzinfo=UTC).timestamp() * 1000)
"""Already the 26th in Beijing."""


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("13800138000", "13800138000"),
        ("我的电话是138 0013 8000，谢谢", "13800138000"),
        ("１３８-００１３-８０００", "13800138000"),
        ("+86 138 0013 8000", "13800138000"),
        ("010-6552 9988", "01065529988"),
        ("call +44 20 7946 0958 please", "+442079460958"),
        ("12345", None),
        ("订单号 9138001380001234", None),
        ("没有电话", None),
    ],
)
def test_phone(text: str, phone: str | None) -> None:
    assert read_phone(text) == phone


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("lin@Example.COM", "lin@example.com"),
        ("邮箱：lin.x+shop@mail.example.cn。", "lin.x+shop@mail.example.cn"),
        ("ｌｉｎ＠example.com", "lin@example.com"),
        ("lin@example", None),
        ("a..b@example.com", None),
        ("@example.com", None),
        ("没有", None),
    ],
)
def test_email(text: str, email: str | None) -> None:
    assert read_email(text) == email


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3),
        ("大概 1,299.50 元", 1299.5),
        ("-2", -2),
        ("两件", 2),
        ("二十三个", 23),
        ("一千零五", 1005),
        ("三万二千", 32000),
        ("十", 10),
        ("一三八", 138),
        ("没有", None),
    ],
)
def test_number(text: str, number: float | None) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-12-01", "2026-12-01"),
        ("2026年12月1日下午", "2026-12-01"),
        ("12月1号", "2026-12-01"),
        ("1月5日", "2027-01-05"),
        ("明天吧", "2026-11-27"),
        ("大后天", "2026-11-29"),
        ("tomorrow", "2026-11-27"),
        ("the day after tomorrow", "2026-11-28"),
        ("2026-02-30", None),
        ("2月30日", None),
        ("改天", None),
    ],
)
def test_date_on_the_clock_of_beijing(text: str, day: str | None) -> None:
    assert read_date(text, NOW, 480) == day


def test_a_leap_day_is_looked_for() -> None:
    assert read_date("2月29日", NOW, 480) == "2028-02-29"


LABELS = ["退货", "换货", "查物流"]


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("退货", 0),
        (" 换货。", 1),
        ("2", 1),
        ("第三个", 2),
        ("选1", 0),
        ("我想查物流", 2),
        ("the second one", 1),
        ("请帮我换货，谢谢", 1),
        ("退货还是换货", None),
        ("退货的运费谁出", None),
        ("我不要退货", None),
        ("4", None),
        ("别的", None),
        ("", None),
    ],
)
def test_choice(text: str, index: int | None) -> None:
    assert choose(text, LABELS) == index


@pytest.mark.parametrize(
    ("text", "score"),
    [("5", 5), ("给4分", 4), ("三星", 3), ("★★", 2), ("⭐⭐⭐⭐⭐", 5), ("6", None), ("10", None),
     ("4 或 5", None), ("还行", None), ("★★★★★★", None)],
)  # fmt: skip
def test_score(text: str, score: int | None) -> None:
    assert read_score(text) == score


def test_a_choice_in_a_polite_sentence() -> None:
    assert choose("I'd like the blue one, please", ["red", "blue"]) == 1
    assert choose("not the blue one", ["red", "blue"]) is None
    assert choose("bluebird", ["red", "blue"]) is None
