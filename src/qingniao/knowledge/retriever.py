"""Search with a confidence that means something. Owns the ranking; refuses thresholds and answers.

The index proposes the nearest wordings and bodies; each proposed entry is then measured:

    weight(t)  rarity of a term, ln(1 + (N - n + 1/2) / (n + 1/2)); a single character counts 0.35
               of that, a term that no entry knows 1.6 of it: nothing can cover it, and what a
               question about something else has in common with ours is "how" and "when".
    forward    the part of the question's weight found in the best wording
    backward   the part of that wording's weight found in the question
    around     the part of the question's weight found anywhere in the entry's wordings
    body       the part of the question's weight found in title, category and answer
    strength   0.2 forward + 0.2 backward + 0.3 around + 0.3 body
    margin     how far its strength is ahead of the next entry's, or behind the first one's

    confidence = 1 / (1 + exp(-(BIAS + STRENGTH * strength + MARGIN * margin)))

The coefficients are a logistic fit on every second question of `tests/data/questions_shop.txt`
against remarks from other kinds of business; the other questions measure it. Rule: nothing here
waits; a search among some hundred entries takes under a millisecond.
"""

import math
from pathlib import Path
from typing import Final

from msgspec import Struct

from qingniao.knowledge.entries import Entry
from qingniao.knowledge.grams import grams
from qingniao.knowledge.index import OpenIndex, open_index

__all__ = ["Hit", "KnowledgeRetriever"]

CANDIDATES: Final = 24
REMEMBERED: Final = 50_000

SINGLE: Final = 0.35
UNKNOWN: Final = 1.6
BIAS: Final = -5.4
STRENGTH: Final = 10.2
MARGIN: Final = 18.3


class Hit(Struct, frozen=True, kw_only=True):
    """An entry that was found, and the probability that it answers the question."""

    entry: Entry
    confidence: float


class Match(Struct, frozen=True):
    """How one entry measures up to a question; each between 0 and 1."""

    forward: float
    backward: float
    around: float
    body: float

    @property
    def strength(self) -> float:
        return 0.2 * (self.forward + self.backward) + 0.3 * (self.around + self.body)


class KnowledgeRetriever:
    """Searches one index folder. `version` names it."""

    def __init__(self, index: OpenIndex, *, version: str) -> None:
        self._index = index
        self._version = version
        self._weights: dict[str, float] = {}

    @classmethod
    def open(cls, folder: Path, *, version: str) -> "KnowledgeRetriever":
        """Open `folder`. Reads files: not on the event loop. Raises `IndexUnusable`."""
        return cls(open_index(folder), version=version)

    @property
    def version(self) -> str:
        return self._version

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self._index.entries

    def search(self, text: str, *, limit: int = 3) -> list[Hit]:
        """The entries that may answer `text`, best first, each once; empty when nothing matches."""
        ranked = sorted(self.measure(text).items(), key=lambda pair: -pair[1].strength)
        hits = []
        for place, (number, match) in enumerate(ranked[:limit]):
            rival = ranked[1 if place == 0 else 0][1].strength if len(ranked) > 1 else 0.0
            sure = confidence(match.strength, margin=match.strength - rival)
            hits.append(Hit(entry=self._index.entries[number], confidence=sure))
        return hits

    def measure(self, text: str) -> dict[int, Match]:
        """Measure the entries near `text`, by their number."""
        terms = grams(text)
        weights = {term: self._weight(term) for term in terms}
        total = sum(weights.values())
        best: dict[int, tuple[float, float]] = {}
        for number, wording in self._index.nearest(terms, limit=CANDIDATES):
            theirs = grams(wording)
            shared = sum(weights.get(term, 0.0) for term in theirs)
            whole = sum(map(self._weight, theirs)) or 1.0
            best[number] = max(best.get(number, (0.0, 0.0)), (shared / total, shared / whole))
        found = {}
        spaced = [(f" {term} ", weight) for term, weight in weights.items()]
        for number, (forward, backward) in best.items():
            known = self._index.known[number]
            around = sum([weight for term, weight in spaced if term in known.asked])
            body = sum([weight for term, weight in spaced if term in known.told])
            found[number] = Match(forward, backward, around / total, body / total)
        return found

    def _weight(self, term: str) -> float:
        weight = self._weights.get(term)
        if weight is None:
            seen = self._index.frequency(term)
            weight = math.log1p((self._index.size - seen + 0.5) / (seen + 0.5))
            if len(term) == 1:
                weight *= SINGLE
            if not seen:
                weight *= UNKNOWN
            if len(self._weights) < REMEMBERED:
                self._weights[term] = weight
        return weight


def confidence(strength: float, *, margin: float) -> float:
    """The formula of this module's docstring."""
    return 1.0 / (1.0 + math.exp(-(BIAS + STRENGTH * strength + MARGIN * margin)))
