"""The message log on RocksDB: one folder, one writing process.

Owns what makes a commit: which intents become which records, in one batch; refuses to decide
anything (that is `chat.intake`) and to keep anything (`message_heads.py`, `message_engine.py`).
Rule: what `commit` returns is on disk; it works on copies of heads, which take their place after
the write.

A head remembers the devices that sent last; the others keep their number under a key of their own,
for a message that comes again after months is still a repeat.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from pathlib import Path
from typing import Final

import msgspec
from rocksdict import WriteBatch

from qingniao.chat.head import DEVICES_KEPT, Head, fold
from qingniao.chat.intake import Decision, Intent, Message, Rename, decide
from qingniao.chat.ports import MARKS_AT_ONCE, ReadMark, Role, owes
from qingniao.errors import StorageError
from qingniao.metrics import Reading
from qingniao.protocol.codes import Code
from qingniao.protocol.frames import Entry
from qingniao.storage.message_engine import Engine
from qingniao.storage.message_heads import Heads
from qingniao.storage.message_keys import (
    device_key,
    entry_key,
    entry_of,
    frame_of,
    record_of,
)

__all__ = ["HEADS_KEPT", "SNAPSHOT_EVERY", "RocksMessageLog"]

HEADS_KEPT: Final = 20_000
"""Heads in memory, when nobody says another number."""
SNAPSHOT_EVERY: Final = 32
"""Entries after which a head is written again."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_device: Final = msgspec.msgpack.Decoder(tuple[int, int]).decode


