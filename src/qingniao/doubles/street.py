"""All doubles at once, each on a port of its own.

Owns which there are. Rule: either all of them listen or none does.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from qingniao.doubles.coze import CozeDouble
from qingniao.doubles.dify import DifyDouble
from qingniao.doubles.double import Double
from qingniao.doubles.faq import Faq
from qingniao.doubles.fastgpt import FastGPTDouble
from qingniao.doubles.openai import OpenAIDouble
from qingniao.doubles.openai_dialects import DIALECTS
from qingniao.errors import ConfigError, StartError

__all__ = ["NAMES", "opened"]

NAMES: Final = ("dify", "fastgpt", "coze", *DIALECTS)
"""What can be started: three platforms, and OpenAI's interface in each dialect."""

_LAST_PORT: Final = 65_535


@contextlib.asynccontextmanager
async def opened(
    names: Sequence[str] = NAMES, *, host: str = "127.0.0.1", port: int = 0, pace_s: float = 0.0
) -> AsyncIterator[dict[str, Double]]:
    """Doubles by name, listening until the block ends.

    `port` is the first one's; 0 takes free ones. Raises `ConfigError` for a name or a port that
    there is not, `StartError` when a port is taken.
    """
    names = tuple(dict.fromkeys(names))
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        raise ConfigError(f"No double {', '.join(unknown)}. There are: {', '.join(NAMES)}.")
    if port and not 0 < port <= _LAST_PORT + 1 - len(names):
        raise ConfigError(f"No {len(names)} ports from {port} on. They are 1 to {_LAST_PORT}.")
    faq = await asyncio.to_thread(Faq)
    async with contextlib.AsyncExitStack() as stack:
        doubles: dict[str, Double] = {}
        for number, name in enumerate(names):
            double = _made(name, faq, pace_s)
            try:
                await double.start(host, port + number if port else 0)
            except OSError as exc:
                where = f"port {port + number}" if port else host
                reason = exc.strerror or exc
                raise StartError(f"Cannot listen on {where}: {reason}.") from exc
            stack.push_async_callback(double.close)
            doubles[name] = double
        yield doubles


def _made(name: str, faq: Faq, pace_s: float) -> Double:
    if name in DIALECTS:
        return OpenAIDouble(faq, clock=time.time, dialect=name, pace_s=pace_s)
    kinds: dict[str, Callable[..., Double]] = {
        "dify": DifyDouble,
        "fastgpt": FastGPTDouble,
        "coze": CozeDouble,
    }
    return kinds[name](faq, clock=time.time, pace_s=pace_s)
