"""What the server under a bench says about itself: its memory, its counters, what is in its log.

Rule: asked over the wire like anybody would, and compared with what the generator counted.
"""

import asyncio
import os
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from qingniao.client import Client
from qingniao.protocol.frames import MAX_INT, DownFrame, Entry, EntryType, Page

__all__ = ["Memory", "counter", "is_in_order", "lasts", "rss_bytes"]

_AT_ONCE: Final = 500
"""Conversations in one hello: what one connection may follow is 512."""
_PAGE: Final = 100
_WAIT_S: Final = 30.0


def rss_bytes(pid: int) -> int:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Memory:
    """The highest resident memory of a process within an `async with`."""

    def __init__(self, pid: int, every_s: float = 0.1) -> None:
        self._pid = pid
        self._every_s = every_s
        self.highest_bytes = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Memory":
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            self.highest_bytes = max(self.highest_bytes, rss_bytes(self._pid))
            await asyncio.sleep(self._every_s)


async def counter(url: str, name: str) -> float:
    """A figure of `/metrics`, without the prefix; 0 when there is none of that name."""
    return await asyncio.to_thread(_counter, url, f"qingniao_{name} ")


def _counter(url: str, prefix: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=_WAIT_S) as answer:
        lines = answer.read().decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(prefix)), 0.0)


async def lasts(url: str, ticket: str, conversations: Sequence[int]) -> dict[int, int]:
    """The last `seq` of each conversation, 0 when nothing was ever said in it."""
    found: dict[int, int] = {}
    for first in range(0, len(conversations), _AT_ONCE):
        part = conversations[first : first + _AT_ONCE]
        client = Client(url, token=ticket)
        # What would come after the last of all entries: nothing is replayed.
        client.cursors.update(dict.fromkeys(part, MAX_INT))
        async with client:
            await client.ready()
            for conversation in part:
                found[conversation] = int(client.states.get(conversation, {}).get("last", 0))
    return found


async def is_in_order(url: str, ticket: str, conversation: int) -> bool:
    """Does the log hold the texts of each side numbered one by one, each once and in order, under
    `seq`s without a gap? The generator begins every text with its number."""
    entries = await _history(url, ticket, conversation)
    if [entry.seq for entry in entries] != list(range(1, len(entries) + 1)):
        return False
    said: dict[str, list[int]] = {}
    for entry in entries:
        if entry.type == EntryType.TEXT and isinstance(entry.body, str):
            said.setdefault(entry.sender[:1], []).append(int(entry.body.split(" ")[0]))
    return all(
        numbers == list(range(numbers[0], numbers[0] + len(numbers))) for numbers in said.values()
    )


async def _history(url: str, ticket: str, conversation: int) -> list[Entry]:
    pages: asyncio.Queue[Page] = asyncio.Queue()

    def hear(frame: DownFrame) -> None:
        if isinstance(frame, Page):
            pages.put_nowait(frame)

    entries: list[Entry] = []
    before = MAX_INT
    async with Client(url, token=ticket, on_frame=hear) as client, asyncio.timeout(_WAIT_S):
        await client.ready()
        while True:
            client.history(conversation, before, _PAGE)
            page = await pages.get()
            entries[:0] = page.entries
            if not page.more or not page.entries:
                return entries
            before = page.entries[0].seq
