"""What a visitor's reply says when it was asked for something. Owns the forms of a value.

A reply is a sentence, not a form field: "my number is 138 0013 8000, thanks" holds a phone number.
Rule: a value is given back in one form, whatever it was written like; what is not plainly there is
not guessed.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, Literal

from qingniao.flow.clockwork import local

__all__ = [
    "Form",
    "bare",
    "choose",
    "read_date",
    "read_email",
    "read_number",
    "read_phone",
    "read_score",
]

Form = Literal["any", "phone", "email", "number", "date", "choice"]

_SEPARATORS: Final = re.compile(r"(?<=\d)[\s\-‐-―.()（）]{1,3}(?=\d)")
_MOBILE: Final = re.compile(r"(?<![\d+])(?:(?:\+|00)?86)?(1[3-9]\d{9})(?!\d)")
_LANDLINE: Final = re.compile(r"(?<![\d+])(0\d{2,3}[2-9]\d{6,7})(?!\d)")
_ABROAD: Final = re.compile(r"(?<!\d)(?:\+|00)([1-9]\d{6,14})(?!\d)")
_EMAIL: Final = re.compile(
    r"(?<![\w.+-])([a-z0-9][a-z0-9._%+-]{0,63}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
    r"[a-z]{2,24})(?![\w-])",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|[-+]?\d{1,15}(?:\.\d{1,6})?")
_HAN_NUMBER: Final = re.compile(r"[零〇一二两三四五六七八九十百千万]{1,15}")
_DIGITS: Final = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS: Final = {"十": 10, "百": 100, "千": 1_000}
_YMD: Final = re.compile(r"(?<!\d)(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})(?!\d)")
_MD: Final = re.compile(r"(?<!\d)(\d{1,2})\s*月\s*(\d{1,2})(?!\d)")
_DAYS: Final = {
    "大后天": 3, "后天": 2, "明天": 1, "明日": 1, "今天": 0, "今日": 0, "昨天": -1, "前天": -2,
    "day after tomorrow": 2, "tomorrow": 1, "today": 0, "yesterday": -1,
}  # fmt: skip
_ORDINALS: Final = {
    "一": 0, "二": 1, "两": 1, "三": 2, "四": 3, "五": 4, "六": 5, "七": 6, "八": 7, "九": 8,
    "first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4,
}  # fmt: skip
_FILLERS: Final = re.compile(
    r"我|你们?|您|要|想|请|帮|给|的|了|吧|呀|啊|哦|嗯|就|那个|这个|选|一下|谢谢|麻烦|办理|咨询|需要"
    r"|\b(?:please|the|one|i'd|i|want|would|like|to|my|an?|thanks|thank|you|need)\b"
)
_STARS: Final = re.compile(r"([★⭐🌟])\ufe0f?")
_SCORE: Final = re.compile(r"(?<![\d.])([1-5])(?![\d.])")


def bare(text: str) -> str:
    """A short reply without what goes around it."""
    return unicodedata.normalize("NFKC", text).casefold().strip(" .。、，,!！?？~～;；:：\n\t")


def read_phone(text: str) -> str | None:
    """Chinese mobile and landline numbers as digits, others with + and their country."""
    plain = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text))
    for form in (_MOBILE, _LANDLINE):
        found = form.search(plain)
        if found is not None:
            return found.group(1)
    found = _ABROAD.search(plain)
    return f"+{found.group(1)}" if found is not None else None


def read_email(text: str) -> str | None:
    """An address; its host in small letters."""
    found = _EMAIL.search(unicodedata.normalize("NFKC", text))
    if found is None or len(found.group(1)) > 128:
        return None
    local_part, _, host = found.group(1).rpartition("@")
    if ".." in local_part or local_part.endswith("."):
        return None
    return f"{local_part}@{host.lower()}"


def read_number(text: str) -> int | float | None:
    """The first number, in digits or in Chinese numerals below a hundred million."""
    plain = unicodedata.normalize("NFKC", text)
    found = _NUMBER.search(plain)
    if found is not None:
        written = found.group().replace(",", "")
        return float(written) if "." in written else int(written)
    han = _HAN_NUMBER.search(plain)
    return _han_number(han.group()) if han is not None else None


def read_date(text: str, now_ms: int, utc_offset_min: int) -> str | None:
    """A day as `2026-11-25`. Without a year the nearest such day that is not over counts."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    today = local(now_ms, utc_offset_min).date()
    found = _YMD.search(plain)
    if found is not None:
        return _day(int(found.group(1)), int(found.group(2)), int(found.group(3)))
    found = _MD.search(plain)
    if found is not None:
        month, day = int(found.group(1)), int(found.group(2))
        for year in range(today.year, today.year + 5):
            written = _day(year, month, day)
            if written is not None and written >= today.isoformat():
                return written
        return None
    for word, days in _DAYS.items():
        if word in plain:
            return (today + timedelta(days=days)).isoformat()
    return None


def choose(text: str, labels: Sequence[str]) -> int | None:
    """Which of `labels` is meant: by its words, by its number, or by "第二个"; `None`: none."""
    said = bare(text)
    named = [index for index, label in enumerate(labels) if bare(label) == said]
    if named:
        return named[0]
    ordinal = re.sub(r"^(?:第|选|no\.?\s*|number\s*|the\s+)", "", said)
    ordinal = re.sub(r"\s*(?:个|项|条|号|one)$", "", ordinal)
    index = int(ordinal) - 1 if re.fullmatch(r"[1-9]\d?", ordinal) else _ORDINALS.get(ordinal)
    if index is not None:
        return index if index < len(labels) else None
    # "the blue one, please": a label, and around it only words that say nothing else.
    held = [i for i, label in enumerate(labels) if bare(label) and _is_around(bare(label), said)]
    return held[0] if len(held) == 1 else None


def read_score(text: str) -> int | None:
    """One to five: a digit, a Chinese numeral, or that many stars."""
    stars = len(_STARS.findall(text))
    if stars:
        return stars if stars <= 5 else None
    plain = unicodedata.normalize("NFKC", text)
    found = _SCORE.findall(plain)
    if len(set(found)) == 1:
        return int(found[0])
    index = _ORDINALS.get(re.sub(r"(?:分|星|颗星)$", "", bare(text)))
    return index + 1 if index is not None and index < 5 else None


def _is_around(label: str, said: str) -> bool:
    if label not in said:
        return False
    rest = _FILLERS.sub("", said.replace(label, " ", 1))
    return re.search(r"\w", rest) is None


def _day(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def _han_number(text: str) -> int | None:
    if not any(c in _UNITS or c == "万" for c in text):
        # 一三八: digits one after the other, as in a code.
        return int("".join(str(_DIGITS[c]) for c in text))
    total = section = digit = 0
    for c in text:
        if c == "万":
            total, section, digit = (section + digit) * 10_000, 0, 0
        elif c in _UNITS:
            section += (digit or 1) * _UNITS[c]
            digit = 0
        else:
            digit = _DIGITS[c]
    return total + section + digit
