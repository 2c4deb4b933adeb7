"""`bus.base.Presence` across processes: each keeps the set of those who are with it in Redis.

A process that dies is gone with its beat; one that finds its set missing or wrong writes it again.
Refuses to wait for long. Rule: what is here is known without asking; what is elsewhere is asked for
in one go, and while nobody answers it is what was answered last.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from qingniao.bus.memory import MemoryPresence
from qingniao.bus.redis_link import BusAway, RedisError, command
from qingniao.bus.redis_outgoing import Outgoing
from qingniao.bus.redis_scripts import BEAT
from qingniao.bus.redis_servers import RedisServers, slot_of
from qingniao.log import get_logger
from qingniao.metrics import Reading

__all__ = ["RedisPresence"]

_log: Final = get_logger("bus")
_BEAT_S: Final = 1.0
_GONE_MS: Final = 5_000
"""Without a beat for so long a process is dead, and whoever was with it is gone."""
_KEPT_MS: Final = 60_000
_AT_ONCE: Final = 500
_REMEMBERED: Final = 20_000
_MARK: Final = b"."
"""In every set, so that an empty one exists as well."""


class RedisPresence:
    """One per process."""

    def __init__(
        self,
        servers: RedisServers,
        outgoing: Outgoing,
        *,
        name: bytes,
        prefix: str,
        deadline_s: float,
    ) -> None:
        self._servers = servers
        self._outgoing = outgoing
        self._me = name.hex().encode()
        self._prefix = prefix.encode()
        self._registry = self._prefix + b":here"
        self._set = self._set_of(self._me)
        self._deadline_s = deadline_s
        self._here = MemoryPresence()
        self._others: tuple[bytes, ...] = ()
        """Other processes with somebody, as of the last beat."""
        self._last: OrderedDict[str, bool] = OrderedDict()
        """What was answered last, for when nobody answers."""
        self._asking: dict[str, None] = {}
        self._answer: asyncio.Task[set[str]] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._told = self._shown = False
        self._emptied = 0.0
        """Until when others may still be writing themselves into a Redis that came back empty."""
        self.rewritten = self.unanswered = 0

    def _set_of(self, who: bytes) -> bytes:
        return b"{%b:p:%b}" % (self._prefix, who)

    # The port.

    def enter(self, who: str) -> bool:
        """See `Presence.enter`."""
        first = self._here.enter(who)
        if first:
            self._tell(b"SADD", who)
        return first

    def leave(self, who: str) -> bool:
        """See `Presence.leave`."""
        was_here = self._here.is_here(who)
        last = self._here.leave(who)
        if last and was_here:
            self._tell(b"SREM", who)
        return last

    def is_here(self, who: str) -> bool:
        """Is a connection of theirs up in this process?"""
        return self._here.is_here(who)

    async def online(self, whos: Iterable[str]) -> set[str]:
        """See `Presence.online`."""
        asked = set(whos)
        found = {who for who in asked if self._here.is_here(who)}
        elsewhere = asked - found
        if elsewhere and self._others:
            found |= (await self._ask(elsewhere)) & elsewhere
        elif elsewhere and not self._told:
            found |= {who for who in elsewhere if self._last.get(who, False)}
        return found

    # Its owner's.

    async def open(self) -> None:
        """Begin to beat."""
        await self._beat_once()
        self._beating = asyncio.get_running_loop().create_task(self._beat())

    async def close(self) -> None:
        """Whoever is here is not any more."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        registry = command("ZREM", self._registry, self._me)
        self._outgoing.offer(slot_of(self._registry), registry, droppable=True)
        self._outgoing.offer(slot_of(self._set), command("DEL", self._set), droppable=True)

    def _tell(self, word: bytes, who: str) -> None:
        # Droppable: after any loss the whole set is written again.
        data = command(word, self._set, who)
        self._outgoing.offer(slot_of(self._set), data, droppable=True)

    # Asking.

    async def _ask(self, whos: set[str]) -> set[str]:
        """All questions of one turn of the loop are one."""
        self._asking.update(dict.fromkeys(whos))
        if self._answer is None:
            self._answer = asyncio.get_running_loop().create_task(self._ask_all())
        return await asyncio.shield(self._answer)

    async def _ask_all(self) -> set[str]:
        await asyncio.sleep(0)
        whos, self._asking, self._answer = list(self._asking), {}, None
        found: set[str] = set()
        try:
            async with asyncio.timeout(self._deadline_s):
                said = await asyncio.gather(*(self._ask_one(who, whos) for who in self._others))
        except (BusAway, TimeoutError):
            self.unanswered += 1
            return {who for who in whos if self._last.get(who, False)}
        for some in said:
            found |= some
        for who in whos:
            self._last[who] = who in found
            self._last.move_to_end(who)
        while len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)
        return found

    async def _ask_one(self, other: bytes, whos: Sequence[str]) -> set[str]:
        key = self._set_of(other)
        commands = [
            command("SMISMEMBER", key, _MARK, *whos[start : start + _AT_ONCE])
            for start in range(0, len(whos), _AT_ONCE)
        ]
        replies = await self._servers.ask_all(key, commands)
        if any(isinstance(reply, RedisError) for reply in replies):
            raise BusAway
        if not all(reply[0] for reply in replies):
            if asyncio.get_running_loop().time() < self._emptied:
                raise BusAway  # not written yet
            return set()
        flags = [flag for reply in replies for flag in reply[1:]]
        return {who for who, flag in zip(whos, flags, strict=True) if flag}

    # Beating.

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_S)
            await self._beat_once()

    async def _beat_once(self) -> None:
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._show()
                said = await self._servers.ask(
                    self._registry, "EVAL", BEAT, 1, self._registry, self._me, _GONE_MS
                )
            if isinstance(said, RedisError):
                raise BusAway(str(said))
        except (BusAway, TimeoutError):
            self._told = False
            return
        except Exception as exc:  # whatever was said, the next beat follows
            _log.error("presence_beat_failed", exc=exc)
            return
        others = {who for who in said if who != self._me}
        if asyncio.get_running_loop().time() < self._emptied:
            others.update(self._others)  # they are there, and have yet to notice
        self._others = tuple(sorted(others))
        self._told = True

    async def _show(self) -> None:
        """Keep our set alive, and write it again if it is not what it should be."""
        # In line behind everything told so far: the size must be what is here now.
        self._outgoing.flush()
        expected = len(self._here.all_here()) + 1
        kept, size = await self._servers.ask_all(
            self._set, [command("PEXPIRE", self._set, _KEPT_MS), command("SCARD", self._set)]
        )
        if kept == 1 and size == expected and self._told:
            return
        if kept != 1 and self._shown:
            self._emptied = asyncio.get_running_loop().time() + _GONE_MS / 1000
        self._shown = True
        self.rewritten += 1
        self._outgoing.flush()
        everybody: list[Any] = [_MARK, *self._here.all_here()]
        chunks = [everybody[i : i + _AT_ONCE] for i in range(0, len(everybody), _AT_ONCE)]
        # In one step: who asks in the middle must not find half of them gone.
        commands = [command("MULTI"), command("DEL", self._set)]
        commands += [command("SADD", self._set, *chunk) for chunk in chunks]
        commands += [command("PEXPIRE", self._set, _KEPT_MS), command("EXEC")]
        *_, done = await self._servers.ask_all(self._set, commands)
        if isinstance(done, RedisError):
            raise BusAway(str(done))

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "gauge", "presence_processes", "Other processes with people.", len(self._others)
        yield "counter", "presence_rewritten", "Times our set was written anew.", self.rewritten
        yield "counter", "presence_unanswered", "Questions nobody answered.", self.unanswered
