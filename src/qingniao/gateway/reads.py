"""Who has read how far, on its way into the log and to those who look on.

Owns the read marks of this process that are not in the log yet: the furthest of each side of a
conversation; refuses to remember any that are. Rule: one task brings all of them, so that reading
costs a connection nothing, however far away the log is.
"""

import asyncio
from typing import Final

from qingniao.bus.base import Fanout, Whisper
from qingniao.chat.ports import MessageLog, ReadMark
from qingniao.errors import StorageError
from qingniao.log import get_logger
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.frames import State

__all__ = ["Reads"]

_WAITING: Final = 20_000
"""Sides of conversations whose marks wait while the log does not answer; above it the oldest go
(policy: drop_oldest): clients say again how far they have read after a reconnect."""
_RETRY_S: Final = 1.0

_log: Final = get_logger("gateway")


class Reads:
    """Of one process. `run` is its owner's task."""

    def __init__(self, log: MessageLog, fanout: Fanout) -> None:
        self._message_log = log
        self._fanout = fanout
        self._waiting: dict[tuple[int, bool], int] = {}
        self._wake = asyncio.Event()

    def seen(self, mark: ReadMark) -> None:
        """Somebody has seen everything up to there."""
        side = mark.conversation, mark.is_agent
        self._waiting[side] = max(mark.seq, self._waiting.get(side, 0))
        if len(self._waiting) > _WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._wake.set()

    async def run(self) -> None:
        """Bring marks to the log, and tell what is news, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            taken, self._waiting = self._waiting, {}
            marks = [ReadMark(*side, seq) for side, seq in taken.items()]
            try:
                news = await self._message_log.mark_read(marks)
            except StorageError as exc:
                _log.warning("reads_wait", reason=str(exc), marks=len(marks))
                await asyncio.sleep(_RETRY_S)
                for mark in marks:
                    self.seen(mark)
                continue
            for conversation, (visitor, agents) in news.items():
                fields = {"read": {"v": visitor, "a": agents}}
                frame = MSGPACK.encode(State(conversation, fields))
                whisper = Whisper(conversation, frame, droppable=False, lists=True)
                self._fanout.publish(whisper)
