"""What a drill did to people, in figures. Pure: histories go in, a verdict comes out.

Owns what counts as lost, repeated and given twice; refuses to know the fault. Rule: whatever the
history checker says is kept as its sentence beside the figures.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from qingniao.protocol.frames import Entry, EntryType
from qingniao.testing.history import History, violations
from qingniao.testing.outcomes import bot_violations

__all__ = ["Verdict", "given_twice", "judged", "lost", "repeated"]


class Verdict(Struct, kw_only=True):
    """One drill. Times in seconds; `figures` are what the drill counted."""

    name: str
    violations: list[str]
    lost: int = 0
    repeated: int = 0
    given_twice: int = 0
    acked: int = 0
    assigned: int = 0
    """Conversations that asked for a person, and have been served."""
    ack_s: float = 0.0
    delivery_s: float = 0.0
    answer_s: float = 0.0
    unheard_s: float = 0.0
    queue_s: float = 0.0
    """The longest that a newcomer waited for a person."""
    figures: dict[str, float] = {}
    logs: str = ""
    """The end of what every process wrote, if the drill did not end well."""

    def __str__(self) -> str:
        figures = "".join(f", {name} {value:g}" for name, value in self.figures.items())
        return (
            f"{self.name}: {self.acked} acked, {self.lost} lost, {self.repeated} repeated, "
            f"{self.assigned} assigned, {self.given_twice} twice; worst silence: ack "
            f"{self.ack_s:.1f} s, delivery {self.delivery_s:.1f} s, answer {self.answer_s:.1f} s, "
            f"unheard {self.unheard_s:.1f} s, queue {self.queue_s:.1f} s{figures}"
        )


def judged(verdict: Verdict, histories: Sequence[History]) -> Verdict:
    """`verdict` with what the histories say."""
    for history in histories:
        verdict.violations += [*violations(history), *bot_violations(history.log)]
        twice = [*given_twice(history.log)]
        verdict.violations += twice
        verdict.given_twice += len(twice)
        verdict.lost += lost(history)
        verdict.repeated += repeated(history)
    return verdict


def lost(history: History) -> int:
    """Texts that were acked and are not in the log."""
    stored = {str(entry.body) for entry in history.log if entry.type == EntryType.TEXT}
    return sum(
        said.fate == "acked" and said.text not in stored
        for sender in history.senders
        for said in sender.said
    )


def repeated(history: History) -> int:
    """Texts stored again, entries shown again on one screen, questions the bot dealt with again."""
    texts = Counter(str(entry.body) for entry in history.log if entry.type == EntryType.TEXT)
    said = Counter(said.text for sender in history.senders for said in sender.said)
    count = sum(max(0, times - max(1, said[text])) for text, times in texts.items())
    for reader in history.readers:
        seqs = [entry.seq for sight in reader.sights for entry in sight.shown]
        count += len(seqs) - len(set(seqs))
    answers = Counter(
        entry.body["answers"]
        for entry in history.log
        if entry.type == EntryType.STEP
        and isinstance(entry.body, dict)
        and "answers" in entry.body
        and "dropped" not in entry.body
    )
    return count + sum(times - 1 for times in answers.values())


def given_twice(log: Sequence[Entry]) -> Iterator[str]:
    """Each time that somebody was given a conversation that another had, or that changed hands
    from where it was not; a sentence each."""
    moves = [
        entry for entry in log if entry.type == EntryType.STATUS and isinstance(entry.body, dict)
    ]
    where = "bot"
    for entry in moves:
        body = entry.body
        if not isinstance(body, dict):
            continue
        if body["from"] != where:
            yield (
                f"Conversation {entry.conversation}: {entry.seq} moves it from {body['from']}, "
                f"and it was {where}."
            )
        where = body["to"]
    for before, after in pairwise(moves):
        if _gives(before) and _gives(after):
            yield (
                f"Conversation {after.conversation}: given at {before.seq}, and again at "
                f"{after.seq}."
            )


def _gives(entry: Entry) -> bool:
    body = entry.body
    return isinstance(body, dict) and body["to"] == "open" and body["by"] == "s"
