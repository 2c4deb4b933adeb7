"""Keeps children running. Owns when one is started again, and the order of their end.

Rule: every death is said and answered by a start, later each time it does not help; whoever ends
the supervisor ends all of them.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from qingniao.cluster.child import Child
from qingniao.errors import StartError

__all__ = ["Supervisor"]

_BACKOFF_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_WELL_S: Final = 30.0
"""Who ran for so long is given a fresh start: its end has nothing to do with the last one."""
_STOP_S: Final = 15.0


class Supervisor:
    """`say` gets a sentence about everything that an operator would want to know, `changed` is
    called whenever a process is another."""

    def __init__(
        self, say: Callable[[str], None], changed: Callable[[], None] = lambda: None
    ) -> None:
        self._say = say
        self._changed = changed
        self._stages: list[list[Child]] = []
        self._keepers: dict[Child, asyncio.Task[None]] = {}

    @property
    def children(self) -> list[Child]:
        """All of them, in the order of their start."""
        return [child for stage in self._stages for child in stage]

    async def start(self, children: Sequence[Child]) -> None:
        """Start them side by side, and keep them running from now on. Raises `StartError`."""
        stage: list[Child] = []
        self._stages.append(stage)

        async def one(child: Child) -> None:
            stage.append(child)
            await child.start()
            self._keep(child)

        results = await asyncio.gather(*map(one, children), return_exceptions=True)
        stage.sort(key=lambda child: [c.name for c in children].index(child.name))
        for result in results:
            if isinstance(result, BaseException):
                raise result
        self._changed()

    async def restart(self, child: Child) -> None:
        """End it in good order and start it again, without a word of alarm. Raises `StartError`;
        it is kept all the same."""
        await self._release(child)
        await child.stop(_STOP_S)
        try:
            await child.start()
        finally:
            self._keep(child)
            self._changed()

    async def replace(self, old: Child, new: Child) -> None:
        """Start the new one, then end the old one: the work is never without a worker. Raises
        `StartError`; then the old one stays."""
        stage = next(stage for stage in self._stages if old in stage)
        # Both, from the first moment to the last: `stop` may come in the middle of this.
        stage.insert(stage.index(old), new)
        try:
            await new.start()
        except StartError:
            await new.stop(0)
            stage.remove(new)
            raise
        self._keep(new)
        await self._release(old)
        await old.stop(_STOP_S)
        stage.remove(old)
        self._changed()

    async def stop(self) -> None:
        """End all: the last started first, those who were started together side by side."""
        for keeper in self._keepers.values():
            keeper.cancel()
        await asyncio.gather(*self._keepers.values(), return_exceptions=True)
        self._keepers.clear()
        for stage in reversed(self._stages):
            results = await asyncio.gather(
                *(child.stop(_STOP_S) for child in stage), return_exceptions=True
            )
            for child, result in zip(stage, results, strict=True):
                if isinstance(result, BaseException):
                    self._say(f"{child.name} did not stop: {result}")
        self._stages.clear()

    def _keep(self, child: Child) -> None:
        self._keepers[child] = asyncio.create_task(self._run(child))

    async def _release(self, child: Child) -> None:
        keeper = self._keepers.pop(child, None)
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _run(self, child: Child) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            how = await child.ended()
            if time.monotonic() - began > _WELL_S:
                failures = 0
            self._changed()
            while True:
                wait_s = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
                failures += 1
                self._say(f"{child.name} {how}; it is started again in {wait_s:g} s")
                await asyncio.sleep(wait_s)
                try:
                    await child.start()
                except Exception as exc:  # whatever is in the way, such as a full disk
                    how = f"does not start ({exc})"
                else:
                    break
            self._changed()
            self._say(f"{child.name} runs again as process {child.pid}")
