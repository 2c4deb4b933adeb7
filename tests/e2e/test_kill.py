"""A server that is killed again and again under load loses nothing and repeats nothing.

Rule: the log is read back by devices that were not there, and compared with what every sender was
told and with what every screen showed.
"""

import asyncio
import contextlib
import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from conftest import StartServer

from qingniao.client import Client, NotTaken, Receipt
from qingniao.errors import StartError
from qingniao.protocol.frames import DownFrame, Entry, EntryType, Page
from qingniao.replay.house import Api, OwnServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

KILLS = 30
SEED = 20261123
BY_BOT, BY_PEOPLE, AGENTS = 4, 4, 2
WINDOWS = (1, 3, 8, 40)
"""Unacked messages of each sender at a time; the last is above the server's credit."""


class Seat:
    """A person at one screen: what they sent, what they were told, what they saw."""

    def __init__(self, url: str, name: str, token: Any) -> None:
        self.name = name
        self.client = Client(url, token=token, on_frame=self._hear)
        self.seen: dict[int, list[Entry]] = defaultdict(list)
        self.sent: dict[int, list[str]] = defaultdict(list)
        self.acked: dict[str, Receipt] = {}
        self.refused: set[str] = set()
        self.pages: asyncio.Queue[Page] = asyncio.Queue()

    def _hear(self, frame: DownFrame) -> None:
        if isinstance(frame, Entry):
            self.seen[frame.conversation].append(frame)
        elif isinstance(frame, Page):
            self.pages.put_nowait(frame)

    async def talk(self, conversation: int, window: int, stop: asyncio.Event) -> None:
        """Send as fast as acks allow until told to stop; then wait until all is settled."""
        room = asyncio.Semaphore(window)
        under_way: set[asyncio.Future[Receipt]] = set()
        while not stop.is_set():
            await room.acquire()
            text = f"怎么退货 {self.name}-{conversation}-{len(self.sent[conversation])}-"
            self.sent[conversation].append(text)
            future = self.client.post(conversation, text)
            under_way.add(future)

            def settled(done: asyncio.Future[Receipt], text: str = text) -> None:
                under_way.discard(done)
                room.release()
                fault = done.exception()
                if fault is None:
                    self.acked[text] = done.result()
                elif isinstance(fault, NotTaken):
                    self.refused.add(text)

            future.add_done_callback(settled)
        async with asyncio.timeout(30):
            await asyncio.gather(*under_way, return_exceptions=True)

    async def read_back(self, conversation: int) -> list[Entry]:
        """The whole conversation, page by page."""
        self.client.follow(conversation)
        await until(lambda: "last" in self.client.states.get(conversation, {}))
        entries: list[Entry] = []
        before = int(self.client.states[conversation]["last"]) + 1
        while before > 1:
            self.client.history(conversation, before, 100)
            async with asyncio.timeout(10):
                page = await self.pages.get()
            entries[:0] = page.entries
            before = entries[0].seq
        return entries


async def until(claim: Callable[[], object], within_s: float = 30) -> None:
    """Wait for a claim to come true."""
    async with asyncio.timeout(within_s):
        while not claim():
            await asyncio.sleep(0.002)


async def hire(server: OwnServer, count: int) -> list[Api]:
    """Agents, signed in."""
    admin = Api(server.url)
    await admin.sign_in("admin", server.password, "correct horse battery")
    staff = []
    for number in range(count):
        body = {"login": f"agent{number}", "name": f"坐席 {number}", "role": "agent"}
        made = await admin.call("POST", "/users", body)
        agent = Api(server.url)
        await agent.sign_in(made["user"]["login"], made["password"], "correct horse battery")
        # Conversations that the bot hands over stay in the queue: people here have theirs.
        await agent.call("PATCH", "/session/user", {"accepting": False})
        staff.append(agent)
    return staff


