"""How the house understands a message: what is loaded now, behind the AI worker's port.

Rule: everything here is in memory and takes well under a millisecond; a new version is swapped in
whole, between two messages.
"""

from typing import Literal

from qingniao import samples
from qingniao.flow.events import Classified, Found, Hit, Moderated
from qingniao.training import Built
from qingniao.understanding.sensitive import SensitiveFilter, read_words
from qingniao.understanding.signals import read_signals

__all__ = ["Mind"]


class Mind:
    """`workers.ports.Senses` over the version in use."""

    def __init__(self) -> None:
        """Reads the word list of the package: create it at start."""
        self._words = SensitiveFilter(read_words(samples.sensitive_lines()))
        self._learnt: Built | None = None

    def use(self, learnt: Built) -> None:
        """From the next message on."""
        self._learnt = learnt

    @property
    def _now(self) -> Built:
        if self._learnt is None:
            raise RuntimeError("nothing is loaded yet: `use` comes before the first message")
        return self._learnt

    async def moderate(self, text: str) -> Moderated:
        """See `Senses.moderate`."""
        found = self._words.find(text)
        words = tuple(dict.fromkeys(hit.word.text for hit in found))
        actions = {hit.word.action for hit in found}
        verdict: Literal["clean", "flagged", "blocked"] = (
            "blocked" if "block" in actions else "flagged" if actions else "clean"
        )
        return Moderated(verdict=verdict, words=words)

    async def classify(self, text: str) -> Classified:
        """See `Senses.classify`."""
        ranking = self._now.intents.predict(text)
        signals = read_signals(text, ranking)
        return Classified(
            intent=ranking.label,
            confidence=ranking.probability,
            wants_person=signals.wants_person,
            angry=signals.angry,
            why=signals.why,
        )

    async def search(self, text: str, limit: int) -> Found:
        """See `Senses.search`."""
        hits = self._now.retriever.search(text, limit=limit)
        return Found(
            hits=tuple(
                Hit(id=hit.entry.id, question=hit.entry.question, confidence=hit.confidence)
                for hit in hits
            )
        )
