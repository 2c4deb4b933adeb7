"""Runs drills, several on one cluster: everybody talks, something breaks, all of it is compared.

Owns the order and the clusters; refuses to know a fault. Rule: a drill that does not end is a
verdict too, and whatever comes after it gets a new cluster.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Literal

from msgspec import Struct

from qingniao.errors import QingniaoError
from qingniao.replay.house import Api
from qingniao.testing.drills.arrivals import Arrivals
from qingniao.testing.drills.cluster import DrillCluster, Plan
from qingniao.testing.drills.kinds import Drill, Lengths, Scene
from qingniao.testing.drills.returns import close_all, keep_with_bot
from qingniao.testing.drills.silences import Silences
from qingniao.testing.drills.verdict import Verdict, judged
from qingniao.testing.load import Load, Size
from qingniao.testing.rolling import CLUSTER_LOADED
from qingniao.testing.servers import hire

__all__ = ["Scale", "run"]

_WARM_ACKS: Final = 50
_DESK: Final = 2
_SETTINGS: Final = CLUSTER_LOADED | {"QINGNIAO_WIRE_RATE": "1000"}


class Scale(Struct, frozen=True, kw_only=True):
    """How large."""

    lengths: Lengths = Lengths()
    load: Size = Size(by_bot=3, by_people=3, agents=2, pause_s=0.12)
    gateways: int = 2
    newcomer_every_s: float = 1.0
    settings: dict[str, str] = {}
    """Beside those that every drill needs."""


class _Staff(Struct, frozen=True):
    talking: list[Api]
    desk: dict[int, Api]


async def run(
    drills: Sequence[Drill], scale: Scale, say: Callable[[Verdict], None], lanes: int = 1
) -> list[Verdict]:
    """All of them, `lanes` clusters side by side; `say` gets each verdict as it comes. Raises
    `StartError` if a cluster does not start."""
    waiting = list(drills)
    verdicts: list[Verdict] = []

    def next_one(redis: str) -> Drill | None:
        found = next((drill for drill in waiting if drill.redis == redis), None)
        if found is not None:
            waiting.remove(found)
        return found

    async def on_a_cluster(redis: Literal["standalone", "cluster"], drill: Drill | None) -> None:
        plan = Plan(gateways=scale.gateways, redis=redis, settings=_SETTINGS | scale.settings)
        async with DrillCluster(plan) as cluster:
            staff = await _hire(cluster, scale.load.agents)
            is_well = True
            while is_well and drill is not None:
                verdict, is_well = await _one(drill, cluster, staff, scale)
                verdicts.append(verdict)
                say(verdict)
                drill = next_one(redis) if is_well else None

    async def lane(number: int) -> None:
        kinds: list[Literal["standalone", "cluster"]] = ["standalone", "cluster"]
        for redis in kinds if number % 2 else kinds[::-1]:
            while (drill := next_one(redis)) is not None:
                await on_a_cluster(redis, drill)

    async with asyncio.TaskGroup() as tasks:
        for number in range(lanes):
            tasks.create_task(lane(number))
    return verdicts


async def _hire(cluster: DrillCluster, talking: int) -> _Staff:
    everybody = await hire(cluster, talking + _DESK)
    desk = {}
    for api in everybody[talking:]:
        me = await api.call("PATCH", "/session/user", {"accepting": True})
        desk[int(me["user"]["id"])] = api
    return _Staff(everybody[:talking], desk)


async def _one(
    drill: Drill, cluster: DrillCluster, staff: _Staff, scale: Scale
) -> tuple[Verdict, bool]:
    load = Load(scale.load)
    arrivals = Arrivals(cluster.url, staff.desk, every_s=scale.newcomer_every_s)
    silences = Silences(load)
    verdict = Verdict(name=drill.name, violations=[])
    is_well = True
    try:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(load.open(cluster, staff=staff.talking))
            await stack.enter_async_context(cluster.whole())
            await stack.enter_async_context(arrivals.open())
            async with load.talking(), _kept_with_bot(load):
                await load.acks(_WARM_ACKS)
                async with silences.measured():
                    verdict.figures = await drill.breaks(Scene(cluster, load, scale.lengths))
            await close_all(load)
        cluster.check()
        histories = await load.histories(cluster)
        histories += await arrivals.histories(cluster.url, staff.talking[0])
        judged(verdict, histories)
    except (QingniaoError, TimeoutError, ExceptionGroup) as exc:
        is_well = False
        verdict.violations += [f"{drill.name} did not end well: {words}" for words in _words(exc)]
        verdict.logs = await cluster.logs()
    verdict.violations += arrivals.unserved
    verdict.acked = load.acked + sum(seat.acked for seat in arrivals.seats)
    verdict.assigned = len(arrivals.newcomers) - len(arrivals.unserved)
    verdict.ack_s = round(silences.ack_s, 2)
    verdict.delivery_s = round(silences.delivery_s, 2)
    verdict.answer_s = round(silences.answer_s, 2)
    verdict.unheard_s = round(silences.unheard_s, 2)
    verdict.queue_s = round(arrivals.wait_s, 2)
    if arrivals.turned_away:
        verdict.figures["turned_away"] = arrivals.turned_away
    return verdict, is_well and not verdict.violations


@contextlib.asynccontextmanager
async def _kept_with_bot(load: Load) -> AsyncIterator[None]:
    keeping = asyncio.create_task(keep_with_bot(load))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


def _words(exc: BaseException) -> list[str]:
    if isinstance(exc, BaseExceptionGroup):
        return [words for inner in exc.exceptions for words in _words(inner)]
    return [f"{type(exc).__name__}: {exc}"]
