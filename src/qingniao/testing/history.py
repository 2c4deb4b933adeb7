"""Did everybody get what the protocol promises? Pure: a history of one conversation goes in,
violations come out as sentences.

Owns the promises of the protocol's sections 4 and 5 as checks; refuses to know how a history was
made. Rule: a check reports what it sees and takes no excuse; whoever records says what was promised
to whom (`Reader.first`, `Reader.is_whole`, `Look.is_last`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, Literal

from msgspec import Struct

from qingniao.protocol.frames import Entry, EntryType

__all__ = ["Fate", "History", "Look", "Reader", "Said", "Sender", "Sight", "violations"]

Fate = Literal["acked", "refused", "open"]
"""What the sender was told: it is stored, it never will be, or nothing."""

_NAMED: Final = 8
"""So many numbers are spelled out in one sentence."""


class Said(Struct, frozen=True):
    """One text that a device sent. `n` and `seq` as acked; `seq` is 0 when only a later message's
    place was told."""

    text: str
    fate: Fate = "open"
    n: int = 0
    seq: int = 0


class Sender(Struct, frozen=True, kw_only=True):
    """A device and what it sent, in the order of sending."""

    name: str
    said: Sequence[Said]


class Sight(Struct, frozen=True, kw_only=True):
    """What came on one connection: what was put on the screen, and every `seq` as it arrived.
    `was_mended`: the reader asked again for something missing, so that the rest may come twice."""

    shown: Sequence[Entry] = ()
    arrived: Sequence[int] = ()
    was_mended: bool = False


class Reader(Struct, frozen=True, kw_only=True):
    """A screen and what it showed, connection after connection. `sender` is the name of the
    `Sender` at the same device: it gets acks instead of its own entries. `first` is the first
    `seq` that it was promised (0: the first it saw); `is_whole`: it stayed until the end."""

    name: str
    sights: Sequence[Sight]
    sender: str = ""
    first: int = 0
    is_whole: bool = True


class Look(Struct, frozen=True, kw_only=True):
    """A stretch of the log that somebody read back. `acked`: texts of theirs that were acked before
    they asked. `is_last`: the log did not grow any more."""

    name: str
    entries: Sequence[Entry]
    acked: Sequence[str] = ()
    is_last: bool = False


class History(Struct, frozen=True, kw_only=True):
    """One conversation. Texts are unique, and only `senders` wrote texts. `log` was read back when
    all was over; `looks` are in the order of reading."""

    conversation: int
    log: Sequence[Entry]
    senders: Sequence[Sender] = ()
    readers: Sequence[Reader] = ()
    looks: Sequence[Look] = ()


def violations(history: History) -> list[str]:
    """Every promise that was broken, a sentence each; empty when all were kept."""
    places: dict[str, list[int]] = defaultdict(list)
    for entry in history.log:
        if entry.type == EntryType.TEXT:
            places[str(entry.body)].append(entry.seq)
    found = [*_of_log(history, places)]
    for sender in history.senders:
        found += _of_sender(sender, places)
    senders = {sender.name: sender for sender in history.senders}
    by_seq = {entry.seq: entry for entry in history.log}
    for reader in history.readers:
        found += _of_reader(reader, senders.get(reader.sender), by_seq, places)
    found += _of_looks(history.looks, by_seq, places)
    return [f"Conversation {history.conversation}: {sentence}" for sentence in found]


def _of_log(history: History, places: dict[str, list[int]]) -> Iterator[str]:
    """Gapless, each text once, and nobody's words but the senders'."""
    seqs = [entry.seq for entry in history.log]
    if seqs != list(range(1, len(seqs) + 1)):
        holes = sorted(set(range(1, max(seqs, default=0) + 1)) - set(seqs))
        yield f"the log does not count 1, 2, 3, …: missing {_some(holes)}."
    times = Counter(said.text for sender in history.senders for said in sender.said)
    for text, where in places.items():
        if times[text] == 0:
            yield f"{text!r} is stored at {where[0]}, and nobody sent it."
        elif len(where) > times[text]:
            yield f"{text!r} is stored {len(where)} times, at {_some(where)}."


def _of_sender(sender: Sender, places: dict[str, list[int]]) -> Iterator[str]:
    """Acked is stored where it was said to be, refused is not, and the order is kept."""
    for said in sender.said:
        where = places.get(said.text, [])
        if said.fate == "refused" and where:
            yield f"{said.text!r} of {sender.name} was refused and is stored at {where[0]}."
        elif said.fate == "acked" and not where:
            yield f"{said.text!r} of {sender.name} was acked at {said.seq} and is not in the log."
        elif said.fate == "acked" and said.seq and said.seq not in where:
            yield f"{said.text!r} of {sender.name} was acked at {said.seq} and is at {where[0]}."
    stored = [(places[s.text][0], s) for s in sender.said if s.text in places]
    for (before, earlier), (after, later) in pairwise(stored):
        if after < before:
            yield f"{sender.name} sent {earlier.text!r} before {later.text!r}; the log turns it."
    acked = [said for said in sender.said if said.fate == "acked"]
    for earlier, later in pairwise(acked):
        if earlier.n >= later.n:
            yield (
                f"{sender.name}'s {earlier.text!r} was acked as {earlier.n}, and {later.text!r}"
                f" behind it as {later.n}."
            )
    # An ack stands for everything before it.
    is_behind = False
    for said in reversed(sender.said):
        if said.fate == "acked":
            is_behind = True
        elif said.fate == "open" and is_behind:
            yield f"{sender.name} never heard of {said.text!r}, though of one sent after it."


def _of_reader(
    reader: Reader, sender: Sender | None, by_seq: dict[int, Entry], places: dict[str, list[int]]
) -> Iterator[str]:
    """Every entry once, in order, as it is in the log, from the first promised to the last."""
    shown = [entry for sight in reader.sights for entry in sight.shown]
    for earlier, later in pairwise(shown):
        if later.seq == earlier.seq:
            yield f"{reader.name} was shown {later.seq} twice."
        elif later.seq < earlier.seq:
            yield f"{reader.name} was shown {later.seq} after {earlier.seq}."
    yield from _compared(reader.name, "saw", shown, by_seq)
    for number, sight in enumerate(reader.sights, 1):
        again = [after for before, after in pairwise(sight.arrived) if after <= before]
        if again and not sight.was_mended:
            yield f"{reader.name}'s connection {number} brought {_some(again)} again."
    first = reader.first or (shown[0].seq if shown else 0)
    if not first:
        return
    own = (said for said in sender.said if said.fate == "acked") if sender is not None else ()
    known = {entry.seq for entry in shown}.union(*(places.get(said.text, ()) for said in own))
    last = max(by_seq, default=0) if reader.is_whole else max(known)
    missing = [seq for seq in range(first, last + 1) if seq not in known and seq in by_seq]
    if missing:
        yield f"{reader.name} never saw {_some(missing)}."


def _of_looks(
    looks: Sequence[Look], by_seq: dict[int, Entry], places: dict[str, list[int]]
) -> Iterator[str]:
    """Who was acked finds it; what was read once is there the next time; a page has no holes."""
    ends: dict[str, int] = {}
    for look in looks:
        seqs = [entry.seq for entry in look.entries]
        first, last = (seqs[0], seqs[-1]) if seqs else (0, 0)
        if seqs and seqs != list(range(first, last + 1)):
            yield f"{look.name} read a page that does not count up from {first}."
        yield from _compared(look.name, "read", look.entries, by_seq)
        found = {str(entry.body) for entry in look.entries if entry.type == EntryType.TEXT}
        for text in look.acked:
            if text not in found and max(places.get(text, [0])) >= first:
                yield f"{look.name} had an ack for {text!r} and did not find it."
        if last < ends.get(look.name, 0):
            yield f"{look.name} read up to {ends[look.name]} and later only up to {last}."
        ends[look.name] = max(last, ends.get(look.name, 0))
        if look.is_last and last != max(by_seq, default=0):
            yield f"{look.name} read up to {last}, and the log ends at {max(by_seq, default=0)}."


def _compared(
    name: str, did: str, entries: Sequence[Entry], by_seq: dict[int, Entry]
) -> Iterator[str]:
    """There is one log: who sees an entry sees what is stored, or that it is hidden."""
    for entry in entries:
        stored = by_seq.get(entry.seq)
        if stored is None:
            yield f"{name} {did} {entry.seq}, which is not in the log."
        elif not _is_view_of(entry, stored):
            yield f"{name} {did} something else at {entry.seq} than the log has."


def _is_view_of(seen: Entry, stored: Entry) -> bool:
    if seen.time != stored.time:
        return False
    if EntryType.HIDDEN in (seen.type, stored.type):
        return EntryType.TEXT not in (seen.type, stored.type)
    is_same = (seen.sender, seen.type) == (stored.sender, stored.type)
    # Visitors are not told why they were handed over.
    return is_same and (seen.type == EntryType.STATUS or seen.body == stored.body)


def _some(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return ", ".join(map(str, numbers[:_NAMED])) + more