class Load:
    """Visitors with the bot, visitors with people, and those people, all talking at once."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.visitors: dict[int, tuple[Seat, str]] = {}
        self.agents: list[Seat] = []
        self.owned: dict[int, Seat] = {}
        self.tabs: list[Seat] = []
        """Second tabs, closed when the server dies under them: nobody sends their rest again."""

    @property
    def acked(self) -> int:
        return sum(len(seat.acked) for seat in self.seats)

    @property
    def seats(self) -> list[Seat]:
        return [seat for seat, _ in self.visitors.values()] + self.agents + self.tabs

    @contextlib.asynccontextmanager
    async def open(self, server: OwnServer) -> AsyncIterator[None]:
        """Bring everybody in and give people their conversations."""
        async with contextlib.AsyncExitStack() as stack:
            for number, api in enumerate(await hire(server, AGENTS)):
                agent = Seat(server.url, f"agent{number}", api.ticket)
                self.agents.append(agent)
                await stack.enter_async_context(agent.client)
                await agent.client.ready()
            for number in range(BY_BOT + BY_PEOPLE):
                token, conversation = await Api(server.url).visitor()
                visitor = Seat(server.url, f"visitor{number}", token)
                self.visitors[conversation] = visitor, token
                await stack.enter_async_context(visitor.client)
                await visitor.client.ready()
                if number >= BY_BOT:
                    await visitor.client.send(conversation, {"do": "handoff"}, EntryType.ACTION)
                    agent = self.agents[number % AGENTS]
                    await agent.client.send(conversation, {"do": "take"}, EntryType.ACTION)
                    agent.client.follow(conversation)
                    self.owned[conversation] = agent
            yield

    def talks(self) -> list[Any]:
        """Everybody's part, to be run until `stop`."""
        parts = []
        for number, (conversation, (visitor, _)) in enumerate(self.visitors.items()):
            window = WINDOWS[number % len(WINDOWS)]
            parts.append(visitor.talk(conversation, window, self.stop))
            if agent := self.owned.get(conversation):
                parts.append(agent.talk(conversation, window, self.stop))
        return parts

    @contextlib.asynccontextmanager
    async def tab(self, server: OwnServer, conversation: int) -> AsyncIterator[None]:
        """Another device of a visitor, which does not come back."""
        tab = Seat(server.url, f"tab{len(self.tabs)}", self.visitors[conversation][1])
        self.tabs.append(tab)
        async with tab.client:
            talking = asyncio.create_task(tab.talk(conversation, 8, asyncio.Event()))
            try:
                yield
            finally:
                talking.cancel()
                await asyncio.gather(talking, return_exceptions=True)


