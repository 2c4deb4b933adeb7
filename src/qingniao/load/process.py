"""One worker process: `python -m qingniao.load.process`, an `Order` on standard input.

After it come the time to start and perhaps the word to stop, a line each. It says on standard
output, one JSON line each, when everybody is in, every second what was counted since, and at last
that it is done. Rule: it ends when its standard input does, so that it never outlives whoever
started it.
"""

import asyncio
import gc
import resource
import signal
import sys
import time
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field

from qingniao.errors import QingniaoError
from qingniao.load.crowd import Crowd, Order
from qingniao.load.driver import Driver
from qingniao.load.meter import Tally
from qingniao.load.ticker import now_us

__all__ = ["LINE_BYTES", "Word", "main", "raise_file_limit"]

LINE_BYTES: Final = 64 * 1024 * 1024
"""The longest line: an order with its tokens."""
_SECOND: Final = 1.0
_GO_S: Final = 300.0
"""How long it waits for the others to be ready."""


class Word(Struct, frozen=True, kw_only=True):
    """What a process says."""

    kind: Literal["ready", "tick", "done", "fault"]
    tally: Tally = field(default_factory=Tally)
    """Counted since the last word."""
    open: int = 0
    at_us: int = 0
    """Monotonic time at which the tally was taken."""
    opened_s: float = 0.0
    """`ready`: how long it took to bring everybody in."""
    cpu: float = 0.0
    """`done`: share of a core used while talking."""
    talked_s: float = 0.0
    """`done`: how long the schedule was kept; shorter than planned when nobody was left."""
    text: str = ""


class _Pipe:
    """The parent's end of this process."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._write = sys.stdout.buffer

    def say(self, kind: Literal["ready", "tick", "done", "fault"], **more: Any) -> None:
        """Tell, with what has been counted since the last time."""
        crowd = self._crowd
        word = Word(kind=kind, tally=crowd.tally.take(), open=crowd.open, at_us=now_us(), **more)
        self._write.write(msgspec.json.encode(word) + b"\n")
        self._write.flush()

    async def tick(self) -> None:
        """Once a second until cancelled."""
        while True:
            await asyncio.sleep(_SECOND)
            self.say("tick")


async def _work(crowd: Crowd, driver: Driver, go: "asyncio.Future[int]") -> None:
    pipe = _Pipe(crowd)
    ticking = asyncio.create_task(pipe.tick())
    try:
        began_us = now_us()
        await crowd.gather()
        opened_s = (now_us() - began_us) / 1e6
        # What lives from here on stays; a collection would stop everybody's clock.
        gc.collect()
        gc.freeze()
        gc.disable()
        pipe.say("ready", opened_s=opened_s)
        async with asyncio.timeout(_GO_S):
            start_us = await go
        cpu_s = time.process_time()
        await driver.talk(start_us)
        talked_s = max(1e-3, (now_us() - start_us) / 1e6)
        share = (time.process_time() - cpu_s) / talked_s
        await crowd.settle()
        pipe.say("done", cpu=share, talked_s=talked_s)
    except QingniaoError as exc:
        pipe.say("fault", text=str(exc))
    except TimeoutError:
        pipe.say("fault", text="The other load processes were not ready in time.")
    finally:
        ticking.cancel()
        await crowd.leave()


async def _main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    order = msgspec.json.decode(await reader.readline(), type=Order)
    go: asyncio.Future[int] = loop.create_future()
    crowd = Crowd(order)
    driver = Driver(crowd, order.plan, order.share)
    work = asyncio.create_task(_work(crowd, driver, go))

    async def listen() -> None:
        while line := await reader.readline():
            if go.done():
                driver.stop()
            else:
                go.set_result(int(line))
        work.cancel()  # whoever started us is gone

    listening = asyncio.create_task(listen())
    await asyncio.wait([work])
    listening.cancel()
    if not work.cancelled():
        work.result()


def raise_file_limit() -> int:
    """Every connection is a file: use what the system allows. Returns how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def main() -> None:
    """Run one order and end."""
    # Ctrl-C reaches the whole group; the parent ends us by closing our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise_file_limit()
    try:
        import uvloop
    except ImportError:  # not made for this platform: the standard loop does
        asyncio.run(_main())
        return
    uvloop.run(_main())


if __name__ == "__main__":
    main()
