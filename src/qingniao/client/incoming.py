"""What this device is told: every entry once, in order, and what every conversation's state is.

Owns the cursors, the states and the gaps; refuses to keep entries. Rule: a cursor moves by one, and
only past an entry that was handed on or that this device wrote itself.
"""

from collections.abc import Callable, Iterable
from typing import Any

from qingniao.protocol.frames import Ack, Entry, Follow

__all__ = ["Incoming"]


class Incoming:
    """How far every conversation was received."""

    def __init__(self, ask: Callable[[Follow], None]) -> None:
        self._ask = ask
        self.cursors: dict[int, int] = {}
        """Conversation → last `seq` received."""
        self.states: dict[int, dict[str, Any]] = {}
        """Conversation → everything that `state` frames said, the latest of each field."""
        self.duplicates = 0
        self.gaps = 0
        self._mending: set[int] = set()

    def held(self) -> list[tuple[int, int]]:
        """(conversation, last `seq` received) of all that are followed, to go on from there;
        without the inbox."""
        return [(conversation, seq) for conversation, seq in self.cursors.items() if conversation]

    def resume(self, conversations: Iterable[tuple[int, dict[str, Any]]]) -> None:
        """There is a new connection, on which the server follows these conversations."""
        self._mending.clear()
        for conversation, fields in conversations:
            self.cursors.setdefault(conversation, 0)
            self.stated(conversation, fields)
        # The inbox has no entries to go on after: it is followed anew.
        if 0 in self.cursors:
            self._ask(Follow(0))

    def take(self, entry: Entry) -> bool:
        """True if it is the next one. Otherwise it is known, or what is missing was asked for and
        this one comes again behind it."""
        have = self.cursors.get(entry.conversation, 0)
        if entry.seq <= have:
            self.duplicates += 1
            return False
        if entry.seq != have + 1:
            self._mend(entry.conversation, have)
            return False
        self._mending.discard(entry.conversation)
        self.cursors[entry.conversation] = entry.seq
        return True

    def acked(self, ack: Ack, *, is_the_entry: bool) -> None:
        """Entry `seq` exists; with `is_the_entry` it is a message of this device, which the server
        does not send back."""
        have = self.cursors.get(ack.conversation)
        if have is None or ack.seq <= have:
            return  # not followed, or known
        if is_the_entry and ack.seq == have + 1:
            self._mending.discard(ack.conversation)
            self.cursors[ack.conversation] = ack.seq
        else:
            self._mend(ack.conversation, have)

    def stated(self, conversation: int, fields: dict[str, Any]) -> None:
        """Some fields of a state are new; `from` is the first entry that this device may see."""
        self.states.setdefault(conversation, {}).update(fields)
        first = fields.get("from")
        if first is not None:
            self.cursors[conversation] = max(self.cursors.get(conversation, 0), first - 1)

    def _mend(self, conversation: int, have: int) -> None:
        """Something is missing: ask for it, once however much follows the gap."""
        if conversation not in self._mending:
            self._mending.add(conversation)
            self.gaps += 1
            self._ask(Follow(conversation, have))
