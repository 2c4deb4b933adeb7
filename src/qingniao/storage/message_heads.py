"""Where the conversations stand, in memory: heads, what of them is on disk, and who owes work.

Owns the cache of heads and the marks; refuses to change where a conversation stands, except how far
it was read. Rule: what a head in here says is on disk, its read marks aside; what is being written
takes its place only after the write.

A head is written when the conversation begins and every so many entries; in between it is the
snapshot folded with the entries after it, which keeps the bytes written per message low. For the
same reason a mark that is cleared stays on disk for a while: the next message of the conversation
finds it there. After a crash it counts again, and its worker sees that nothing is owed.
"""

from collections.abc import Iterable
from copy import copy
from typing import Final

import msgspec
from rocksdict import WriteBatch

from qingniao.chat.head import Head, fold
from qingniao.chat.ports import ReadMark, Role, owes
from qingniao.storage.message_engine import Engine
from qingniao.storage.message_keys import entry_of, head_key, mark_key, origin_of

__all__ = ["CLEARED_KEPT", "Heads"]

CLEARED_KEPT: Final = 2_000
"""Cleared marks of one role that are left on disk; above it the older half goes (policy:
drop_oldest)."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_head: Final = msgspec.msgpack.Decoder(Head).decode


class Heads:
    """The heads of the conversations that were of interest last, and the marks of all."""

    def __init__(self, engine: Engine, snapshot_every: int, kept: int) -> None:
        self._engine = engine
        self._snapshot_every = snapshot_every
        self._kept = kept
        self._heads: dict[int, Head] = {}
        self._snapshots: dict[int, int] = {}
        self._unsaved: set[int] = set()
        self.writing: dict[int, Head] = {}
        """Conversations whose latest entries are in the engine and may not be on disk: what is not
        in memory of them must not be read yet."""
        self._read_marks()

    def __len__(self) -> int:
        return len(self._heads)

    def find(self, conversation: int) -> Head | None:
        """The head, from memory or from disk; `None` if nothing was ever said."""
        head = self._heads.get(conversation)
        if head is None and conversation not in self.writing:
            head = self._load(conversation)
            if head is not None:
                self._heads[conversation] = head
        return head

    def copy_of(self, conversation: int) -> Head | None:
        """A head to fold entries into that are not on disk yet."""
        head = self.find(conversation)
        if head is None:
            return None
        copied = copy(head)
        copied.devices = dict(head.devices)
        return copied

    def put(
        self, batch: WriteBatch, touched: dict[int, Head]
    ) -> tuple[set[int], list[tuple[Role, int]]]:
        """Put snapshots and marks of the conversations in this batch; returns what was put."""
        saved: set[int] = set()
        marked: list[tuple[Role, int]] = []
        for conversation, head in touched.items():
            before = self._heads.get(conversation)
            is_new = before is None or before.visitor_name != head.visitor_name
            since = head.last - self._snapshots.get(conversation, 0)
            if is_new or since >= self._snapshot_every:
                batch.put(head_key(conversation), _encode(head))
                saved.add(conversation)
            for role, marks in self.marks.items():
                if conversation not in marks and owes(head, role):
                    marked.append((role, conversation))
                    if conversation in self._cleared[role]:
                        # From here on it is not cleared: nobody may take it off the disk.
                        del self._cleared[role][conversation]
                    else:
                        batch.put(mark_key(role, conversation), b"")
        return saved, marked

    def install(
        self, touched: dict[int, Head], saved: set[int], marked: list[tuple[Role, int]]
    ) -> None:
        """The batch is on disk: these heads and marks are true now."""
        for conversation, head in touched.items():
            self._install(conversation, head, is_saved=conversation in saved)
        for role, conversation in marked:
            self.marks[role].add(conversation)
        self.evict()

    def _install(self, conversation: int, head: Head, *, is_saved: bool) -> None:
        before = self._heads.get(conversation)
        if before is not None:
            # Somebody may have read on while this was being written.
            if (before.read_visitor, before.read_agent) == (head.read_visitor, head.read_agent):
                if is_saved:
                    self._unsaved.discard(conversation)
            else:
                head.read_visitor = max(head.read_visitor, before.read_visitor)
                head.read_agent = max(head.read_agent, before.read_agent)
        self._heads[conversation] = head
        if is_saved:
            self._snapshots[conversation] = head.last

    def clear(self, role: Role, conversation: int) -> None:
        """`role` owes it nothing any more."""
        self.marks[role].discard(conversation)
        self._cleared[role][conversation] = None

    def put_cleared(self, batch: WriteBatch, keep: int = CLEARED_KEPT) -> None:
        """Put the end of cleared marks, if there are more than `keep`. If the batch is not written
        they come back with the next start."""
        for role, cleared in self._cleared.items():
            if len(cleared) > keep:
                for conversation in list(cleared)[: len(cleared) - keep // 2]:
                    del cleared[conversation]
                    batch.delete(mark_key(role, conversation))

    def mark_read(self, marks: Iterable[ReadMark]) -> dict[int, tuple[int, int]]:
        """See `MessageLog.mark_read`."""
        news: dict[int, tuple[int, int]] = {}
        for conversation, is_agent, seq in marks:
            head = self.find(conversation)
            if head is None:
                continue
            seq = min(seq, head.last)
            if seq <= (head.read_agent if is_agent else head.read_visitor):
                continue
            if is_agent:
                head.read_agent = seq
            else:
                head.read_visitor = seq
            self._unsaved.add(conversation)
            news[conversation] = head.read_visitor, head.read_agent
        return news

    def put_unsaved(self, batch: WriteBatch) -> set[int]:
        """Put the heads with new read marks; returns the conversations, for `keep_unsaved`."""
        unsaved, self._unsaved = self._unsaved, set()
        for conversation in unsaved:
            head = self._heads.get(conversation)
            if head is not None:
                batch.put(head_key(conversation), _encode(head))
        return unsaved

    def keep_unsaved(self, conversations: set[int]) -> None:
        """The batch of `put_unsaved` was not written."""
        self._unsaved |= conversations

    def reload(self, conversations: Iterable[int]) -> None:
        """It is not known here how a write ended: the disk knows."""
        for conversation in conversations:
            self._heads.pop(conversation, None)
            self._snapshots.pop(conversation, None)
            self._unsaved.discard(conversation)
        self._read_marks()

    def reload_all(self) -> None:
        """The same for everything in memory."""
        self.writing = {}
        self.reload(list(self._heads))

    def evict(self) -> None:
        """Keep the bound."""
        surplus = len(self._heads) - self._kept
        if surplus <= 0:
            return
        for conversation in list(self._heads)[: surplus + self._kept // 10]:
            if conversation not in self._unsaved and conversation not in self.writing:
                del self._heads[conversation]
                self._snapshots.pop(conversation, None)

    def _read_marks(self) -> None:
        self.marks = {role: self._engine.marks(role) for role in Role}
        self._cleared: dict[Role, dict[int, None]] = {role: {} for role in Role}

    def _load(self, conversation: int) -> Head | None:
        stored = self._engine.get(head_key(conversation))
        if stored is None:
            return None
        head = _decode_head(stored)
        self._snapshots[conversation] = head.last
        for record in self._engine.records(conversation, head.last, 1 << 62):
            device, n = origin_of(record)
            fold(head, entry_of(record), device, n)
        return head
