"""A consumer of one stream of the work queue: a connection that waits there while somebody here
wants work. Owns that connection.

What a dead process held is claimed; what kills its takers again and again is set aside. Refuses to
decide who gets what (`RoleQueue`). Rule: whatever the server says or does, the reading goes on.
"""

import asyncio
import random
from typing import Any, Final

from qingniao.bus.redis_link import BusAway, Link, RedisError, Word
from qingniao.bus.redis_role_queue import RoleQueue
from qingniao.bus.redis_scripts import SET_ASIDE
from qingniao.bus.redis_servers import slot_of
from qingniao.bus.redis_streams import GROUP
from qingniao.log import get_logger

__all__ = ["Consumer"]

_log: Final = get_logger("bus")
_BLOCK_MS: Final = 1_000
_BACKOFF_MAX_S: Final = 1.0
_ASIDE_MS: Final = 600_000
_CLAIMED_AT_ONCE: Final = 100
_IDLE_CONSUMER_MS: Final = 600_000


class Consumer:
    """For one role's stream in one shard. `run` is its owner's task."""

    def __init__(self, queue: RoleQueue, shard: int) -> None:
        self._queue = queue
        self._streams = queue.streams
        self._shard = shard
        self._stream = queue.streams.stream(queue.role, shard)
        self._slot = slot_of(self._stream)
        self._link: Link | None = None
        self._claim_from = b"0-0"

    async def run(self) -> None:
        """Read while somebody waits, until cancelled; whatever happens to the server."""
        backoff_s, claim_at = 0.05, 0.0
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._queue.demand.wait()
                if not self._queue.wanted:
                    self._queue.demand.clear()
                    continue
                try:
                    link = await self._connected()
                    if loop.time() >= claim_at:
                        await self._look_after(link)
                        claim_at = loop.time() + self._streams.claim_s * random.uniform(0.3, 0.6)  # noqa: S311
                    await self._read(link)
                    backoff_s = 0.05
                except (BusAway, TimeoutError):
                    self._let_go()
                    await asyncio.sleep(backoff_s * random.uniform(0.5, 1))  # noqa: S311
                    backoff_s = min(_BACKOFF_MAX_S, backoff_s * 2)
                except Exception as exc:  # a reply that nobody expected: begin again
                    _log.error("work_reader_failed", exc=exc, role=self._queue.role)
                    self._let_go()
                    await asyncio.sleep(_BACKOFF_MAX_S)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if self._link is not None:
            self._link.cut()
            self._link = None

    async def _connected(self) -> Link:
        servers = self._streams.servers
        address = servers.address_of(self._slot)
        if address is None:
            raise BusAway
        if self._link is None or not self._link.is_up or self._link.address != address:
            self._let_go()
            link = await servers.connect(address)
            link.patient = True
            self._link = link
        return self._link

    async def _ask(self, link: Link, *words: Word) -> Any:
        """Raises `BusAway` where it has to be tried again; makes the group that is missing."""
        async with asyncio.timeout(_BLOCK_MS / 1000 + self._streams.deadline_s):
            said = await link.ask(*words)
            if isinstance(said, RedisError):
                text = str(said)
                if text.startswith("NOGROUP"):  # the first time, or Redis came back empty
                    made = await link.ask(
                        "XGROUP", "CREATE", self._stream, GROUP, "0", "MKSTREAM"
                    )  # fmt: skip
                    if not isinstance(made, RedisError) or str(made).startswith("BUSYGROUP"):
                        return None
                    said, text = made, str(made)  # full, or not a primary any more
                self._streams.servers.heed(said, self._slot)
                raise BusAway(text)
            return said

    async def _read(self, link: Link) -> None:
        most = max(1, -(-self._queue.wanted // len(self._streams.shards)))
        said = await self._ask(
            link, "XREADGROUP", "GROUP", GROUP, self._streams.me, "COUNT", most,
            "BLOCK", _BLOCK_MS, "STREAMS", self._stream, ">",
        )  # fmt: skip
        if said:
            await self._queue.grant(self._shard, _entries(said[0][1]))

    async def _look_after(self, link: Link) -> None:
        """Take over what is abandoned, set aside what kills, and measure."""
        streams, idle_ms = self._streams, int(self._streams.claim_s * 1000)
        said = await self._ask(
            link, "XAUTOCLAIM", self._stream, GROUP, streams.me, idle_ms, self._claim_from,
            "COUNT", _CLAIMED_AT_ONCE,
        )  # fmt: skip
        # It looks at ten times what it may claim, and says where to go on; at last, from the start.
        self._claim_from = said[0] if said else b"0-0"
        claimed = _entries(said[1]) if said else []
        if claimed:
            claimed = await self._without_poison(link, claimed)
            streams.claimed += len(claimed)
            await self._queue.grant(self._shard, claimed)
        self._queue.lengths[self._shard] = int(await self._ask(link, "XLEN", self._stream) or 0)
        dead = await self._ask(link, "XLEN", self._stream + b":dead")
        self._queue.dead_lengths[self._shard] = int(dead or 0)
        for one in await self._ask(link, "XINFO", "CONSUMERS", self._stream, GROUP) or ():
            fields = dict(zip(one[::2], one[1::2], strict=False))
            if fields[b"pending"] == 0 and fields[b"idle"] > _IDLE_CONSUMER_MS:
                await self._ask(
                    link, "XGROUP", "DELCONSUMER", self._stream, GROUP, fields[b"name"]
                )  # fmt: skip

    async def _without_poison(
        self, link: Link, claimed: list[tuple[bytes, int]]
    ) -> list[tuple[bytes, int]]:
        streams = self._streams
        first, last = claimed[0][0], claimed[-1][0]
        said = await self._ask(
            link, "XPENDING", self._stream, GROUP, first, last, _CLAIMED_AT_ONCE, streams.me
        )
        counts = {entry: int(count) for entry, _, _, count in said or ()}
        good = []
        for entry, conversation in claimed:
            count = counts.get(entry, 1)
            if count <= streams.tries:
                good.append((entry, conversation))
                continue
            streams.set_aside += 1
            _log.error(
                "work_set_aside", role=self._queue.role, conversation=conversation, times=count
            )
            await self._ask(
                link, "EVAL", SET_ASIDE, 1, self._stream, GROUP, conversation, entry, count,
                _ASIDE_MS,
            )  # fmt: skip
        return good


def _entries(said: Any) -> list[tuple[bytes, int]]:
    """Entries that are still there, with their conversations."""
    return [(entry[0], int(entry[1][1])) for entry in said or () if entry and entry[1]]
