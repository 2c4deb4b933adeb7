"""Questions to the database that are asked at the same time go together, as one statement.

Owns who waits for which answer; refuses to know what is asked. Rule: nobody waits for company: a
question goes at once as long as few are on their way, and with all that came meanwhile after that.
A storm of hellos is then a few large statements instead of many small ones in a line.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from qingniao.errors import StorageError

__all__ = ["Gathering"]

Question = TypeVar("Question")
Answer = TypeVar("Answer")

_ON_THEIR_WAY: Final = 2
"""Statements of one kind at the same time: if one hangs, there is another."""


class Gathering(Generic[Question, Answer]):
    """`await gathering(question)`. Bounded by those who ask, each of whom waits for its answer."""

    def __init__(
        self,
        ask: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]],
        *,
        most: int,
        deadline_s: float,
    ) -> None:
        """`ask` answers up to `most` questions, in their order and within the deadline."""
        self._ask = ask
        self._most = most
        self._deadline_s = deadline_s
        self._waiting: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, question: Question) -> Answer:
        """The answer. Raises what `ask` raises, or `StorageError` when it takes too long."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((question, answer))
        # One that has just ended is still among them, and would not look again.
        if sum(not task.done() for task in self._tasks) < _ON_THEIR_WAY:
            task = loop.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            # The statement that is under way, and then its own.
            async with asyncio.timeout(2 * self._deadline_s):
                return await answer
        except TimeoutError as exc:
            raise StorageError("PostgreSQL is too busy: it did not answer in time.") from exc

    async def close(self) -> None:
        """Give up what is on its way; whoever waits is told. Idempotent."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for _, answer in self._waiting:
            _tell(answer, StorageError("The log is closed."))
        self._waiting.clear()

    async def _run(self) -> None:
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            # Whoever has left needs no answer.
            some = [(question, answer) for question, answer in some if not answer.done()]
            if not some:
                continue
            try:
                answers = await self._ask([question for question, _ in some])
            except asyncio.CancelledError:
                for _, answer in some:
                    _tell(answer, StorageError("The log is closed."))
                raise
            except Exception as exc:  # whatever it is, those who asked have to hear of it
                for _, answer in some:
                    _tell(answer, exc)
                continue
            for (_, answer), found in zip(some, answers, strict=True):
                if not answer.done():
                    answer.set_result(found)


def _tell(answer: "asyncio.Future[Answer]", exc: Exception) -> None:
    if not answer.done():
        answer.set_exception(exc)
