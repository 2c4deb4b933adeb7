"""Our message log as the product drives it, and under it a bare file.

Rule: the log is asked through `commit` and `clear` alone; what the engine still owes at the end is
demanded of it (memory to tables, tables into one level) before anything is counted.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from bench.disk.counting import Disk, kept
from bench.disk.messages import Spoken, batches

from qingniao.chat.intake import Message
from qingniao.chat.ports import Role
from qingniao.errors import StartError
from qingniao.protocol.frames import Entry, EntryType
from qingniao.storage.message_keys import entry_key, record_of
from qingniao.storage.messages_rocksdb import RocksMessageLog

__all__ = ["append", "rocks"]

_NOW: Final = 1_795_500_000_000
_CLEAR_EVERY: Final = 8
"""Commits of many messages after which the workers have dealt with them; of one: each."""


def rocks(disk: Disk, count: int, size: int) -> dict[str, float]:
    """Bytes written and kept per message, and once for opening."""
    return asyncio.run(_rocks(disk, disk.folder / f"rocks-{size}", count, size))


async def _rocks(disk: Disk, folder: Path, count: int, size: int) -> dict[str, float]:
    empty = disk.written()
    log = await asyncio.to_thread(RocksMessageLog, folder)
    await asyncio.wrap_future(log._engine._writer.submit(int))  # the first room is made there
    opened = disk.written()
    news: dict[int, int] = {}
    for number, batch in enumerate(batches(count, size), 1):
        decisions = await log.commit([_intent(spoken) for spoken in batch], _NOW + number)
        for decision in decisions:
            if decision.code or decision.repeat:
                raise StartError(f"A message was not stored: {decision.text}")
            news[decision.intent.conversation] = decision.seq
        if size == 1 or number % _CLEAR_EVERY == 0:
            for role in Role:
                await log.clear(role, news.items())
            news.clear()
    await asyncio.to_thread(_settle, log)
    await log.close()
    written = disk.written() - opened
    return {
        "bytes": round(written / count),
        "kept": round(kept(folder.glob("*.sst")) / count),
        "open": opened - empty,
    }


def _intent(spoken: Spoken) -> Message:
    agent = spoken.agent
    return Message(
        spoken.conversation,
        f"a{agent}" if agent else "v",
        spoken.device,
        spoken.n,
        EntryType.TEXT,
        spoken.text,
        visitor="" if agent else spoken.visitor,
        agent=agent,
        name="周宁" if agent else "",
    )


def _settle(log: RocksMessageLog) -> None:
    engine = log._engine._db
    engine.flush()
    engine.compact_range(None, None)


def append(disk: Disk, count: int, size: int) -> float:
    """The floor: the same records at the end of a file, one fdatasync for each group."""
    encode = msgspec.msgpack.Encoder().encode
    before = disk.written()
    file = os.open(disk.folder / f"append-{size}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for batch in batches(count, size):
            os.write(file, b"".join(_record(spoken, encode) for spoken in batch))
            os.fdatasync(file)
    finally:
        os.close(file)
    return round((disk.written() - before) / count)


def _record(spoken: Spoken, encode: Callable[[object], bytes]) -> bytes:
    sender = f"a{spoken.agent}" if spoken.agent else "v"
    entry = Entry(spoken.conversation, spoken.seq, _NOW, sender, EntryType.TEXT, spoken.text)
    record = record_of(f"{sender}/{spoken.device}", spoken.n, encode(entry))
    return entry_key(spoken.conversation, spoken.seq) + record