class RocksMessageLog:
    """`chat.ports.MessageLog` for one process. Open it once per data folder."""

    def __init__(
        self, path: Path, *, snapshot_every: int = SNAPSHOT_EVERY, heads: int = HEADS_KEPT
    ) -> None:
        """Raises `StartError` when the folder is in use, read-only, full or damaged."""
        # A failed batch may be on disk after all: its senders send again and are acked.
        self._engine = Engine(path, on_reopened=lambda: self._heads.reload_all())
        self._heads = Heads(self._engine, snapshot_every, heads)
        self._forgotten: dict[tuple[int, str], tuple[int, int]] = {}
        """Devices that heads let go in the batch that is being put together."""

    async def commit(self, intents: Sequence[Intent], now_ms: int) -> list[Decision]:
        """See `MessageLog.commit`. Decides on the caller's thread, writes on the writer's."""
        await self._engine.mend()
        batch = WriteBatch(raw_mode=True)
        touched: dict[int, Head] = {}
        self._forgotten.clear()
        decisions = [self._append(batch, touched, intent, now_ms) for intent in intents]
        saved, marked = self._heads.put(batch, touched)
        if not batch.is_empty():
            # Stays so after a failure, until the engine was opened again.
            self._heads.writing = touched
            try:
                await self._engine.write(batch, sync=True)
            except asyncio.CancelledError:
                self._heads.writing = {}
                self._heads.reload(touched)
                raise
            self._heads.writing = {}
        self._heads.install(touched, saved, marked)
        return decisions

    def _append(
        self, batch: WriteBatch, touched: dict[int, Head], intent: Intent, now_ms: int
    ) -> Decision:
        """Decide one intent and put what comes of it into the batch and the copied head."""
        conversation = intent.conversation
        head = touched.get(conversation) or self._copy(intent)
        if head is None:
            return Decision(intent, [], code=Code.NOT_YOURS, text="No such conversation.")
        recalled = self._recall(head, intent) if type(intent) is Message else ""
        decision = decide(head, intent, now_ms)
        if type(intent) is Rename:
            head.visitor_name = intent.name
        elif not decision.entries:
            if recalled:
                del head.devices[recalled]
            return decision
        touched[conversation] = head
        decision.head = head
        device, n = decision.device, decision.n
        for entry in decision.entries:
            frame = _encode(entry)
            decision.frames.append(frame)
            batch.put(entry_key(conversation, entry.seq), record_of(device, n, frame))
            forgotten = fold(head, entry, device, n)
            if forgotten is not None:
                name, sent = forgotten
                self._forgotten[conversation, name] = sent
                batch.put(device_key(conversation, name), _encode(sent))
        return decision

    def _copy(self, intent: Intent) -> Head | None:
        head = self._heads.copy_of(intent.conversation)
        if head is not None:
            return head
        if type(intent) is Message and intent.visitor:
            return Head(intent.conversation, intent.visitor)
        return None

    def _recall(self, head: Head, message: Message) -> str:
        """Bring back what the head let go of the sender, so that a repeat is known as one.

        Returns the device that came back, "" for none.
        """
        device = f"{message.sender}/{message.device}"
        if device in head.devices or len(head.devices) < DEVICES_KEPT:
            return ""
        sent = self._forgotten.get((head.conversation, device))
        sent = sent or self._let_go(head.conversation, device)
        if sent is None:
            return ""
        head.devices[device] = sent
        return device

    def _let_go(self, conversation: int, device: str) -> tuple[int, int] | None:
        stored = self._engine.get(device_key(conversation, device))
        return None if stored is None else _decode_device(stored)

    async def head(self, conversation: int) -> Head | None:
        """See `MessageLog.head`."""
        return self._heads.find(conversation)

    async def heads(self, conversations: Iterable[int]) -> dict[int, Head]:
        """See `MessageLog.heads`."""
        found = {c: self._heads.find(c) for c in conversations}
        self._heads.evict()
        return {c: head for c, head in found.items() if head is not None}

    async def sent(self, conversation: int, device: str) -> int:
        """See `MessageLog.sent`."""
        head = self._heads.find(conversation)
        if head is None:
            return 0
        return (head.devices.get(device) or self._let_go(conversation, device) or (0, 0))[0]

    async def read(self, conversation: int, after: int, limit: int) -> list[bytes]:
        """See `MessageLog.read`."""
        return [frame_of(record) for record in self._records(conversation, after, limit)]

    async def entries(self, conversation: int, after: int, limit: int) -> list[Entry]:
        """See `MessageLog.entries`."""
        return [entry_of(record) for record in self._records(conversation, after, limit)]

    def _records(self, conversation: int, after: int, limit: int) -> Iterator[bytes]:
        """What is on disk: the engine shows what it was given before that, the head does not."""
        head = self._heads.find(conversation)
        known = head.last - after if head is not None else 0
        if known <= 0:
            return iter(())
        return self._engine.records(conversation, after, min(limit, known))

    async def advanced(self, known: Mapping[int, int]) -> dict[int, int]:
        """See `MessageLog.advanced`."""
        heads = {c: self._heads.find(c) for c in known}
        self._heads.evict()
        return {c: h.last for c, h in heads.items() if h is not None and h.last > known[c]}

    async def mark_read(self, marks: Sequence[ReadMark]) -> dict[int, tuple[int, int]]:
        """See `MessageLog.mark_read`."""
        return self._heads.mark_read(marks)

    async def flush_reads(self) -> None:
        """See `MessageLog.flush_reads`."""
        batch = WriteBatch(raw_mode=True)
        unsaved = self._heads.put_unsaved(batch)
        if not batch.is_empty():
            try:
                await self._engine.write(batch, sync=False)
            except StorageError:
                self._heads.keep_unsaved(unsaved)
                raise
        else:
            # This call comes every second: the log gets well, or is known to be ill, by itself.
            await self._engine.mend()

    async def marked(self, role: Role, after: int = 0, limit: int = MARKS_AT_ONCE) -> list[int]:
        """See `MessageLog.marked`."""
        return nsmallest(limit, (c for c in self._heads.marks[role] if c > after))

    async def clear(self, role: Role, seen: Iterable[tuple[int, int]]) -> None:
        """See `MessageLog.clear`."""
        batch = WriteBatch(raw_mode=True)
        marks = self._heads.marks[role]
        for conversation, seq in seen:
            # What is being written may fail or not: the mark stays if either owes the work.
            heads = (self._heads.find(conversation), self._heads.writing.get(conversation))
            newer = any(
                head.last > seq if role is Role.INDEX else owes(head, role)
                for head in heads
                if head is not None
            )
            if conversation in marks and not newer:
                self._heads.clear(role, conversation)
        self._heads.put_cleared(batch)
        if not batch.is_empty():
            await self._engine.write(batch, sync=False)

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "gauge", "heads", "Conversations whose state is in memory.", len(self._heads)

    async def close(self) -> None:
        """See `MessageLog.close`."""
        if self._engine.is_closed:
            return
        try:
            await self.flush_reads()
            batch = WriteBatch(raw_mode=True)
            self._heads.put_cleared(batch, keep=0)
            if not batch.is_empty():
                await self._engine.write(batch, sync=False)
        finally:
            self._engine.close()
