"""The engines of the message log, for suites that run on each of them.

Owns how a test opens one again and looks behind the port; refuses to know what a test wants.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from qingniao.chat.head import Head, fold
from qingniao.chat.intake import Message
from qingniao.chat.ports import MessageLog, ReadMark
from qingniao.protocol.frames import EntryType
from qingniao.storage.message_keys import entry_of, origin_of
from qingniao.storage.messages_postgres import PostgresMessageLog
from qingniao.storage.messages_rocksdb import RocksMessageLog

NOW = 1_795_500_000_000


class Logs(Protocol):
    """One engine with one place where it stores."""

    def open(self, *, heads: int = 1_000) -> AbstractAsyncContextManager[MessageLog]:
        """The log that is stored there."""
        ...

    async def killed(self) -> "Logs":
        """What is stored if the process is killed now."""
        ...

    async def records(self, log: MessageLog, conversation: int) -> list[bytes]:
        """All that is stored of a conversation, as `storage.message_keys` packs it."""
        ...


class PostgresLogs:
    """PostgreSQL in a database."""

    def __init__(self, url: str) -> None:
        self._url = url

    @asynccontextmanager
    async def open(self, *, heads: int = 1_000) -> AsyncIterator[MessageLog]:
        """See `Logs`."""
        log = await PostgresMessageLog.open(self._url, heads=heads)
        try:
            yield log
        finally:
            await log.close()

    async def killed(self) -> "PostgresLogs":
        """See `Logs`: whoever connects sees the same, whatever has become of the others."""
        return self

    async def records(self, log: MessageLog, conversation: int) -> list[bytes]:
        """See `Logs`."""
        assert isinstance(log, PostgresMessageLog)
        return [record for _, record in await log._records(conversation, 0, 1 << 40)]


class RocksLogs:
    """RocksDB in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def open(self, *, heads: int = 1_000) -> AsyncIterator[MessageLog]:
        """See `Logs`."""
        log = await asyncio.to_thread(RocksMessageLog, self._folder, heads=heads)
        try:
            yield log
        finally:
            await log.close()

    async def killed(self) -> "RocksLogs":
        """See `Logs`."""
        copy = self._folder.with_name(self._folder.name + "-killed")
        await asyncio.to_thread(
            shutil.copytree, self._folder, copy, ignore=shutil.ignore_patterns("LOCK")
        )
        return RocksLogs(copy)

    async def records(self, log: MessageLog, conversation: int) -> list[bytes]:
        """See `Logs`."""
        assert isinstance(log, RocksMessageLog)
        return list(log._engine.records(conversation, 0, 1 << 40))


def text(n: int, body: str = "在吗", *, conversation: int = 7, device: str = "d1") -> Message:
    """The visitor says something."""
    return Message(
        conversation, "v", device, n, EntryType.TEXT, body, visitor=f"visitor-{conversation}"
    )


def action(n: int, do: str, *, agent: int = 0, conversation: int = 7) -> Message:
    """The visitor or an agent does something."""
    sender, device = (f"a{agent}", "d3") if agent else ("v", "d1")
    return Message(
        conversation, sender, device, n, EntryType.ACTION, {"do": do},
        visitor="" if agent else f"visitor-{conversation}",
        agent=agent, name="周宁" if agent else "",
    )  # fmt: skip


async def read_on(
    log: MessageLog, conversation: int, *, agent: bool, seq: int
) -> tuple[int, int] | None:
    """One read mark, and what is new of it."""
    return (await log.mark_read([ReadMark(conversation, agent, seq)])).get(conversation)


async def said(log: MessageLog, conversation: int = 7) -> list[object]:
    """The texts of a conversation, in order."""
    entries = await log.entries(conversation, 0, 10_000)
    return [entry.body for entry in entries if entry.type == EntryType.TEXT]


def folded(records: list[bytes], conversation: int = 7) -> Head:
    """The head as all entries make it, with who sent each of them."""
    head = Head(conversation, f"visitor-{conversation}")
    for record in records:
        device, n = origin_of(record)
        fold(head, entry_of(record), device, n)
    return head
