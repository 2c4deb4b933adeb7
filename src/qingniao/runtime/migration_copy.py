"""The copying of `qingniao migrate-store`: passes over an installation, and the comparison of both.

Owns what one run knows to be there and to be equal; refuses to know who writes meanwhile: that
nobody does `at_rest` is its caller's. Rule: nothing counts as moved before it was compared with
what is kept here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from qingniao.errors import StorageError
from qingniao.storage.blobs import Blobs
from qingniao.storage.copy_tables import copy_tables, count_rows
from qingniao.storage.database import Database
from qingniao.storage.files import Files
from qingniao.storage.keys import SharedKeys
from qingniao.storage.message_export import Found, LogExport
from qingniao.storage.message_import import LogImport, Moved, digest

__all__ = ["Move", "Moves", "Say"]

_BATCH: Final = 200
_BATCH_BYTES: Final = 8 << 20
_PASSES: Final = 6
"""Passes while it serves, at most: each has less to copy than the one before."""
_SMALL: Final = 500
"""Conversations in a pass that are few enough for the pause."""

Say = Callable[[str], None]
"""Tells the operator how far it is."""


class Moves(Struct):
    """What came of it."""

    conversations: int = 0
    entries: int = 0
    rows: int = 0
    files: int = 0
    pause_s: float = 0.0


class Move:
    """One run: what is known to be there, and to be equal."""

    def __init__(
        self,
        data: Path,
        source: Database,
        target: LogImport,
        tables: Database,
        files: Blobs,
        blobs: Blobs | None,
        say: Say,
    ) -> None:
        """Contents of files go from `files` to `blobs`, if there are any; else they stay."""
        self._data = data
        self._source = source
        self._target = target
        self._tables = tables
        self._files = files
        self._blobs = blobs
        self._say = say
        self._lasts: dict[int, int] = {}
        self._copied: dict[int, int] = {}
        """Conversations, by what they were found like when they were copied."""
        self._compared: dict[int, int] = {}
        """Conversations, by the `seq` up to which they were compared."""
        self.done = Moves()

    async def while_serving(self) -> None:
        """Copy until little is left, and compare all of that."""
        self._lasts = await self._target.lasts()
        for number in range(1, _PASSES + 1):
            self.done.rows += await copy_tables(self._source, self._tables)
            self.done.files += await self._copy_files()
            changed = await self._pass()
            self._say(f"pass {number}: {changed} conversations, {self.done.entries} entries so far")
            if changed < _SMALL:
                break
        await self._compare()
        self._say(f"compared: {len(self._compared)} conversations are equal")

    async def at_rest(self) -> None:
        """Copy and compare what is left, now that nobody writes."""
        self.done.rows += await copy_tables(self._source, self._tables)
        self.done.files += await self._copy_files()
        await self._pass()
        await self._compare()
        await SharedKeys.open(self._tables, seed=self._data / "keys")
        if await copy_tables(self._source, self._tables):
            raise StorageError("The business tables differ although nobody writes.")
        ours, theirs = await count_rows(self._source), await count_rows(self._tables)
        if ours != theirs:
            raise StorageError(f"The business tables differ: {ours} here, {theirs} there.")
        conversations, lasts, entries = await self._target.totals()
        here = (len(self._compared), sum(self._compared.values()))
        if (conversations, lasts) != here or entries != lasts:
            raise StorageError(
                f"The message logs differ: {here[0]} conversations with {here[1]} entries here, "
                f"{conversations} with {lasts} ({entries}) there."
            )
        self.done.conversations = conversations
        self._say(f"all equal: {conversations} conversations, {entries} entries, "
                  f"{sum(ours.values())} rows")  # fmt: skip

    async def _pass(self) -> int:
        """Copy the conversations that have changed since they were copied; returns how many."""
        loop = asyncio.get_running_loop()
        changed = 0
        async with self._exported() as (export, thread):
            batches = self._batches(export)
            while (batch := await loop.run_in_executor(thread, next, batches, None)) is not None:
                found, moved = batch
                await self._target.put(moved)
                for one in found:
                    self._lasts[one.conversation] = one.last
                    self._copied[one.conversation] = hash(one)
                changed += len(found)
                self.done.entries += sum(len(one.records) for one in moved)
        return changed

    def _batches(self, export: LogExport) -> Iterator[tuple[list[Found], list[Moved]]]:
        found: list[Found] = []
        moved: list[Moved] = []
        size = 0
        for one in export.found():
            if self._copied.get(one.conversation) == hash(one) or not one.last:
                continue
            records = export.records(
                one.conversation, self._lasts.get(one.conversation, 0), 1 << 62
            )
            found.append(one)
            moved.append(
                Moved(
                    export.head(one.conversation), records, export.devices(one.conversation),
                    one.owes_index,
                )
            )  # fmt: skip
            size += sum(len(record) for _, record in records)
            if len(found) >= _BATCH or size >= _BATCH_BYTES:
                yield found, moved
                found, moved, size = [], [], 0
        if found:
            yield found, moved

    async def _compare(self) -> None:
        """Compare all entries of every conversation that has more than were compared."""
        loop = asyncio.get_running_loop()
        async with self._exported() as (export, thread):
            todo = [c for c, last in self._lasts.items() if self._compared.get(c) != last]
            for begin in range(0, len(todo), _BATCH):
                step = todo[begin : begin + _BATCH]
                ours = await loop.run_in_executor(thread, self._digests, export, step)
                theirs = await self._target.digests(step)
                for conversation in step:
                    if ours[conversation] != theirs.get(conversation):
                        raise StorageError(f"Conversation {conversation} is not the same there.")
                    self._compared[conversation] = self._lasts[conversation]

    @asynccontextmanager
    async def _exported(self) -> AsyncIterator[tuple[LogExport, ThreadPoolExecutor]]:
        """The log as it is now, and the one thread that reads it: whoever is cancelled while it
        reads closes it after that."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, thread_name_prefix="log-export")
        try:
            export = await loop.run_in_executor(thread, LogExport, self._data / "messages")
            try:
                yield export, thread
            finally:
                await loop.run_in_executor(thread, export.close)
        finally:
            thread.shutdown(wait=False)

    def _digests(
        self, export: LogExport, conversations: Sequence[int]
    ) -> dict[int, tuple[int, bytes]]:
        digests = {}
        for conversation in conversations:
            records = export.records(conversation, 0, self._lasts[conversation])
            digests[conversation] = len(records), digest(record for _, record in records)
        return digests

    async def _copy_files(self) -> int:
        """Contents that are not there yet, each compared by the digest it was stored with."""
        if self._blobs is None:
            return 0
        copied = 0
        for file in await Files(self._source).all():
            if await self._blobs.size(file.path) == file.size:
                continue
            writer = await self._blobs.create()
            try:
                async for piece in self._files.read(file.path, 0, file.size):
                    await writer.write(piece)
                stored = await writer.commit(file.path)
            finally:
                await writer.abort()
            if stored.sha256 != file.sha256:
                raise StorageError(f"The file {file.id} is not what was uploaded.")
            copied += 1
        return copied
