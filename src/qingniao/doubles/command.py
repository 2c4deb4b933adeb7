"""`qingniao doubles`: start them, say what to enter where, stop when told."""

import argparse
import asyncio
import math
import signal
import sys
from typing import Final
from urllib.parse import urlsplit

import msgspec

from qingniao.doubles.double import Double
from qingniao.doubles.street import NAMES, opened
from qingniao.errors import ConfigError

__all__ = ["run"]

_HEAD: Final = """\
Stand-ins for bot platforms. They answer from the sample shop's questions; nothing leaves this
machine, and every key below is made up. Set a bot up with one of these:
"""
_TAIL: Final = """\
The server asks addresses of this machine only when it is told so:
    QINGNIAO_OUTGOING_ALLOW={host} qingniao serve

To see one fail, write a scenario into a question (怎么退货？ [[truncate]]), or let it hold for all:
    curl -X PUT {url}/double -d truncate
    curl -X DELETE {url}/double
`curl {url}/double` lists the scenarios. Stop with Ctrl-C.
"""


def run(options: argparse.Namespace) -> int:
    """Until a signal to stop; exit status 0."""
    names = tuple(options.names) or NAMES
    if not 0 <= options.pace < math.inf:
        raise ConfigError("--pace must be a number of milliseconds, 0 or more.")
    asyncio.run(
        _serve(names, options.host, options.port, options.pace / 1_000, as_json=options.json)
    )
    return 0


async def _serve(
    names: tuple[str, ...], host: str, port: int, pace_s: float, *, as_json: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with opened(names, host=host, port=port, pace_s=pace_s) as doubles:
        told = _json(doubles) if as_json else _text(doubles)
        sys.stdout.write(told)
        sys.stdout.flush()
        await stop.wait()


def _json(doubles: dict[str, Double]) -> str:
    entries = [
        {"platform": double.platform, "double": name, "control": f"{double.url}/double",
         "label": label, **fields}
        for name, double in doubles.items()
        for label, fields in double.fields()
    ]  # fmt: skip
    return msgspec.json.encode(entries).decode() + "\n"


def _text(doubles: dict[str, Double]) -> str:
    parts = [_HEAD]
    for double in doubles.values():
        for label, fields in double.fields():
            parts.append(label)
            for name, value in fields.items():
                # A key of several lines has to be copied as it is.
                parts.append(f"{name}:\n{value}" if "\n" in value else f"    {name:<14} {value}")
            parts.append("")
    first = next(iter(doubles.values()))
    return "\n".join(parts) + "\n" + _TAIL.format(url=first.url, host=urlsplit(first.url).hostname)
