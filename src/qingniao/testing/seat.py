"""A person at one screen who writes everything down: what they sent, were told, saw and read back.

Owns the recording for the checker; refuses to judge it. Rule: what is recorded is what the client
handed to its user; only what arrived (`Sight.arrived`) is taken from in front of the client, for a
client hides what comes twice.
"""

import asyncio
import random
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct

from qingniao.client import Client, NotTaken, Receipt
from qingniao.protocol.frames import (
    MAX_INT,
    Ack,
    Busy,
    Bye,
    DownFrame,
    Entry,
    EntryType,
    Error,
    Page,
    Welcome,
)
from qingniao.testing.history import History, Look, Reader, Said, Sender, Sight

__all__ = ["Record", "Seat", "history_of", "until"]

_PAGE: Final = 100
_PAGE_S: Final = 60.0
_PAGE_PAUSE_S: Final = 0.003
_READ_S: Final = 120.0
_SETTLE_S: Final = 60.0
_ACKED_KEPT: Final = 150
"""The last acked texts that a look is compared with: those that its pages may hold."""


class Record(Struct, frozen=True, kw_only=True):
    """What one seat knows of one conversation."""

    sender: Sender
    reader: Reader
    looks: list[Look]
    byes: list[Bye]


class _Connection:
    """What came on one connection, by conversation."""

    def __init__(self) -> None:
        self.shown: dict[int, list[Entry]] = defaultdict(list)
        self.arrived: dict[int, list[int]] = defaultdict(list)
        self.was_mended = False


class _Recorded(Client):
    """A client that shows every frame to its seat before it makes something of it."""

    arrives: Callable[[DownFrame], None]
    asked_again: Callable[[], None]
    is_lost: Callable[[], None]

    def _hear(self, frame: DownFrame) -> None:
        self.arrives(frame)
        gaps = self.gaps
        super()._hear(frame)
        if self.gaps > gaps:
            self.asked_again()

    def _lost(self) -> None:
        super()._lost()
        self.is_lost()


