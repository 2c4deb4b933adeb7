"""How the house understands a message: what is loaded now, behind the AI worker's port.

Rule: everything here is in memory and takes well under a millisecond; a new version is swapped in
whole, between two messages.
"""

from pathlib import Path
from typing import Literal

from msgspec import Struct

from qingniao import samples
from qingniao.flow.events import Classified, Found, Hit, Moderated
from qingniao.knowledge.retriever import KnowledgeRetriever
from qingniao.understanding.intent import IntentModel
from qingniao.understanding.sensitive import SensitiveFilter, read_words
from qingniao.understanding.signals import read_signals
from qingniao.workers.heavy import INTENTS_FILE

__all__ = ["Learnt", "Mind", "open_learnt"]


class Learnt(Struct, frozen=True):
    """One version of what was learnt, open for use."""

    retriever: KnowledgeRetriever
    intents: IntentModel
    words: SensitiveFilter


def open_learnt(folder: Path, version: str) -> Learnt:
    """Open what `heavy.build` wrote. Reads files: not on the event loop."""
    return Learnt(
        KnowledgeRetriever.open(folder, version=version),
        IntentModel.load(folder / INTENTS_FILE),
        SensitiveFilter(read_words(samples.sensitive_lines())),
    )


class Mind:
    """`workers.ports.Senses` over the version in use."""

    def __init__(self) -> None:
        self._learnt: Learnt | None = None

    def use(self, learnt: Learnt) -> None:
        """From the next message on."""
        self._learnt = learnt

    @property
    def _now(self) -> Learnt:
        if self._learnt is None:
            raise RuntimeError("nothing is loaded yet: `use` comes before the first message")
        return self._learnt

    async def moderate(self, text: str) -> Moderated:
        """See `Senses.moderate`."""
        found = self._now.words.find(text)
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