async def test_thirty_kills_lose_nothing_and_repeat_nothing(
    start_server: StartServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The load has to be back soon after every start, or the kills would hit an idle server.
    monkeypatch.setattr("qingniao.client.connection._BACKOFF_MAX_S", 0.3)
    chance = random.Random(SEED)
    server = await start_server(
        QINGNIAO_WIRE_RATE="100000",
        QINGNIAO_WIRE_AGENT_RATE="100000",
        # Whatever a screen missed is sent again, however much: screens are compared whole.
        QINGNIAO_WIRE_REPLAY="100000",
    )
    port = int(server.url.rpartition(":")[2])
    load, starts, began = Load(), [], time.perf_counter()
    async with load.open(server), asyncio.TaskGroup() as tasks:
        talking = [tasks.create_task(part) for part in load.talks()]
        conversations = list(load.visitors)
        for kill in range(KILLS):
            async with load.tab(server, conversations[kill % BY_BOT]):
                if kill % 6 == 5:
                    # During a start: what it repairs must survive that too.
                    await stop_hard(server)
                    starting = asyncio.create_task(server.start(port))
                    await asyncio.wait([starting], timeout=chance.uniform(0, max(starts)))
                    await stop_hard(server)
                    await asyncio.gather(starting, return_exceptions=True)
                else:
                    goal = load.acked + chance.choice((0, 1, chance.randrange(2, 300)))
                    await until(lambda goal=goal: load.acked >= goal)
                    await stop_hard(server)
            started = time.perf_counter()
            await server.start(port)
            starts.append(time.perf_counter() - started)
        alive = load.acked + 100
        await until(lambda: load.acked >= alive)
        load.stop.set()
        await asyncio.gather(*talking)
        await nothing_is_owed(load)
        logs = await read_everything(server, load)
    for conversation, (by_agent, by_visitor) in logs.items():
        check_conversation(load, conversation, by_agent, by_visitor)
    sent = sum(len(texts) for seat in load.seats for texts in seat.sent.values())
    with capsys.disabled():
        print(
            f"\n{KILLS} kills: {sent} sent, {load.acked} acked, "
            f"{sum(len(log) for log, _ in logs.values())} entries, "
            f"{sum(seat.client.connects for seat in load.seats)} connections; "
            f"start median {statistics.median(starts):.2f} s, "
            f"{time.perf_counter() - began:.0f} s in all"
        )


async def stop_hard(server: OwnServer) -> None:
    server.kill()
    with contextlib.suppress(StartError):
        await server.stop()


async def nothing_is_owed(load: Load) -> None:
    """Until the bot has dealt with every visitor's last words."""

    def is_settled(conversation: int, seat: Seat) -> bool:
        status = seat.client.states[conversation]["status"]
        entries = seat.seen[conversation]
        return status != "bot" or (bool(entries) and entries[-1].sender == "b")

    for conversation, (seat, _) in load.visitors.items():
        if conversation not in load.owned:
            await until(lambda c=conversation, s=seat: is_settled(c, s))


async def read_everything(
    server: OwnServer, load: Load
) -> dict[int, tuple[list[Entry], list[Entry]]]:
    """Every conversation as an agent and as its visitor see it, on devices that are new."""
    agent_token: Any = load.agents[0].client._connection._token
    reader = Seat(server.url, "reader", agent_token)
    logs = {}
    async with reader.client:
        await reader.client.ready()
        for conversation, (_, token) in load.visitors.items():
            by_agent = await reader.read_back(conversation)
            again = Seat(server.url, "again", token)
            async with again.client:
                await again.client.ready()
                logs[conversation] = by_agent, await again.read_back(conversation)
    return logs


def check_conversation(
    load: Load, conversation: int, log: list[Entry], as_visitor: list[Entry]
) -> None:
    """Every promise of the protocol's sections 4 and 5, for one conversation."""
    seqs = [entry.seq for entry in log]
    assert seqs == list(range(1, len(log) + 1)), "the log has no holes"
    assert [entry.seq for entry in as_visitor] == seqs
    said = [entry for entry in log if entry.type == EntryType.TEXT]
    place = {str(entry.body): entry.seq for entry in said}
    count = Counter(str(entry.body) for entry in said)
    assert not [text for text, times in count.items() if times > 1], "stored twice"
    for seat in load.seats:
        sent = seat.sent.get(conversation, [])
        for text in sent:
            receipt = seat.acked.get(text)
            if receipt is not None:
                assert text in place, f"{text} was acked and is lost"
                assert receipt.seq in (0, place[text])
            if text in seat.refused:
                assert text not in place, f"{text} was refused and is stored"
        order = [place[text] for text in sent if text in place]
        assert order == sorted(order), f"{seat.name}'s messages changed places"
        check_screen(seat, conversation, log)
    check_bot(log)


def check_screen(seat: Seat, conversation: int, log: list[Entry]) -> None:
    """A screen shows every entry once, in order, from where it began to follow."""
    shown = [entry.seq for entry in seat.seen.get(conversation, [])]
    assert shown == sorted(set(shown)), f"{seat.name} saw something twice or out of order"
    if not shown or seat.name.startswith("tab"):
        return
    own = {seat.acked[t].seq for t in seat.sent[conversation] if t in seat.acked}
    missing = set(range(shown[0], len(log) + 1)) - set(shown) - own
    assert not missing, f"{seat.name} never saw {sorted(missing)[:10]}"


def check_bot(log: list[Entry]) -> None:
    """At most one outcome per question, each for words that the visitor did say."""
    by_seq = {entry.seq: entry for entry in log}
    dealt_with = [
        entry.body["answers"]
        for entry in log
        if entry.type == EntryType.STEP and "dropped" not in entry.body
    ]
    assert dealt_with == sorted(set(dealt_with)), "a question was answered twice"
    assert all(by_seq[seq].sender == "v" for seq in dealt_with)
    for entry in log:
        if entry.type == EntryType.ANSWER:
            # An outcome is stored whole: its step, then everything it says.
            assert by_seq[entry.seq - 1].type in (EntryType.STEP, EntryType.ANSWER)
