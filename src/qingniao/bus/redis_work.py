"""`bus.base.WorkQueue` on Redis's streams. Owns which roles are taken here, and who reads for them.

What is said to Redis is in `redis_streams.py`, what is held here in `redis_role_queue.py`. Refuses
to wait for Redis. Rule: with Redis away, a process that takes a role gives itself what it puts: the
sweeper's marks are then the queue.
"""

import asyncio
from collections.abc import Iterable

from qingniao.bus.redis_consumer import Consumer
from qingniao.bus.redis_role_queue import RoleQueue
from qingniao.bus.redis_streams import WorkStreams
from qingniao.metrics import Reading

__all__ = ["RedisWorkQueue"]


class RedisWorkQueue:
    """One per process."""

    def __init__(self, streams: WorkStreams) -> None:
        self.streams = streams
        self._roles: dict[str, RoleQueue] = {}

    def put(self, role: str, conversation: int) -> None:
        """See `WorkQueue.put`."""
        if self.streams.put(role, conversation):
            return
        queue = self._roles.get(role)
        if queue is None or not queue.add_own(conversation):
            self.streams.refused += 1  # its mark remains: a worker's sweeper finds it

    async def take(self, role: str, most: int = 1) -> list[int]:
        """See `WorkQueue.take`."""
        queue = self._roles.get(role)
        if queue is None:
            queue = self._roles[role] = RoleQueue(self.streams, role)
            queue.run(*(Consumer(queue, n).run() for n in range(len(self.streams.shards))))
        return await queue.take(most)

    def done(self, role: str, conversation: int) -> None:
        """See `WorkQueue.done`."""
        queue = self._roles.get(role)
        if queue is not None:
            queue.done(conversation)

    def depth(self, role: str) -> int:
        """How many entries the role's streams had when they were last looked at, and what waits
        here."""
        queue = self._roles.get(role)
        return queue.depth if queue is not None else 0

    async def close(self) -> None:
        """Give back what is not done."""
        await asyncio.gather(*(queue.close() for queue in self._roles.values()))
        self._roles.clear()

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        queues, streams = self._roles.values(), self.streams
        waiting, dead = sum(queue.depth for queue in queues), sum(queue.dead for queue in queues)
        yield "gauge", "work_waiting", "Conversations waiting for the roles of here.", waiting
        yield "counter", "work_refused", "Hints left out for lack of room.", streams.refused
        yield "counter", "work_claimed", "Taken over from processes that died.", streams.claimed
        yield "counter", "work_set_aside", "Set aside after killing its takers.", streams.set_aside
        yield "counter", "work_skipped", "Not taken because they were set aside.", streams.skipped
        yield "gauge", "work_dead_letters", "Conversations in the streams of those.", dead
