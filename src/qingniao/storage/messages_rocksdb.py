"""The message log on RocksDB: one folder, one writing process.

Owns the log and the cache of heads; refuses to decide anything (that is `chat.intake`).
Rule: what `commit` returns is on disk, and so is everything that a head in the cache says: a commit
works on copies, which take their place after the write.

A head is written when the conversation changes hands and every `SNAPSHOT_EVERY` entries; in between
it is the snapshot folded with the entries after it, which keeps the bytes written per message low.
A head remembers the devices that sent last; the others keep their number under a key of their own,
for a message that comes again after months is still a repeat.
"""

import asyncio
import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path
from typing import Final

import msgspec
from rocksdict import AccessType, DbClosedError, Rdict, RdictIter, WriteBatch, WriteOptions

from qingniao.chat.head import DEVICES_KEPT, Head, fold
from qingniao.chat.intake import Decision, Intent, Message, Rename, decide
from qingniao.chat.lifecycle import Status
from qingniao.chat.ports import Role
from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.protocol.codes import Code
from qingniao.protocol.frames import Entry
from qingniao.storage.message_keys import (
    device_key,
    engine_options,
    entry_key,
    frame_of,
    head_key,
    mark_key,
    marks_prefix,
    origin_of,
    record_of,
    start_error,
)

__all__ = ["HEADS_KEPT", "SNAPSHOT_EVERY", "RocksMessageLog"]

SNAPSHOT_EVERY: Final = 16
_MEND_S: Final = 1.0
"""Pause between attempts to open the engine again after a failed write."""
_PROBE_BYTES: Final = 1 << 20
"""Room that the disk must have for such an attempt: opening writes a little itself."""
HEADS_KEPT: Final = 20_000
"""Heads in memory, about 1 KB each; the ones loaded first go first (policy: drop_oldest)."""

_log: Final = get_logger("storage")
_encode: Final = msgspec.msgpack.Encoder().encode
_decode_entry: Final = msgspec.msgpack.Decoder(Entry).decode
_decode_head: Final = msgspec.msgpack.Decoder(Head).decode
_decode_device: Final = msgspec.msgpack.Decoder(tuple[int, int]).decode


def _owes(head: Head, role: Role) -> bool:
    if role is Role.AI:
        return head.owes_bot
    if role is Role.ASSIGNMENT:
        return head.status is Status.WAITING
    return True


