"""Search with a confidence that means something. Owns the ranking; refuses thresholds and answers.

The index proposes the nearest wordings; each proposed entry is then measured against the question:

    weight(t)  rarity of a term, ln(1 + (N - n + 1/2) / (n + 1/2)); a single character counts 0.35
               of that. A term that no entry knows weighs the most, and nothing covers it.
    forward    the part of the question's weight found in the best wording
    backward   the part of the wording's weight found in the question
    around     the part of the question's weight found anywhere in the entry's wordings
    margin     how far the entry is ahead of the next one (or behind the first), in `Match.strength`

    confidence = 1 / (1 + exp(-(BIAS + FORWARD·forward + BACKWARD·backward + AROUND·around
                                     + MARGIN·margin)))

The coefficients were fitted on the sample: wordings held out one at a time (right or wrong entry)
and questions about other things (always wrong). Rule: nothing here waits; a search among hundreds
of entries takes well under a millisecond.
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
SINGLE: Final = 0.35
BIAS: Final = -6.0
FORWARD: Final = 5.0
BACKWARD: Final = 1.5
AROUND: Final = 4.0
MARGIN: Final = 3.0


class Hit(Struct, frozen=True, kw_only=True):
    """An entry that was found, and the probability that it answers the question."""

    entry: Entry
    confidence: float


class Match(Struct, frozen=True):
    """How one entry measures up to a question; each between 0 and 1."""

    forward: float
    backward: float
    around: float

    @property
    def strength(self) -> float:
        return 0.5 * self.forward + 0.2 * self.backward + 0.3 * self.around


class KnowledgeRetriever:
    """Searches one index folder. `version` names it."""

    def __init__(self, index: OpenIndex, *, version: str) -> None:
        self._index = index
        self._version = version

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
            sure = confidence(match, margin=match.strength - rival)
            hits.append(Hit(entry=self._index.entries[number], confidence=sure))
        return hits

    def measure(self, text: str) -> dict[int, Match]:
        """Measure the entries near `text`, by their number."""
        terms = grams(text)
        weights = {term: self._weight(term) for term in terms}
        total = sum(weights.values())
        best: dict[int, Match] = {}
        for number, wording in self._index.nearest(terms, limit=CANDIDATES):
            theirs = grams(wording)
            shared = sum(weights.get(term, 0.0) for term in theirs)
            match = Match(
                forward=shared / total,
                backward=shared / sum(map(self._weight, theirs)),
                around=0.0,
            )
            if number not in best or match.strength > best[number].strength:
                best[number] = match
        return {
            number: Match(match.forward, match.backward, self._around(number, weights) / total)
            for number, match in best.items()
        }

    def _weight(self, term: str) -> float:
        seen = self._index.frequency(term)
        rarity = math.log1p((self._index.size - seen + 0.5) / (seen + 0.5))
        return rarity * SINGLE if len(term) == 1 else rarity

    def _around(self, number: int, weights: dict[str, float]) -> float:
        known = {t for wording in self._index.entries[number].wordings() for t in grams(wording)}
        return sum(weight for term, weight in weights.items() if term in known)


def confidence(match: Match, *, margin: float) -> float:
    """The formula of this module's docstring."""
    z = BIAS + FORWARD * match.forward + BACKWARD * match.backward
    z += AROUND * match.around + MARGIN * margin
    return 1.0 / (1.0 + math.exp(-z))
