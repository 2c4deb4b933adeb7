"""What one thing the house knows looks like. Owns the entry and its limits; refuses files and
search.

Rule: an `Entry` that exists is usable: it has a question, an answer and an id.
"""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from msgspec import Struct

__all__ = [
    "MAX_ALTERNATIVES",
    "MAX_ANSWER_CHARS",
    "MAX_QUESTION_CHARS",
    "Entry",
    "derive_id",
    "fault_of",
]

MAX_QUESTION_CHARS: Final = 500
MAX_ANSWER_CHARS: Final = 10_000
MAX_ALTERNATIVES: Final = 50
MAX_LABEL_CHARS: Final = 100


class Entry(Struct, frozen=True, kw_only=True):
    """A question, other wordings of it, and the answer that is shown."""

    id: str = ""
    title: str = ""
    """What a citation calls it, such as 《退换货规则》第 2 条."""
    question: str
    alternatives: tuple[str, ...] = ()
    answer: str
    category: str = ""

    def wordings(self) -> Iterator[str]:
        """Every way to ask that is known, the main one first."""
        yield self.question
        yield from self.alternatives

    def body(self) -> str:
        """What is known beyond the wordings: the answer often says what a question means."""
        return f"{self.title} {self.category} {self.answer}"


def derive_id(question: str) -> str:
    """The id of an entry that came without one: the same question gets the same id again."""
    return "q" + blake2b(question.strip().encode(), digest_size=6).hexdigest()


def fault_of(entry: Entry) -> str:
    """Say in a sentence what makes `entry` unusable; empty when nothing does."""
    if not entry.question.strip():
        return "The question is empty."
    if not entry.answer.strip():
        return "The answer is empty."
    wordings = list(entry.wordings())
    if any(len(wording) > MAX_QUESTION_CHARS for wording in wordings):
        return f"A question is longer than {MAX_QUESTION_CHARS} characters."
    if len(wordings) > MAX_ALTERNATIVES + 1:
        return f"There are more than {MAX_ALTERNATIVES} alternatives."
    if len(entry.answer) > MAX_ANSWER_CHARS:
        return f"The answer is longer than {MAX_ANSWER_CHARS} characters."
    if max(len(entry.id), len(entry.title), len(entry.category)) > MAX_LABEL_CHARS:
        return f"The id, title or category is longer than {MAX_LABEL_CHARS} characters."
    return ""
