"""Visitors who speak from a record, and agents who answer from it.

Rule: they go through the real wire and know nothing of the server but the protocol; what they saw
is kept, so that it can be compared with the log afterwards.
"""

import asyncio
import random
import time
from typing import Any, Final

from qingniao.client import Client, NotTaken
from qingniao.protocol.frames import Delta, DownFrame, Entry, EntryType, Page, State, Welcome
from qingniao.replay.dialogues import Dialogue
from qingniao.replay.house import Api

__all__ = ["Agent", "Visitor", "read_back"]

_ANSWERS: Final = (EntryType.TEXT, EntryType.FILE, EntryType.ANSWER)
_ANSWER_S: Final = 10.0
_IN_QUEUE_S: Final = 30.0
"""How long a visitor waits for a person before going on; not at all when nobody will come."""


class Visitor:
    """Says the visitor's part of one dialogue, waiting for an answer to each sentence."""

    def __init__(self, url: str, token: str, conversation: int, dialogue: Dialogue) -> None:
        self.conversation = conversation
        self.dialogue = dialogue
        self.token = token
        self.url = url
        self.client = Client(url, token=token, on_frame=self._hear)
        self.said: list[tuple[int, str]] = []
        """(seq, text) of everything acked, in order of sending."""
        self.seen: dict[int, Entry] = {}
        self.sent = self.repeats = self.by_bot = self.by_people = self.unanswered = 0
        self.first_answers_ms: list[float] = []
        self.was_handed_over = False
        self.is_done = False
        self.turn = 0
        self._status = "bot"
        self._answered = asyncio.Event()
        self._helped = asyncio.Event()
        self._asked_at = 0.0

    async def run(self, *, drops: float, people_come: bool) -> None:
        """The whole dialogue. `drops` is the probability to lose the connection at each turn."""
        async with self.client:
            await self.client.ready(60)
            for number, turn in enumerate(self.dialogue.turns):
                self.turn = number
                self._answered.clear()
                self._asked_at = time.perf_counter()
                self.sent += 1
                sending = self.client.post(self.conversation, turn.says)
                if random.random() < drops:  # noqa: S311
                    self.client.drop()
                receipt = await sending
                self.said.append((receipt.seq, turn.says))
                self.repeats += receipt.repeats
                await self._wait(people_come=people_come)
            # What is still under way to us: everything up to the last seq the server spoke of.
            await asyncio.sleep(0.2)
            self.is_done = True

    async def _wait(self, *, people_come: bool) -> None:
        """For an answer; in the queue for as long as it is worth it."""
        if self._status == "waiting" and not people_come:
            return
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._answered.wait()
            if self._status == "waiting" and people_come:
                async with asyncio.timeout(_IN_QUEUE_S):
                    await self._helped.wait()
        except TimeoutError:
            self.unanswered += 1

    def _hear(self, frame: DownFrame) -> None:
        if isinstance(frame, Entry):
            self.seen[frame.seq] = frame
            if frame.type == EntryType.STATUS and isinstance(frame.body, dict):
                self._moved(str(frame.body["to"]))
            elif frame.type in _ANSWERS and frame.sender != "v":
                self.by_bot += frame.sender == "b"
                if frame.sender.startswith("a"):
                    self.by_people += 1
                    self._helped.set()
                self._hear_answer()
                self._answered.set()
        elif isinstance(frame, Delta) and frame.text:
            self._hear_answer()
        elif isinstance(frame, State) and "status" in frame.fields:
            self._moved(str(frame.fields["status"]))

    def _moved(self, status: str) -> None:
        self._status = status
        if status == "waiting":
            self.was_handed_over = True
            self._answered.set()

    def _hear_answer(self) -> None:
        if self._asked_at:
            self.first_answers_ms.append((time.perf_counter() - self._asked_at) * 1000)
            self._asked_at = 0.0


class Agent:
    """Answers what is given to them with what the person said in the record, and closes."""

    def __init__(self, api: Api, user: int, visitors: dict[int, Visitor]) -> None:
        self.user = user
        self.visitors = visitors
        self.client = Client(api.url, token=api.ticket, on_frame=self._hear)
        self.mine: dict[int, None] = {}
        self.answered = 0
        self.closed: set[int] = set()
        self._work: asyncio.Queue[Entry] = asyncio.Queue(100_000)

    async def run(self) -> None:
        """Answer until cancelled."""
        async with self.client:
            await self.client.ready(60)
            self.client.follow(0)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tidy())
                while True:
                    entry = await self._work.get()
                    await self._answer(entry.conversation)

    def _hear(self, frame: DownFrame) -> None:
        if isinstance(frame, State) and "assignee" in frame.fields:
            self._own(frame.conversation, frame.fields["assignee"])
        elif (
            isinstance(frame, Entry)
            and frame.sender == "v"
            and frame.type == EntryType.TEXT
            and frame.conversation in self.mine
            and not self._work.full()
        ):
            self._work.put_nowait(frame)

    def _own(self, conversation: int, assignee: dict[str, Any] | None) -> None:
        if conversation not in self.visitors:
            return
        if assignee is None or assignee["id"] != self.user:
            self.mine.pop(conversation, None)
        elif conversation not in self.mine:
            self.mine[conversation] = None
            self.client.follow(conversation)

    async def _answer(self, conversation: int) -> None:
        visitor = self.visitors[conversation]
        turn = visitor.dialogue.turns[min(visitor.turn, len(visitor.dialogue.turns) - 1)]
        try:
            await self.client.send(conversation, turn.answered or "好的，我看一下。")
            self.answered += 1
        except NotTaken:
            self.mine.pop(conversation, None)  # somebody else has it now

    async def _tidy(self) -> None:
        """Close what is finished, so that the next one in the queue gets its turn."""
        while True:
            await asyncio.sleep(0.1)
            for conversation in list(self.mine):
                if self.visitors[conversation].is_done:
                    self.mine.pop(conversation, None)
                    try:
                        await self.client.send(conversation, {"do": "close"}, EntryType.ACTION)
                        self.closed.add(conversation)
                    except NotTaken:
                        pass


async def read_back(visitor: Visitor) -> list[Entry]:
    """The conversation as the server has it, fetched page by page by a new device."""
    entries: dict[int, Entry] = {}
    paged = asyncio.Event()

    def hear(frame: DownFrame) -> None:
        if isinstance(frame, Page):
            entries.update({entry.seq: entry for entry in frame.entries})
        # What was asked on a connection that broke is asked again on the next.
        if isinstance(frame, Page | Welcome):
            paged.set()

    async with Client(visitor.url, token=visitor.token, on_frame=hear) as client:
        await client.ready(60)
        before = int(client.states[visitor.conversation]["last"]) + 1
        while before > 1:
            paged.clear()
            client.history(visitor.conversation, before, 100)
            async with asyncio.timeout(30):
                await paged.wait()
            before = min(entries, default=before)
    return [entries[seq] for seq in sorted(entries)]
