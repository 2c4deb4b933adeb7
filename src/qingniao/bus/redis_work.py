"""`bus.base.WorkQueue` on Redis's streams. Owns the streams, their groups and what is held here.

A role has a stream in each of `shards` hash tags; conversations are spread over them. What was
taken is kept alive here until it is done; what a dead process held is claimed; what kills its
takers again and again is set aside. Rule: with Redis away, a process that takes a role gives itself
what it puts: the sweeper's marks are then the queue.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any, Final

from qingniao.bus.redis_link import BusAway, Link, RedisError, Word, command
from qingniao.bus.redis_outgoing import Outgoing
from qingniao.bus.redis_scripts import DONE, KEEP, PUT, SET_ASIDE, TAKE
from qingniao.bus.redis_servers import RedisServers, slot_of
from qingniao.log import get_logger
from qingniao.metrics import Reading

__all__ = ["RedisWorkQueue"]

_log: Final = get_logger("bus")
_GROUP: Final = b"workers"
_BLOCK_MS: Final = 1_000
_SEEN_MS: Final = 10_000
"""A hint for a conversation that waits already is left out for so long."""
_BUSY_ELSEWHERE_S: Final = 0.2
_BACKOFF_MAX_S: Final = 1.0
_ASIDE_MS: Final = 600_000
_CLAIMED_AT_ONCE: Final = 100
_IDLE_CONSUMER_MS: Final = 600_000


class RedisWorkQueue:
    """One per process. `waiting` bounds each role's streams and what is held here."""

    def __init__(
        self,
        servers: RedisServers,
        outgoing: Outgoing,
        *,
        name: bytes,
        prefix: str,
        shards: int,
        waiting: int,
        claim_s: float,
        tries: int,
        deadline_s: float,
    ) -> None:
        self.servers = servers
        self.outgoing = outgoing
        self.me = name.hex().encode()
        self.claim_s, self.tries, self.deadline_s = claim_s, tries, deadline_s
        self.waiting = waiting
        self.shards = [b"{%b:w%d}" % (prefix.encode(), n) for n in range(shards)]
        self._lines: dict[str, _Line] = {}
        self._put: dict[tuple[str, int], dict[int, None]] = {}
        self.refused = self.claimed = self.set_aside = self.skipped = 0

    def put(self, role: str, conversation: int) -> None:
        """See `WorkQueue.put`."""
        shard = conversation % len(self.shards)
        if self.servers.link_of(slot_of(self.shards[shard])) is None:
            line = self._lines.get(role)
            if line is None or not line.add_own(conversation):
                self.refused += 1  # its mark remains: a worker's sweeper finds it
            return
        if not self._put:
            asyncio.get_running_loop().call_soon(self._flush)
        self._put.setdefault((role, shard), {})[conversation] = None

    def _flush(self) -> None:
        put, self._put = self._put, {}
        most = max(1, self.waiting // len(self.shards))
        for (role, shard), conversations in put.items():
            stream = self.stream(role, shard)
            words: list[Word] = [b"EVAL", PUT, 1, stream, most, _SEEN_MS, *conversations]
            self.outgoing.offer(slot_of(stream), command(*words), droppable=True)

    def stream(self, role: str, shard: int) -> bytes:
        """The key of a role's stream in a shard."""
        return b"%b:%b" % (self.shards[shard], role.encode())

    async def take(self, role: str, most: int = 1) -> list[int]:
        """See `WorkQueue.take`."""
        line = self._lines.get(role)
        if line is None:
            line = self._lines[role] = _Line(self, role)
        return await line.take(most)

    def done(self, role: str, conversation: int) -> None:
        """See `WorkQueue.done`."""
        line = self._lines.get(role)
        if line is not None:
            line.done(conversation)

    def depth(self, role: str) -> int:
        """How many entries the role's streams had when they were last looked at, and what waits
        here."""
        line = self._lines.get(role)
        return line.depth if line is not None else 0

    async def close(self) -> None:
        """Give back what is not done."""
        await asyncio.gather(*(line.close() for line in self._lines.values()))
        self._lines.clear()

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        lines = self._lines.values()
        waiting, dead = sum(line.depth for line in lines), sum(line.dead for line in lines)
        yield "gauge", "work_waiting", "Conversations waiting for the roles of here.", waiting
        yield "counter", "work_refused", "Hints left out for lack of room.", self.refused
        yield "counter", "work_claimed", "Taken over from processes that died.", self.claimed
        yield "counter", "work_set_aside", "Set aside after killing its takers.", self.set_aside
        yield "counter", "work_skipped", "Not taken because they were set aside.", self.skipped
        yield "gauge", "work_dead_letters", "Conversations in the streams of those.", dead


class _Line:
    """One role in this process."""

    def __init__(self, queue: RedisWorkQueue, role: str) -> None:
        self.queue = queue
        self.role = role
        self.ready: deque[int] = deque()
        self._known: set[int] = set()
        """What is in `ready`."""
        self._out: set[int] = set()
        """What somebody has taken and not done."""
        self.held: dict[int, list[tuple[int, bytes]]] = {}
        """Given out or ready, and not done: the entries behind it, by shard."""
        self._granting: Counter[int] = Counter()
        """What is being asked for: done meanwhile, it must not go to anybody else."""
        self._blocked: dict[int, list[tuple[int, bytes]]] = {}
        """Another process is at it."""
        self._takers: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.demand = asyncio.Event()
        self.lengths = [0] * len(queue.shards)
        self.dead_lengths = [0] * len(queue.shards)
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(_Reader(self, shard).run()) for shard in range(len(queue.shards))
        ]
        self._tasks.append(loop.create_task(self._keep()))
        self._tasks.append(loop.create_task(self._look_again()))

    @property
    def depth(self) -> int:
        """How many wait, about."""
        return max(sum(self.lengths), len(self.ready))

    @property
    def dead(self) -> int:
        """How many were set aside."""
        return sum(self.dead_lengths)

    @property
    def wanted(self) -> int:
        """How many somebody waits for."""
        while self._takers and self._takers[0][1].done():
            self._takers.popleft()
        return sum(most for most, taker in self._takers if not taker.done())

    async def take(self, most: int) -> list[int]:
        while not self.ready:
            taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._takers.append((most, taker))
            self.demand.set()
            try:
                await taker
            except asyncio.CancelledError:
                if taker.done() and not taker.cancelled():
                    self._wake()
                raise
        taken = [self.ready.popleft() for _ in range(min(most, len(self.ready)))]
        self._known.difference_update(taken)
        self._out.update(taken)
        for conversation in taken:
            self.held.setdefault(conversation, [])
        return taken

    def _wake(self) -> None:
        while self._takers:
            _, taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

    def add_own(self, conversation: int) -> bool:
        """Redis is away: it is ours. False if there is no room."""
        if conversation in self._known:
            return True
        if len(self.ready) >= self.queue.waiting:
            return False
        self._offer(conversation)
        return True

    def _offer(self, conversation: int) -> None:
        if conversation not in self._known:
            self._known.add(conversation)
            self.ready.append(conversation)
            self._wake()

    def granted(self, shard: int, taken: Iterable[tuple[bytes, int, int]]) -> None:
        """Entries with their conversations and what the server said: 1 ours, 0 another is at it, 2
        set aside."""
        for entry, conversation, verdict in taken:
            if verdict == 2:
                self.queue.skipped += 1
                self._acknowledge(shard, conversation, [entry])
                continue
            where = self.held if verdict else self._blocked
            where.setdefault(conversation, []).append((shard, entry))
            if verdict:
                self._offer(conversation)

    def done(self, conversation: int) -> None:
        """Acknowledge what was behind it and let others have it."""
        self._out.discard(conversation)
        if conversation in self._known or conversation in self._granting:
            return  # there is news already, and nobody else is to begin with it now
        by_shard: dict[int, list[bytes]] = {}
        for shard, entry in self.held.pop(conversation, ()):
            by_shard.setdefault(shard, []).append(entry)
        for shard, entries in by_shard.items():
            self._acknowledge(shard, conversation, entries)

    def _give_back(self) -> None:
        """What was read for takers who are busy now: another process may be idle."""
        self._known.clear()
        while self.ready:
            conversation = self.ready.popleft()
            if conversation not in self._out:  # or its handler says when
                self.done(conversation)
            self.queue.put(self.role, conversation)

    def _acknowledge(self, shard: int, conversation: int, entries: list[bytes]) -> None:
        stream = self.queue.stream(self.role, shard)
        data = command(
            b"EVAL", DONE, 1, stream, _GROUP, self.queue.me, conversation, *entries
        )  # fmt: skip
        # Lost, it comes again when its time has run out, and is found to be done.
        self.queue.outgoing.offer(slot_of(stream), data, droppable=True)

    async def grant(self, shard: int, entries: list[tuple[bytes, int]]) -> None:
        """Ask for what was read. Raises `BusAway`: then they are claimed later."""
        queue = self.queue
        stream = queue.stream(self.role, shard)
        conversations = list(dict.fromkeys(conversation for _, conversation in entries))
        self._granting.update(conversations)
        try:
            said = await queue.servers.ask(
                stream, b"EVAL", TAKE, 1, stream, queue.me, int(queue.claim_s * 1000),
                *conversations,
            )  # fmt: skip
            if isinstance(said, RedisError):
                raise BusAway(str(said))
            verdicts = dict(zip(conversations, said, strict=True))
            self.granted(shard, [(entry, c, int(verdicts[c])) for entry, c in entries])
        finally:
            self._granting.subtract(conversations)
            self._granting += Counter()
            for conversation in conversations:
                if conversation in self.held and conversation not in self._out:
                    self.done(conversation)  # it became done meanwhile, unless there is news

    async def _look_again(self) -> None:
        """What another process was at may be ours now; what nobody here takes may be another's."""
        while True:
            waited = set(self.ready)
            await asyncio.sleep(_BUSY_ELSEWHERE_S * random.uniform(0.75, 1.25))  # noqa: S311
            if waited.intersection(self.ready) and self._has_link():
                self._give_back()
            blocked, self._blocked = self._blocked, {}
            by_shard: dict[int, list[tuple[bytes, int]]] = {}
            for conversation, entries in blocked.items():
                for shard, entry in entries:
                    by_shard.setdefault(shard, []).append((entry, conversation))
            for shard, some in by_shard.items():
                try:
                    await self.grant(shard, some)
                except BusAway:
                    continue  # whoever takes over has them

    def _has_link(self) -> bool:
        return all(self.queue.servers.link_of(slot_of(shard)) for shard in self.queue.shards)

    async def _keep(self) -> None:
        """What is held does not look abandoned as long as this process lives."""
        queue = self.queue
        while True:
            await asyncio.sleep(queue.claim_s / 3)
            by_shard: dict[int, list[Word]] = {}
            for conversation, entries in self.held.items():
                for shard, entry in entries:
                    by_shard.setdefault(shard, []).extend((conversation, entry))
            for shard, pairs in by_shard.items():
                stream = queue.stream(self.role, shard)
                data = command(
                    b"EVAL", KEEP, 1, stream, _GROUP, queue.me, int(queue.claim_s * 1000), *pairs
                )  # fmt: skip
                queue.outgoing.offer(slot_of(stream), data, droppable=True)

    async def close(self) -> None:
        """Somebody else may have what is not done, at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        unfinished = list(self.held)
        self._known.clear()
        for conversation in unfinished:
            self.done(conversation)
            self.queue.put(self.role, conversation)


class _Reader:
    """One role's stream in one shard: a connection that waits there."""

    def __init__(self, line: _Line, shard: int) -> None:
        self._line = line
        self._queue = line.queue
        self._shard = shard
        self._stream = line.queue.stream(line.role, shard)
        self._slot = slot_of(self._stream)
        self._link: Link | None = None

    async def run(self) -> None:
        """Read while somebody waits, until cancelled; whatever happens to the server."""
        backoff_s, claim_at = 0.05, 0.0
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._line.demand.wait()
                if not self._line.wanted:
                    self._line.demand.clear()
                    continue
                try:
                    link = await self._connected()
                    if loop.time() >= claim_at:
                        await self._look_after(link)
                        claim_at = loop.time() + self._queue.claim_s * random.uniform(0.3, 0.6)  # noqa: S311
                    await self._read(link)
                    backoff_s = 0.05
                except (BusAway, TimeoutError):
                    self._let_go()
                    await asyncio.sleep(backoff_s * random.uniform(0.5, 1))  # noqa: S311
                    backoff_s = min(_BACKOFF_MAX_S, backoff_s * 2)
                except Exception as exc:  # a reply that nobody expected: begin again
                    _log.error("work_reader_failed", exc=exc, role=self._line.role)
                    self._let_go()
                    await asyncio.sleep(_BACKOFF_MAX_S)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if self._link is not None:
            self._link.cut()
            self._link = None

    async def _connected(self) -> Link:
        servers = self._queue.servers
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
        async with asyncio.timeout(_BLOCK_MS / 1000 + self._queue.deadline_s):
            said = await link.ask(*words)
            if isinstance(said, RedisError):
                text = str(said)
                if text.startswith("NOGROUP"):  # the first time, or Redis came back empty
                    await link.ask(
                        "XGROUP", "CREATE", self._stream, _GROUP, "0", "MKSTREAM"
                    )  # fmt: skip
                    return None
                self._queue.servers.heed(said, self._slot)
                raise BusAway(text)
            return said

    async def _read(self, link: Link) -> None:
        most = max(1, -(-self._line.wanted // len(self._queue.shards)))
        said = await self._ask(
            link, "XREADGROUP", "GROUP", _GROUP, self._queue.me, "COUNT", most,
            "BLOCK", _BLOCK_MS, "STREAMS", self._stream, ">",
        )  # fmt: skip
        if said:
            await self._line.grant(self._shard, _entries(said[0][1]))

    async def _look_after(self, link: Link) -> None:
        """Take over what is abandoned, set aside what kills, and measure."""
        queue, idle_ms = self._queue, int(self._queue.claim_s * 1000)
        said = await self._ask(
            link, "XAUTOCLAIM", self._stream, _GROUP, queue.me, idle_ms, "0-0",
            "COUNT", _CLAIMED_AT_ONCE,
        )  # fmt: skip
        claimed = _entries(said[1]) if said else []
        if claimed:
            claimed = await self._without_poison(link, claimed)
            queue.claimed += len(claimed)
            await self._line.grant(self._shard, claimed)
        self._line.lengths[self._shard] = int(await self._ask(link, "XLEN", self._stream) or 0)
        dead = await self._ask(link, "XLEN", self._stream + b":dead")
        self._line.dead_lengths[self._shard] = int(dead or 0)
        for one in await self._ask(link, "XINFO", "CONSUMERS", self._stream, _GROUP) or ():
            fields = dict(zip(one[::2], one[1::2], strict=False))
            if fields[b"pending"] == 0 and fields[b"idle"] > _IDLE_CONSUMER_MS:
                await self._ask(
                    link, "XGROUP", "DELCONSUMER", self._stream, _GROUP, fields[b"name"]
                )  # fmt: skip

    async def _without_poison(
        self, link: Link, claimed: list[tuple[bytes, int]]
    ) -> list[tuple[bytes, int]]:
        queue = self._queue
        first, last = claimed[0][0], claimed[-1][0]
        said = await self._ask(
            link, "XPENDING", self._stream, _GROUP, first, last, _CLAIMED_AT_ONCE, queue.me
        )
        counts = {entry: int(count) for entry, _, _, count in said or ()}
        good = []
        for entry, conversation in claimed:
            count = counts.get(entry, 1)
            if count <= queue.tries:
                good.append((entry, conversation))
                continue
            queue.set_aside += 1
            _log.error(
                "work_set_aside", role=self._line.role, conversation=conversation, times=count
            )
            await self._ask(
                link, "EVAL", SET_ASIDE, 1, self._stream, _GROUP, conversation, entry, count,
                _ASIDE_MS,
            )  # fmt: skip
        return good


def _entries(said: Any) -> list[tuple[bytes, int]]:
    """Entries that are still there, with their conversations."""
    return [(entry[0], int(entry[1][1])) for entry in said or () if entry and entry[1]]
