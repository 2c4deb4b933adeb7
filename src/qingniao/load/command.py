"""`qingniao load`: the run from the first token to the report. Owns the worker processes.

Rule: every process that is started here ends here, and everything that is waited for has a
deadline.
"""

import asyncio
import contextlib
import os
import secrets
import sys
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from qingniao.errors import StartError
from qingniao.load.crowd import Order
from qingniao.load.meter import Tally
from qingniao.load.plan import Plan, check, check_machine, divide
from qingniao.load.process import LINE_BYTES, Word, raise_file_limit
from qingniao.load.report import Report, summarise
from qingniao.load.target import Target
from qingniao.load.ticker import now_us

__all__ = ["Progress", "load", "prepared"]

_MORE_S: Final = 180.0
"""Beyond ramp and duration: to start, to bring everybody in, to wait for what is under way."""
_HEAD_START_US: Final = 200_000
"""Between the word to go and the first message: every process has heard it by then."""
_END_S: Final = 10.0
_PORTS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


class Progress:
    """Hears how far the run is; the base says nothing."""

    def phase(self, title: str) -> None:
        """A new part of the run begins."""

    def started(self, start_us: int) -> None:
        """Everybody is in: the schedule counts from this monotonic time."""

    def visitors(self, count: int, of: int) -> None:
        """So many visitors have a token."""

    def counted(self, process: int, word: Word) -> None:
        """A process tells what it counted since its last word."""


def prepared(plan: Plan, *, has_agents: bool, own_server: bool) -> Plan:
    """The plan complete, and possible on this machine. Raises `ConfigError`."""
    plan = check(plan, has_agents=has_agents, cores=len(os.sched_getaffinity(0)))
    check_machine(plan, files=raise_file_limit(), own_server=own_server, ports=_local_ports())
    return plan


def _local_ports() -> int:
    try:
        low, high = map(int, _PORTS.read_text("ascii").split())
    except (OSError, ValueError):
        return 16_384  # what RFC 6335 sets aside for this
    return high - low + 1


async def load(
    plan: Plan, target: Target, progress: Progress, enough: asyncio.Event | None = None
) -> Report:
    """Run a prepared plan; end the talking sooner when `enough` is set. Raises `QingniaoError`."""
    progress.phase("visitors get their tokens")
    count = plan.arrivals + (0 if plan.agents else plan.slow)
    tokens = await target.visitors(count, lambda got: progress.visitors(got, count))
    ticket = await target.ticket() if plan.agents else ""
    run = secrets.token_hex(4)
    total = Tally()
    within_s = (plan.ramp_s or 0) + plan.duration_s + _MORE_S
    try:
        async with contextlib.AsyncExitStack() as stack, asyncio.timeout(within_s):
            workers: list[_Worker] = []
            for share in divide(plan):
                first = sum(len(worker.order.tokens) for worker in workers)
                own = share.arrivals + (0 if plan.agents else share.slow)
                order = Order(
                    url=target.url, plan=plan, share=share, tokens=tokens[first : first + own],
                    ticket=ticket, run=run,
                )  # fmt: skip
                workers.append(await stack.enter_async_context(_worker(order, total, progress)))
            progress.phase("connections come up")
            ready = await _all(worker.until("ready") for worker in workers)
            progress.phase("running")
            ends = await _talk(workers, progress, enough)
    except TimeoutError:
        raise StartError(f"The load did not end within {within_s:.0f} s.") from None
    return summarise(
        plan,
        total,
        opened_s=max(word.opened_s for word in ready),
        talked_s=max(end.talked_s for end in ends),
        cpu=tuple(end.cpu for end in ends),
        is_stopped=enough is not None and enough.is_set(),
    )


async def _talk(
    workers: Sequence["_Worker"], progress: Progress, enough: asyncio.Event | None
) -> list[Word]:
    start_us = now_us() + _HEAD_START_US
    progress.started(start_us)
    for worker in workers:
        worker.tell(b"%d" % start_us)
    stopping = asyncio.create_task(_stop(workers, enough))
    try:
        return await _all(worker.until("done") for worker in workers)
    finally:
        stopping.cancel()


async def _stop(workers: Sequence["_Worker"], enough: asyncio.Event | None) -> None:
    if enough is not None:
        await enough.wait()
        for worker in workers:
            worker.tell(b"stop")


class _Worker:
    """One worker process, and what it has said."""

    def __init__(self, order: Order, total: Tally, progress: Progress) -> None:
        self.order = order
        self._total = total
        self._progress = progress
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Spawn it and hand it its order."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "qingniao.load.process", limit=LINE_BYTES,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self.tell(msgspec.json.encode(self.order))
        if self._process.stdin is not None:
            await self._process.stdin.drain()

    def tell(self, line: bytes) -> None:
        """After the order: the time to start, and perhaps the word to stop."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(line + b"\n")

    async def until(self, kind: str) -> Word:
        """Listen until it says that. Raises `StartError` when it has a reason not to."""
        output = self._process.stdout if self._process is not None else None
        while output is not None and (line := await output.readline()):
            word = msgspec.json.decode(line, type=Word)
            if word.kind == "fault":
                raise StartError(word.text)
            self._total.merge(word.tally)
            self._progress.counted(self.order.share.number, word)
            if word.kind == kind:
                return word
        raise StartError("A load process ended too early; what it said is above.")

    async def end(self) -> None:
        """It ends when its input does; if not, it is killed."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def _worker(order: Order, total: Tally, progress: Progress) -> AsyncIterator[_Worker]:
    worker = _Worker(order, total, progress)
    try:
        await worker.start()
        yield worker
    finally:
        await worker.end()


async def _all(words: Iterable[Coroutine[Any, Any, Word]]) -> list[Word]:
    try:
        async with asyncio.TaskGroup() as tasks:
            waiting = [tasks.create_task(word) for word in words]
    except* StartError as group:
        # One reason is enough to act on.
        raise StartError(str(group.exceptions[0])) from None
    return [task.result() for task in waiting]
