"""What came of a replay. Rule: lost and repeated are counted against the server's own log.

A message is *lost* when it was acked and the log does not have it at its `seq`, or when the log
has an entry that the visitor never saw although they saw later ones. It is *repeated* when the log
has it more often than it was said.
"""

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from qingniao.protocol.frames import Entry, EntryType
from qingniao.replay.people import Agent, Visitor

__all__ = ["Report", "check", "percentile", "summarise"]


class Report(Struct, frozen=True, kw_only=True):
    """The figures of one replay. Times in milliseconds."""

    visitors: int
    sent: int
    acked: int
    resent: int
    reconnects: int
    answered_by_bot: int
    answered_by_people: int
    handed_over: int
    unanswered: int
    lost: int
    repeated: int
    first_answer_p50_ms: float
    first_answer_p99_ms: float
    took_s: float
    problems: tuple[str, ...] = ()


def check(visitor: Visitor, log: Sequence[Entry]) -> tuple[int, int, list[str]]:
    """(lost, repeated, a sentence each) of one conversation."""
    problems: list[str] = []
    by_seq = {entry.seq: entry for entry in log}
    lost = repeated = 0
    for seq, text in visitor.said:
        entry = by_seq.get(seq)
        if entry is None or entry.body != text:
            lost += 1
            problems.append(f"{visitor.conversation}: message {seq} was acked and is not there.")
    own = {seq for seq, _ in visitor.said}
    horizon = max(visitor.seen, default=0)
    for entry in log:
        if entry.seq <= horizon and entry.seq not in visitor.seen and entry.seq not in own:
            lost += 1
            problems.append(f"{visitor.conversation}: entry {entry.seq} never reached the visitor.")
    stored = Counter(str(e.body) for e in log if e.sender == "v" and e.type == EntryType.TEXT)
    said = Counter(text for _, text in visitor.said)
    for text, count in stored.items():
        if count > said[text]:
            repeated += count - said[text]
            problems.append(f"{visitor.conversation}: a message is stored {count} times.")
    seqs = [entry.seq for entry in log]
    if seqs != list(range(1, len(seqs) + 1)):
        lost += 1
        problems.append(f"{visitor.conversation}: the log has holes.")
    order = [seq for seq, _ in visitor.said]
    if order != sorted(order):
        repeated += 1
        problems.append(f"{visitor.conversation}: messages are out of order.")
    return lost, repeated, problems


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def summarise(
    visitors: Sequence[Visitor],
    agents: Sequence[Agent],
    checks: Sequence[tuple[int, int, list[str]]],
    took_s: float,
) -> Report:
    """The figures of a whole run."""
    first = [ms for visitor in visitors for ms in visitor.first_answers_ms]
    return Report(
        visitors=len(visitors),
        sent=sum(visitor.sent for visitor in visitors),
        acked=sum(len(visitor.said) for visitor in visitors),
        resent=sum(visitor.repeats for visitor in visitors),
        reconnects=sum(visitor.client.connects - 1 for visitor in visitors),
        answered_by_bot=sum(visitor.by_bot for visitor in visitors),
        answered_by_people=sum(agent.answered for agent in agents),
        handed_over=sum(visitor.was_handed_over for visitor in visitors),
        unanswered=sum(visitor.unanswered for visitor in visitors),
        lost=sum(lost for lost, _, _ in checks),
        repeated=sum(repeated for _, repeated, _ in checks),
        first_answer_p50_ms=round(percentile(first, 0.5), 1),
        first_answer_p99_ms=round(percentile(first, 0.99), 1),
        took_s=round(took_s, 1),
        problems=tuple(problem for _, _, found in checks for problem in found)[:20],
    )
