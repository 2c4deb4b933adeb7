"""Work that only one process does at a time: it runs while the lease is held.

Owns the keeping of one lease and the task that works under it; refuses to know the work. Rule: time
without an answer from the store counts as time used up, from before the question was asked: the
work is cancelled before anybody else can have begun.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from qingniao.chat.leases import Leases
from qingniao.errors import StorageError
from qingniao.log import get_logger

__all__ = ["TTL_S", "Tenure"]

TTL_S: Final = 15.0
"""How long nobody works after a holder was killed."""
_KEEP: Final = 3
"""Times in its life that a lease is asked for again."""
_MARGIN: Final = 0.8
"""Share of its life after which an unconfirmed lease is taken for lost: clocks run unevenly."""

_log: Final = get_logger("workers")


class Tenure:
    """`run` is its owner's task; `work` makes the coroutine that runs while the lease is held."""

    def __init__(
        self,
        leases: Leases,
        name: str,
        holder: str,
        work: Callable[[], Coroutine[Any, Any, None]],
        *,
        ttl_s: float = TTL_S,
    ) -> None:
        self._leases = leases
        self._name = name
        self._holder = holder
        self._work = work
        self._ttl_s = ttl_s
        self._until = 0.0
        self.term = 0
        """Of the lease that is held; 0 while somebody else works."""

    async def run(self) -> None:
        """Work whenever it is our turn, until cancelled."""
        try:
            while True:
                await self._ask()
                if self.term:
                    await self._hold()
                else:
                    await asyncio.sleep(self._ttl_s / _KEEP)
        finally:
            if self.term:
                self.term = 0
                try:
                    async with asyncio.timeout(self._ttl_s / _KEEP):
                        await self._leases.give_up(self._name, self._holder)
                except (StorageError, TimeoutError):
                    pass  # it ends by itself

    async def _hold(self) -> None:
        """Work until the lease is lost, or the work ends."""
        term = self.term
        loop = asyncio.get_running_loop()
        working = loop.create_task(self._work())
        _log.info("tenure_begun", name=self._name, term=term)
        try:
            while self.term == term and not working.done():
                # Unanswered, it may be over before it is time to ask again.
                left_s = max(0.0, self._until - loop.time())
                await asyncio.wait([working], timeout=min(self._ttl_s / _KEEP, left_s))
                if not working.done():
                    await self._ask()
        finally:
            working.cancel()
            await asyncio.wait([working])
            _log.info("tenure_ended", name=self._name, term=term)
        if not working.cancelled() and (exc := working.exception()) is not None:
            raise exc

    async def _ask(self) -> None:
        """Take or keep the lease; without an answer it is ours for as long as it certainly is."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        left_s = self._until - asked if self.term else self._ttl_s
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                self.term = await self._leases.take(self._name, self._holder, self._ttl_s)
            self._until = asked + self._ttl_s * _MARGIN
        except (StorageError, TimeoutError) as exc:
            _log.warning("lease_unknown", name=self._name, reason=str(exc))
        if loop.time() >= self._until:
            self.term = 0
