"""Did the bot answer once? Pure: a log goes in, violations come out as sentences.

Owns what a log may hold of the flow's outcomes; refuses to judge what was said. Rule: an outcome
names the words that it deals with, deals with them once, and is stored whole.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from qingniao.protocol.frames import Entry, EntryType

__all__ = ["bot_violations"]


def bot_violations(log: Sequence[Entry]) -> Iterator[str]:
    """Each broken promise, a sentence; of one conversation, as agents see it."""
    by_seq = {entry.seq: entry for entry in log}
    conversation = log[0].conversation if log else 0
    dealt_with = [
        int(entry.body["answers"])
        for entry in log
        if entry.type == EntryType.STEP
        and isinstance(entry.body, dict)
        and "answers" in entry.body
        and "dropped" not in entry.body
    ]
    for earlier, later in pairwise(dealt_with):
        if later <= earlier:
            yield f"Conversation {conversation}: the bot dealt with {later} after {earlier}."
    for seq in dealt_with:
        if seq not in by_seq or by_seq[seq].sender != "v":
            yield f"Conversation {conversation}: the bot answered {seq}, which no visitor said."
    for entry in log:
        before = by_seq.get(entry.seq - 1)
        # An outcome is its step, then everything it says.
        is_behind = before is not None and before.type in (EntryType.STEP, EntryType.ANSWER)
        if entry.type == EntryType.ANSWER and not is_behind:
            yield f"Conversation {conversation}: answer {entry.seq} has lost its step."
