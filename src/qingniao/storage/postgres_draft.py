"""What a batch of intents would append, decided on heads as they were last seen.

Owns the decisions of one batch and the columns of what they write; refuses to know a connection.
Rule: nothing in here is true until the database has found the heads unchanged.
"""

import secrets
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Final

import msgspec
from msgspec import Struct

from qingniao.chat.head import DEVICES_KEPT, Head, fold
from qingniao.chat.intake import Decision, Intent, Message, Rename, decide
from qingniao.chat.ports import Role, owes
from qingniao.protocol.codes import Code
from qingniao.storage.message_keys import record_of

__all__ = ["Draft", "Sent", "Standing", "forgotten_by", "is_number"]

_encode: Final = msgspec.msgpack.Encoder().encode

Sent = tuple[int, int]
"""The highest `n` of a device, and the `seq` that it got."""


def is_number(conversation: int) -> bool:
    """Can there be a conversation of this number? Clients may ask for any."""
    return 0 < conversation < 1 << 63


class Standing(Struct):
    """A head with its version in the database and the time of its last entry."""

    version: int
    touched: int
    head: Head


class Draft:
    """The decisions of one batch, in order, and what they change."""

    def __init__(
        self,
        intents: Sequence[Intent],
        now_ms: int,
        seen: Mapping[int, Standing],
        devices: Mapping[tuple[int, str], Sent],
    ) -> None:
        """`seen` has the heads of all conversations that there are; `devices` what heads have let
        go of those who send now."""
        self._seen = seen
        self._devices = dict(devices)
        self._now_ms = now_ms
        # Not a count: a server that lost its last commits may give the same number to others.
        self._fresh = secrets.randbits(62) + 1
        self._changed: dict[int, Standing] = {}
        self._doubtful: dict[int, int] = {}
        self._entries: tuple[list[int], list[int], list[bytes]] = ([], [], [])
        self._let_go: dict[tuple[int, str], Sent] = {}
        self.decisions = [self._decide(intent) for intent in intents]

    @property
    def changed(self) -> Mapping[int, Standing]:
        """Where the conversations stand if the draft is accepted."""
        return self._changed

    @property
    def is_certain(self) -> bool:
        """Is it true whatever the database says? So are repeats: nobody makes a number small."""
        return not self._changed and not self._doubtful

    def columns(self) -> tuple[object, ...]:
        """The arguments of `messages.append`."""
        conversations = sorted(self._changed)
        standings = [self._changed[c] for c in conversations]
        heads = [standing.head for standing in standings]
        versions = [self._version(c) for c in conversations]
        let_go = sorted(self._let_go.items())
        checked = {c: self._version(c) for c in self._doubtful} | dict(
            zip(conversations, versions, strict=True)
        )
        return (
            self._fresh, [*checked], [*checked.values()],
            [*conversations], [*versions],
            [head.last for head in heads],
            [standing.touched for standing in standings],
            [owes(head, Role.AI) for head in heads],
            [owes(head, Role.ASSIGNMENT) for head in heads],
            [_encode(head) for head in heads],
            [*self._entries[0]], [*self._entries[1]], [*self._entries[2]],
            [conversation for (conversation, _), _ in let_go],
            [device.encode() for (_, device), _ in let_go],
            [n for _, (n, _) in let_go],
            [seq for _, (_, seq) in let_go],
        )  # fmt: skip

    def _version(self, conversation: int) -> int:
        seen = self._seen.get(conversation)
        return seen.version if seen is not None else 0

    def _decide(self, intent: Intent) -> Decision:
        conversation = intent.conversation
        standing = self._changed.get(conversation) or self._copy(intent)
        if standing is None:
            if is_number(conversation):
                self._doubtful[conversation] = 0
            return Decision(intent, [], code=Code.NOT_YOURS, text="No such conversation.")
        head = standing.head
        recalled = self._recall(head, intent) if type(intent) is Message else ""
        # Clocks of several machines differ: within a conversation time does not go back.
        now_ms = max(self._now_ms, standing.touched)
        decision = decide(head, intent, now_ms)
        if type(intent) is Rename:
            head.visitor_name = intent.name
        elif not decision.entries:
            if recalled:
                del head.devices[recalled]
            if not (decision.repeat and type(intent) is Message):
                self._doubtful[conversation] = 0
            return decision
        self._changed[conversation] = standing
        self._append(standing, decision, now_ms)
        return decision

    def _append(self, standing: Standing, decision: Decision, now_ms: int) -> None:
        head = standing.head
        conversation, device, n = head.conversation, decision.device, decision.n
        conversations, seqs, records = self._entries
        for entry in decision.entries:
            frame = _encode(entry)
            decision.frames.append(frame)
            decision.head = head
            conversations.append(conversation)
            seqs.append(entry.seq)
            records.append(record_of(device, n, frame))
            standing.touched = now_ms
            forgotten = fold(head, entry, device, n)
            if forgotten is not None:
                name, sent = forgotten
                self._let_go[conversation, name] = self._devices[conversation, name] = sent

    def _copy(self, intent: Intent) -> Standing | None:
        """To fold entries into; its version is the one that it will have."""
        seen = self._seen.get(intent.conversation)
        if seen is not None:
            head = copy(seen.head)
            head.devices = dict(head.devices)
            return Standing(self._fresh, seen.touched, head)
        if type(intent) is Message and intent.visitor and is_number(intent.conversation):
            return Standing(self._fresh, 0, Head(intent.conversation, intent.visitor))
        return None

    def _recall(self, head: Head, message: Message) -> str:
        """Bring back what the head let go of the sender, so that a repeat is known as one.

        Returns the device that came back, "" for none.
        """
        device = f"{message.sender}/{message.device}"
        if device in head.devices:
            return ""
        sent = self._devices.get((head.conversation, device))
        if sent is None:
            return ""
        head.devices[device] = sent
        return device


def forgotten_by(seen: Mapping[int, Standing], intents: Sequence[Intent]) -> list[tuple[int, str]]:
    """The senders that their heads may have let go: the database knows."""
    found: dict[tuple[int, str], None] = {}
    for intent in intents:
        standing = seen.get(intent.conversation)
        if standing is None or type(intent) is not Message:
            continue
        devices = standing.head.devices
        if len(devices) >= DEVICES_KEPT:
            device = f"{intent.sender}/{intent.device}"
            if device not in devices:
                found[intent.conversation, device] = None
    return list(found)
