"""A bad network between everybody and the server, while they talk.

Owns the order of the faults; refuses to spare anybody. Rule: what a round breaks the next one meets
already mended or not, as chance has it; the seed makes it the same chance.
"""

import asyncio
import random
from typing import Final

from msgspec import Struct

from qingniao.testing.load import Load, Outcome, Size
from qingniao.testing.network import Network
from qingniao.testing.servers import LOADED, Start

__all__ = ["WeatherSize", "bad_weather"]

_KINDS: Final = ("cuts", "delays", "slices", "holes")
_CUT_CHANCE: Final = 0.02
_DELAY_S: Final = 0.03
_SLICE_BYTES: Final = 7
_HOLED: Final = 0.3
"""The share of the connections that get a hole."""


class WeatherSize(Struct, frozen=True, kw_only=True):
    """How long. Each round has one kind of fault, in turn."""

    rounds: int = 8
    round_s: float = 0.6
    seed: int = 20261125
    beat_ms: int = 1_000
    load: Size = Size(pause_s=0.01)


async def bad_weather(start: Start, size: WeatherSize) -> Outcome:
    """Everybody talks through a network that cuts, delays, slices and holds."""
    chance = random.Random(size.seed)  # noqa: S311  the same weather in every run
    server = await start(None, **LOADED, QINGNIAO_WIRE_BEAT_MS=str(size.beat_ms))
    load = Load(size.load)
    holes = 0
    async with Network(server.url, seed=size.seed) as network:
        async with load.open(server, network.url), load.talking():
            for number in range(size.rounds):
                kind = _KINDS[number % len(_KINDS)]
                network.behave(
                    cut_chance=_CUT_CHANCE if kind == "cuts" else 0.0,
                    delay_s=_DELAY_S if kind == "delays" else 0.0,
                    slice_bytes=_SLICE_BYTES if kind == "slices" else 0,
                )
                if kind == "holes":
                    holes += _dig(network, chance)
                await asyncio.sleep(size.round_s)
                if chance.random() < 0.5:
                    for link in network.links:
                        link.heal()
                # One that is left in its hole is found dead by both sides.
            network.behave()
        return await load.outcome(server, rounds=size.rounds, cuts=network.cuts, holes=holes)


def _dig(network: Network, chance: random.Random) -> int:
    """Holes in some of the links; how many."""
    dug = 0
    for link in network.links:
        if chance.random() < _HOLED:
            link.hole(*chance.choice((("up",), ("down",), ())))
            dug += 1
    return dug