class RocksMessageLog:
    """`chat.ports.MessageLog` for one process. Open it once per data folder."""

    def __init__(self, path: Path, *, snapshot_every: int = SNAPSHOT_EVERY) -> None:
        """Raises `StartError` when the folder is in use, read-only, full or damaged."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._db = Rdict(str(path), engine_options())
        except Exception as exc:  # rocksdict raises bare Exception with the engine's sentence
            raise start_error(path, exc) from exc
        self._path = path
        self._is_broken = False
        self._mend_at = 0.0
        self._sync = WriteOptions()
        self._sync.sync = True
        self._lazy = WriteOptions()
        self._snapshot_every = snapshot_every
        self._heads: dict[int, Head] = {}
        self._in_flight: dict[int, Head] = {}
        self._snapshots: dict[int, int] = {}
        self._unsaved: set[int] = set()
        self._marks = {role: self._load_marks(role) for role in Role}
        # One writer thread: fsync must not hold up the loop, and batches must not overtake.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="log-writer")
        self._closed = False

    async def commit(self, intents: Sequence[Intent], now_ms: int) -> list[Decision]:
        """See `MessageLog.commit`. Decides on the caller's thread, writes on the writer's."""
        await self._mend()
        batch = WriteBatch(raw_mode=True)
        touched: dict[int, Head] = {}
        decisions = [self._append(batch, touched, intent, now_ms) for intent in intents]
        saved, marked = self._finish(batch, touched)
        if not batch.is_empty():
            self._in_flight = touched
            try:
                await self._write(batch, self._sync)
            except asyncio.CancelledError:
                self._reload(touched)
                raise
            finally:
                self._in_flight = {}
        for conversation, head in touched.items():
            self._install(conversation, head, is_saved=conversation in saved)
        for role, conversation in marked:
            self._marks[role].add(conversation)
        self._evict()
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
        device, n = decision.device, decision.n
        for entry in decision.entries:
            frame = _encode(entry)
            decision.frames.append(frame)
            batch.put(entry_key(conversation, entry.seq), record_of(device, n, frame))
            forgotten = fold(head, entry, device, n)
            if forgotten is not None:
                name, sent = forgotten
                batch.put(device_key(conversation, name), _encode(sent))
        return decision

    def _copy(self, intent: Intent) -> Head | None:
        head = self._find(intent.conversation)
        if head is not None:
            copied = copy(head)
            copied.devices = dict(head.devices)
            return copied
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
        sent = self._let_go(head.conversation, device)
        if sent is None:
            return ""
        head.devices[device] = sent
        return device

    def _let_go(self, conversation: int, device: str) -> tuple[int, int] | None:
        stored = self._db.get(device_key(conversation, device))
        return None if stored is None else _decode_device(stored)

    def _finish(
        self, batch: WriteBatch, touched: dict[int, Head]
    ) -> tuple[set[int], list[tuple[Role, int]]]:
        """Put snapshots and marks of the conversations in this batch; returns what was put."""
        saved: set[int] = set()
        marked: list[tuple[Role, int]] = []
        for conversation, head in touched.items():
            before = self._heads.get(conversation)
            is_new = before is None or before.visitor_name != head.visitor_name
            since = head.last - self._snapshots.get(conversation, 0)
            if is_new or before.status is not head.status or since >= self._snapshot_every:  # type: ignore[union-attr]
                batch.put(head_key(conversation), _encode(head))
                saved.add(conversation)
            for role, marks in self._marks.items():
                if conversation not in marks and _owes(head, role):
                    marked.append((role, conversation))
                    batch.put(mark_key(role, conversation), b"")
        return saved, marked

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

    async def head(self, conversation: int) -> Head | None:
        """See `MessageLog.head`."""
        return self._find(conversation)

    async def heads(self, conversations: Iterable[int]) -> dict[int, Head]:
        """See `MessageLog.heads`."""
        found = {c: self._find(c) for c in conversations}
        self._evict()
        return {c: head for c, head in found.items() if head is not None}

    async def sent(self, conversation: int, device: str) -> int:
        """See `MessageLog.sent`."""
        head = self._find(conversation)
        if head is None:
            return 0
        return (head.devices.get(device) or self._let_go(conversation, device) or (0, 0))[0]

    async def read(self, conversation: int, after: int, limit: int) -> list[bytes]:
        """See `MessageLog.read`."""
        return [frame_of(record) for record in self._records(conversation, after, limit)]

    async def entries(self, conversation: int, after: int, limit: int) -> list[Entry]:
        """See `MessageLog.entries`."""
        return [_decode_entry(frame_of(r)) for r in self._records(conversation, after, limit)]

    def mark_read(self, conversation: int, *, agent: bool, seq: int) -> tuple[int, int] | None:
        """See `MessageLog.mark_read`."""
        head = self._find(conversation)
        if head is None:
            return None
        seq = min(seq, head.last)
        if seq <= (head.read_agent if agent else head.read_visitor):
            return None
        if agent:
            head.read_agent = seq
        else:
            head.read_visitor = seq
        self._unsaved.add(conversation)
        return head.read_visitor, head.read_agent

    async def flush_reads(self) -> None:
        """See `MessageLog.flush_reads`."""
        unsaved, self._unsaved = self._unsaved, set()
        batch = WriteBatch(raw_mode=True)
        for conversation in unsaved:
            head = self._heads.get(conversation)
            if head is not None:
                batch.put(head_key(conversation), _encode(head))
        if not batch.is_empty():
            try:
                await self._write(batch, self._lazy)
            except StorageError:
                self._unsaved |= unsaved
                raise
        else:
            # This call comes every second: the log gets well, or is known to be ill, by itself.
            await self._mend()

    def marked(self, role: Role) -> list[int]:
        """See `MessageLog.marked`."""
        return list(self._marks[role])

    async def clear(self, role: Role, seen: Iterable[tuple[int, int]]) -> None:
        """See `MessageLog.clear`."""
        batch = WriteBatch(raw_mode=True)
        marks = self._marks[role]
        for conversation, seq in seen:
            # What is being written may fail or not: the mark stays if either owes the work.
            heads = (self._find(conversation), self._in_flight.get(conversation))
            newer = any(
                head.last > seq if role is Role.INDEX else _owes(head, role)
                for head in heads
                if head is not None
            )
            if conversation in marks and not newer:
                marks.discard(conversation)
                batch.delete(mark_key(role, conversation))
        if not batch.is_empty():
            await self._write(batch, self._lazy)

    async def close(self) -> None:
        """See `MessageLog.close`."""
        if self._closed:
            return
        try:
            await self.flush_reads()
        finally:
            self._closed = True
            self._writer.shutdown(wait=True)
            try:
                self._db.close()
            except Exception as exc:  # what was promised is on disk already
                _log.warning("log_close_failed", reason=str(exc))

    async def _write(self, batch: WriteBatch, options: WriteOptions) -> None:
        if self._closed:
            raise StorageError("The message log is closed.")
        await self._mend()
        loop = asyncio.get_running_loop()
        writing = loop.run_in_executor(self._writer, self._db.write, batch, options)
        try:
            # Cancelling the caller must not leave it unknown whether the batch is on disk.
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            raise
        except Exception as exc:  # rocksdict raises bare Exception
            self._is_broken = True
            raise StorageError(f"The message log cannot be written: {exc}") from exc

    async def _mend(self) -> None:
        """After a failed write the engine refuses every other: open it again. Raises
        `StorageError` while that is not possible; what is stored can be read meanwhile."""
        if not self._is_broken:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._mend_at:
            raise StorageError
        self._mend_at = loop.time() + _MEND_S
        # Nobody writes while it is broken; what was under way before has to end first.
        try:
            # A handle that cannot write can still read: keep it until the disk takes bytes again.
            await loop.run_in_executor(self._writer, _probe, self._path)
        except OSError as exc:
            raise StorageError(f"The message log cannot be written: {exc.strerror}.") from exc
        try:
            self._db.close()
        except Exception as exc:  # it cannot write, so it cannot tidy up
            _log.warning("log_close_failed", reason=str(exc))
        try:
            self._db = Rdict(str(self._path), engine_options())
        except Exception as exc:
            with contextlib.suppress(Exception):  # not even readable: the next try may be
                self._db = Rdict(
                    str(self._path), engine_options(), access_type=AccessType.read_only()
                )
            raise StorageError(f"The message log cannot be written: {exc}") from exc
        self._is_broken = False
        # The failed batch may be on disk after all: its senders send again and are acked.
        self._reload(list(self._heads))
        _log.info("log_mended")

    def _find(self, conversation: int) -> Head | None:
        head = self._heads.get(conversation)
        if head is None:
            head = self._load(conversation)
            if head is not None:
                self._heads[conversation] = head
        return head

    def _cursor(self) -> RdictIter:
        try:
            return self._db.iter()
        except DbClosedError as exc:
            raise StorageError("The message log cannot be read at the moment.") from exc

    def _load(self, conversation: int) -> Head | None:
        try:
            stored = self._db.get(head_key(conversation))
        except DbClosedError as exc:
            raise StorageError("The message log cannot be read at the moment.") from exc
        if stored is None:
            return None
        head = _decode_head(stored)
        self._snapshots[conversation] = head.last
        for record in self._records(conversation, head.last, 1 << 62):
            device, n = origin_of(record)
            fold(head, _decode_entry(frame_of(record)), device, n)
        return head

    def _reload(self, conversations: Iterable[int]) -> None:
        """It is not known here how a write ended: the disk knows."""
        for conversation in conversations:
            self._heads.pop(conversation, None)
            self._snapshots.pop(conversation, None)
            self._unsaved.discard(conversation)
        self._marks = {role: self._load_marks(role) for role in Role}

    def _evict(self) -> None:
        surplus = len(self._heads) - HEADS_KEPT
        if surplus <= 0:
            return
        for conversation in list(self._heads)[: surplus + HEADS_KEPT // 10]:
            if conversation not in self._unsaved:
                del self._heads[conversation]
                self._snapshots.pop(conversation, None)

    def _records(self, conversation: int, after: int, limit: int) -> Iterator[bytes]:
        prefix = entry_key(conversation, 0)[:9]
        cursor = self._cursor()
        cursor.seek(entry_key(conversation, after + 1))
        while limit > 0 and cursor.valid():
            if cursor.key()[:9] != prefix:
                return
            yield cursor.value()
            cursor.next()
            limit -= 1

    def _load_marks(self, role: Role) -> set[int]:
        prefix = marks_prefix(role)
        marks: set[int] = set()
        cursor = self._cursor()
        cursor.seek(prefix)
        while cursor.valid() and cursor.key()[:2] == prefix:
            marks.add(int.from_bytes(cursor.key()[2:], "big"))
            cursor.next()
        return marks


def _probe(path: Path) -> None:
    """Does the disk take bytes? Raises `OSError`."""
    probe = path / ".writable"
    try:
        with probe.open("wb") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        probe.unlink(missing_ok=True)
