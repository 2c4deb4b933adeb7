"""What a double answers: the sample shop's questions and answers, found by shared words.

Owns the search and how an answer is cut into pieces; refuses to be clever. Rule: the same question
gets the same answer, the same pieces and the same ids, whenever it is asked.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Struct

from qingniao import samples
from qingniao.knowledge.grams import grams

__all__ = ["Entry", "Faq", "Shelf", "made_id", "pieces", "tokens"]

_UNKNOWN: Final = "抱歉，我没有找到相关的资料。您可以换个说法，或者说“转人工”，由同事来帮您。"
_AFTER: Final = ("退货", "换货", "退款", "质量问题", "破损少件", "保修", "价保", "发票")
_DELIVERY: Final = ("物流", "运费", "地址", "海外")
_BEFORE: Final = (
    "尺码", "面料洗护", "优惠券", "会员积分", "预售", "缺货", "礼品", "门店", "支付",
)  # fmt: skip
_LOOKS_AFTER: Final = {
    "售后": _AFTER, "物流": _DELIVERY, "售前": _BEFORE,
    "after": _AFTER, "deliver": _DELIVERY, "sales": _BEFORE,
}  # fmt: skip
"""Which categories a team with this in its name gets; the first that fits wins."""
_MEANS: Final = {
    "转人工": "handoff", "人工": "handoff", "投诉": "anger", "问候": "greeting", "感谢": "thanks",
    "再见": "goodbye", "闲聊": "chitchat",
}  # fmt: skip
"""Which of the sample intents a label means."""
_UNIT: Final = re.compile(r"(小?组|部门?|团队|\s*team)$")
_GREETING: Final = re.compile(r"(您好|你好|哈喽|嗨|在吗|hi|hello)\W*", re.I)
_SURE: Final = 0.45
_PIECES: Final = re.compile(r"[A-Za-z0-9]+\s?|\s+|[^\x00-\x7f]{1,3}|.", re.S)
_WORDS: Final = re.compile(r"[a-z0-9]+|[^\x00-\x7f]")


class Entry(Struct, frozen=True, kw_only=True):
    """One question of the shop and its answer."""

    id: str
    title: str
    question: str
    answer: str
    category: str
    alternatives: tuple[str, ...] = ()


class _File(Struct, frozen=True):
    entries: tuple[Entry, ...]


class Shelf:
    """Entries that can be searched."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self.by_id = {entry.id: entry for entry in self.entries}
        self._wordings = [
            (frozenset(grams(text)), entry)
            for entry in self.entries
            for text in (entry.question, *entry.alternatives)
        ]
        self.search = lru_cache(4_096)(self._search)

    def _search(self, text: str) -> tuple[tuple[Entry, float], ...]:
        """The three best with a score from 0 to 1, best first; none below what is worth showing."""
        asked = frozenset(grams(text))
        best: dict[str, tuple[float, Entry]] = {}
        for terms, entry in self._wordings:
            score = _alike(asked, terms)
            if score > best.get(entry.id, (0.0, entry))[0]:
                best[entry.id] = (score, entry)
        ranked = sorted(best.values(), key=lambda pair: (-pair[0], pair[1].id))
        return tuple((entry, round(score, 4)) for score, entry in ranked[:3] if score >= _SURE / 2)

    def sources(self, text: str) -> tuple[tuple[Entry, float], ...]:
        """The same, but nothing unless the best of them is an answer."""
        found = self.search(text)
        return found if found and found[0][1] >= _SURE else ()


class Faq(Shelf):
    """The sample shop. Reads files when made: not on the event loop."""

    def __init__(self) -> None:
        super().__init__(msgspec.json.decode(samples.knowledge_file(), type=_File).entries)
        self._greeting = samples.site().greeting["zh-CN"]
        self._intents = samples.intents()

    def choice(self, labels: Sequence[str], text: str) -> str:
        """Which of the labels a question belongs to; empty when none does.

        A label may be a category of the sample shop, an intent, or a team that looks after some
        of the categories (`售后组`).
        """
        for label in labels:
            stem = _UNIT.sub("", label.lower())
            if stem and stem in text.lower():
                return label
        found = self.sources(text)
        category = found[0][0].category if found else ""
        for label in labels:
            if category and (category in label or any(
                word in label.lower() and category in _LOOKS_AFTER[word] for word in _LOOKS_AFTER
            )):  # fmt: skip
                return label
        return self._intent(labels, text, knows=bool(category))

    def _intent(self, labels: Sequence[str], text: str, *, knows: bool) -> str:
        asked = frozenset(grams(text)) or frozenset((text.strip().lower(),))
        best, best_score = "", _SURE
        for label in labels:
            for example in self._intents.get(_MEANS.get(label, label), ()):
                score = _alike(asked, frozenset(grams(example)) or frozenset((example.lower(),)))
                if score > best_score:
                    best, best_score = label, score
        return best or ("question" if knows and "question" in labels else "")

    def answer(self, text: str) -> tuple[str, tuple[tuple[Entry, float], ...]]:
        """What to say, and the sources it rests on; none when the shop does not know."""
        if _GREETING.fullmatch(text.strip()):
            return self._greeting, ()
        found = self.sources(text)
        return (found[0][0].answer, found) if found else (_UNKNOWN, ())


def _alike(one: frozenset[str], other: frozenset[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other)) if one and other else 0.0


def pieces(text: str) -> list[str]:
    """As a model would stream it: a word or up to three characters at a time."""
    return _PIECES.findall(text)


def tokens(text: str) -> int:
    """About what a model would count."""
    return len(_WORDS.findall(text.lower()))


def made_id(*parts: str, digits: int = 0) -> str:
    """A UUID made of the parts, or a number of so many digits: the same parts, the same id."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
    if digits:
        return "7" + str(int(digest, 16))[: digits - 1]
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
