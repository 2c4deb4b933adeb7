"""Redis that dies: a primary of a cluster, or all of it, and comes back empty."""

import asyncio
from typing import Final

from qingniao.errors import StartError
from qingniao.servers.redis_arrangements import Cluster
from qingniao.testing.drills.kinds import Scene

__all__ = ["all_of_redis_is_gone", "redis_primary_dies", "redis_stands_still"]

_AFTER_S: Final = 1.0


async def redis_primary_dies(scene: Scene) -> dict[str, float]:
    """One after the other, each of the three that were primaries; its replica takes over."""
    redis = scene.cluster.redis
    if not isinstance(redis, Cluster):
        raise StartError("This drill needs a Redis Cluster.")
    primaries = await asyncio.to_thread(lambda: redis.primaries)
    for primary in primaries:
        await asyncio.to_thread(redis.kill_primary, primary)
        await scene.load.acks(20)
        await asyncio.to_thread(redis.mend)
    return {"failovers": len(primaries)}


async def all_of_redis_is_gone(scene: Scene) -> dict[str, float]:
    """Every server is killed; later they are there again and know nothing."""
    redis = scene.cluster.redis
    before = scene.load.acked
    await asyncio.to_thread(redis.kill_all)
    await asyncio.sleep(scene.lengths.gone_s)
    acked = scene.load.acked - before
    await asyncio.to_thread(redis.mend)
    await asyncio.sleep(_AFTER_S)
    return {"gone_s": scene.lengths.gone_s, "acked_without": acked}


async def redis_stands_still(scene: Scene) -> dict[str, float]:
    """Every server takes connections and answers nothing; later it answers everything at once."""
    redis = scene.cluster.redis
    before = scene.load.acked
    for node in redis.nodes:
        node.pause()
    try:
        await asyncio.sleep(scene.lengths.gone_s)
    finally:
        for node in redis.nodes:
            node.resume()
    return {"gone_s": scene.lengths.gone_s, "acked_without": scene.load.acked - before}