class Seat:
    """One device. `async with seat.client` opens it."""

    def __init__(self, url: str, name: str, token: str | Callable[[], Awaitable[str]]) -> None:
        self.name = name
        self.token = token
        self.client = _Recorded(
            url, token=token, on_frame=self._shown, device=name, backoff_max_s=0.3
        )
        self.client.arrives, self.client.asked_again = self._arrived, self._asked_again
        self.client.is_lost = self._lost
        self.said: dict[int, dict[str, Said]] = defaultdict(dict)
        """Conversation → text → what became of it, in the order of sending."""
        self.acked = 0
        self.byes: list[Bye] = []
        self.errors: list[Error] = []
        self.looks: dict[int, list[Look]] = defaultdict(list)
        self.last_ack_at = 0.0
        self.is_connected = False
        self.told_at = 0.0
        """When something was last told about what was sent: stored, busy, an error, or that the
        connection is new or gone. On the clock of `time.monotonic`, as all of these."""
        self.delivered_at: dict[int, float] = {}
        """Conversation → when somebody else's words were last put on this screen."""
        self.answered_at: dict[int, float] = {}
        """Conversation → when the bot's were."""
        self.busies = 0
        self.is_whole = True
        """False for who left before the end."""
        self._connections: list[_Connection] = []
        self._last_acked: dict[int, deque[str]] = defaultdict(lambda: deque(maxlen=_ACKED_KEPT))
        self._asked: deque[asyncio.Future[Page | None]] = deque()

    # What is recorded.

    def _arrived(self, frame: DownFrame) -> None:
        if isinstance(frame, Welcome):
            self._connections.append(_Connection())
            self._nobody_answers()
            self.is_connected = True
            self._told()
        elif isinstance(frame, Entry) and self._connections:
            self._connections[-1].arrived[frame.conversation].append(frame.seq)

    def _shown(self, frame: DownFrame) -> None:
        if isinstance(frame, Entry):
            self._connections[-1].shown[frame.conversation].append(frame)
            if frame.type == EntryType.TEXT:
                self.delivered_at[frame.conversation] = time.monotonic()
            elif frame.type == EntryType.ANSWER:
                self.answered_at[frame.conversation] = time.monotonic()
        elif isinstance(frame, Page) and self._asked:
            asked = self._asked.popleft()
            if not asked.done():
                asked.set_result(frame)
        elif isinstance(frame, Ack):
            self._told()
        elif isinstance(frame, Busy):
            self.busies += 1
            self._told()
        elif isinstance(frame, Bye):
            self.byes.append(frame)
            self._told()
        elif isinstance(frame, Error):
            self.errors.append(frame)
            self._told()

    def _lost(self) -> None:
        self.is_connected = False
        self._told()

    def _told(self) -> None:
        self.told_at = time.monotonic()

    def _asked_again(self) -> None:
        self._connections[-1].was_mended = True

    def _nobody_answers(self) -> None:
        """What was asked on an earlier connection will not be answered on this one."""
        while self._asked:
            asked = self._asked.popleft()
            if not asked.done():
                asked.set_result(None)

    # What a person does.

    def say(self, conversation: int, text: str) -> asyncio.Future[Receipt]:
        """Send a text that nobody sent before, and record what becomes of it."""
        said = self.said[conversation]
        if text in said:
            raise ValueError(f"{text!r} was sent before.")
        said[text] = Said(text)
        receiving = self.client.post(conversation, text)

        def settled(done: asyncio.Future[Receipt]) -> None:
            fault = None if done.cancelled() else done.exception()
            if isinstance(fault, NotTaken):
                said[text] = Said(text, "refused")
            elif fault is None and not done.cancelled():
                receipt = done.result()
                said[text] = Said(text, "acked", receipt.n, receipt.seq)
                self.acked += 1
                self.last_ack_at = time.monotonic()
                self._last_acked[conversation].append(text)

        receiving.add_done_callback(settled)
        return receiving

    async def talk(
        self,
        conversation: int,
        window: int,
        stop: asyncio.Event,
        *,
        pause_s: float = 0.0,
        longer_chars: int = 0,
    ) -> None:
        """Send as fast as acks allow, `window` unacked at a time, until told to stop; then wait
        until all is settled."""
        room = asyncio.Semaphore(window)
        under_way: set[asyncio.Future[Receipt]] = set()

        def settled(done: asyncio.Future[Receipt]) -> None:
            under_way.discard(done)
            room.release()

        while not stop.is_set():
            await room.acquire()
            text = f"怎么退货 {self.name}-{conversation}-{len(self.said[conversation])}-"
            text += _padding(len(self.said[conversation]), longer_chars)
            sending = self.say(conversation, text)
            under_way.add(sending)
            sending.add_done_callback(settled)
            if pause_s:
                await asyncio.sleep(pause_s)
        async with asyncio.timeout(_SETTLE_S):
            await asyncio.gather(*under_way, return_exceptions=True)

    async def read(self, conversation: int, *, pages: int = 0) -> list[Entry]:
        """The conversation as the server has it, from its end: so many pages, 0 for all."""
        entries: list[Entry] = []
        before, left = MAX_INT, pages
        async with asyncio.timeout(_READ_S):
            while before > 1:
                page = await self._page(conversation, before)
                if not page.entries:
                    break
                entries[:0] = page.entries
                before = entries[0].seq
                # Many pages are not a reason to be taken for a flood.
                await asyncio.sleep(_PAGE_PAUSE_S)
                left -= 1
                if left == 0:
                    break
        return entries

    async def look(self, conversation: int, *, pages: int = 2, is_last: bool = False) -> Look:
        """Read back, and record it beside what was acked before asking."""
        acked = tuple(self._last_acked[conversation])
        entries = await self.read(conversation, pages=pages)
        look = Look(name=self.name, entries=entries, acked=acked, is_last=is_last)
        self.looks[conversation].append(look)
        return look

    async def _page(self, conversation: int, before: int) -> Page:
        """Pages carry no number: on one connection they come in the order of asking."""
        while True:
            await self.client.ready(_PAGE_S)
            asked: asyncio.Future[Page | None] = asyncio.get_running_loop().create_future()
            self._asked.append(asked)
            self.client.history(conversation, before, _PAGE)
            async with asyncio.timeout(_PAGE_S):
                page = await asked
            if page is not None:
                return page

    # What the checker gets.

    def record(self, conversation: int) -> Record:
        """What was sent, seen and read there."""
        sights = [
            Sight(
                shown=connection.shown[conversation],
                arrived=connection.arrived[conversation],
                was_mended=connection.was_mended,
            )
            for connection in self._connections
        ]
        reader = Reader(
            name=self.name,
            sights=sights,
            sender=self.name,
            # Who follows a conversation was promised all of it.
            first=1 if conversation in self.client.cursors else 0,
            is_whole=self.is_whole,
        )
        return Record(
            sender=Sender(name=self.name, said=list(self.said[conversation].values())),
            reader=reader,
            looks=self.looks[conversation],
            byes=self.byes,
        )

    def last_shown(self, conversation: int) -> Entry | None:
        """The newest entry on the screen."""
        for connection in reversed(self._connections):
            if connection.shown[conversation]:
                return connection.shown[conversation][-1]
        return None


def history_of(conversation: int, log: Sequence[Entry], records: Iterable[Record]) -> History:
    """One conversation, for the checker. Records of other conversations have nothing to say."""
    records = list(records)
    return History(
        conversation=conversation,
        log=log,
        senders=[record.sender for record in records],
        readers=[record.reader for record in records],
        looks=[look for record in records for look in record.looks],
    )


def _padding(seed: int, chars: int) -> str:
    """Text that does not pack well: what is to fill a disk must not be a few bytes in the log."""
    chance = random.Random(seed)  # noqa: S311  not a secret
    return "".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(chars))


async def until(claim: Callable[[], object], within_s: float = 30) -> None:
    """Wait for a claim to come true. Raises `TimeoutError`."""
    async with asyncio.timeout(within_s):
        while not claim():  # noqa: ASYNC110  claims are about many things
            await asyncio.sleep(0.002)
