"""The streams of the work queue: what is said to Redis about them. Owns their names, the group, who
this process is in it, and what is counted.

A role has a stream in each of `shards` hash tags; conversations are spread over them. Refuses to
know who takes. Rule: nothing said here is waited for, except for whether an entry is ours.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from qingniao.bus.redis_link import BusAway, RedisError, Word, command
from qingniao.bus.redis_outgoing import Outgoing
from qingniao.bus.redis_scripts import DONE, KEEP, PUT, TAKE
from qingniao.bus.redis_servers import RedisServers, slot_of

__all__ = ["GROUP", "WorkStreams"]

GROUP: Final = b"workers"
_SEEN_MS: Final = 10_000
"""A hint for a conversation that waits already is left out for so long."""


class WorkStreams:
    """One per process. `waiting` bounds each role's streams, and what a role holds here."""

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
        self.me = name.hex().encode()
        self.claim_s, self.tries, self.deadline_s = claim_s, tries, deadline_s
        self.waiting = waiting
        self.shards = [b"{%b:w%d}" % (prefix.encode(), n) for n in range(shards)]
        self._outgoing = outgoing
        self._put: dict[tuple[str, int], dict[int, None]] = {}
        self.refused = self.claimed = self.set_aside = self.skipped = 0

    def stream(self, role: str, shard: int) -> bytes:
        """The key of a role's stream in a shard."""
        return b"%b:%b" % (self.shards[shard], role.encode())

    @property
    def has_links(self) -> bool:
        """Does every shard's server answer?"""
        return all(self.servers.link_of(slot_of(shard)) for shard in self.shards)

    def put(self, role: str, conversation: int) -> bool:
        """At the end of this turn. False if the server is away."""
        shard = conversation % len(self.shards)
        if self.servers.link_of(slot_of(self.shards[shard])) is None:
            return False
        if not self._put:
            asyncio.get_running_loop().call_soon(self._flush)
        self._put.setdefault((role, shard), {})[conversation] = None
        return True

    def _flush(self) -> None:
        put, self._put = self._put, {}
        most = max(1, self.waiting // len(self.shards))
        for (role, shard), conversations in put.items():
            stream = self.stream(role, shard)
            self._say(stream, b"EVAL", PUT, 1, stream, most, _SEEN_MS, *conversations)

    def acknowledge(self, role: str, shard: int, conversation: int, entries: list[bytes]) -> None:
        """These are done, and the conversation is free. Lost, they come again when their time has
        run out, and are found to be done."""
        stream = self.stream(role, shard)
        self._say(stream, b"EVAL", DONE, 1, stream, GROUP, self.me, conversation, *entries)

    def forget(self, role: str, shard: int, entry: bytes) -> None:
        """It says nothing that another entry held here does not; whoever is at its conversation
        stays so."""
        stream = self.stream(role, shard)
        self._say(stream, b"XACK", stream, GROUP, entry)
        self._say(stream, b"XDEL", stream, entry)

    def keep(self, role: str, shard: int, pairs: Iterable[Word]) -> None:
        """Conversation and entry in turn: they are being dealt with."""
        stream = self.stream(role, shard)
        claim_ms = int(self.claim_s * 1000)
        self._say(stream, b"EVAL", KEEP, 1, stream, GROUP, self.me, claim_ms, *pairs)

    def keep_waiting(self, role: str, shard: int, entries: Sequence[bytes]) -> None:
        """Read here, they wait until another process is done with their conversation: that must
        not look like being claimed from one dead process after the other."""
        stream = self.stream(role, shard)
        self._say(stream, b"XCLAIM", stream, GROUP, self.me, 0, *entries, b"JUSTID")

    def _say(self, stream: bytes, *words: Word) -> None:
        self._outgoing.offer(slot_of(stream), command(*words), droppable=True)

    async def verdicts(self, role: str, shard: int, conversations: Sequence[int]) -> dict[int, int]:
        """May this process have them: 1 yes, 0 another is at it, 2 set aside. Raises `BusAway`."""
        stream = self.stream(role, shard)
        # Behind what was done in this turn: that would set free what is about to be ours again.
        self._outgoing.flush()
        said = await self.servers.ask(
            stream, b"EVAL", TAKE, 1, stream, self.me, int(self.claim_s * 1000), *conversations
        )
        if isinstance(said, RedisError):
            raise BusAway(str(said))
        return {c: int(verdict) for c, verdict in zip(conversations, said, strict=True)}
