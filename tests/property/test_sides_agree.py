"""A server and its clients under every fault at once: what was acked is kept, once, and everybody
ends up with the same.

Two devices of a visitor and an agent: the real client over the real gateway, pipeline and picows,
on sockets, a clock and a disk in memory (`memory_house.py`). Hypothesis chooses who says what, how
many bytes arrive, and what breaks. For a long look:

    pytest tests/property/test_sides_agree.py --hypothesis-profile long --timeout 0
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from memory_house import Faults, MemoryHouse, MemoryLog, Plug, StillLoop
from raw_wire import BINARY, CLOSE, frame, heard, request

from qingniao.bus.base import News
from qingniao.chat.head import Head, fold
from qingniao.chat.view import for_visitor, standing
from qingniao.client import Client
from qingniao.client.connection import Closed
from qingniao.client.connection import Connection as RealConnection
from qingniao.protocol.frames import DownFrame, Entry, EntryType, UpFrame

TEXT = EntryType.TEXT


class Link(RealConnection):
    """The client's `Connection` over a socket in memory: what it writes waits in `up`, what the
    server wrote waits in the plug, and both move, or are lost, when the test says so."""

    def start(self) -> None:
        """The test connects."""
        self.plug: Plug | None = None
        self.up = b""
        self.down = b""
        self._is_upgraded = False

    def connect(self, house: MemoryHouse) -> None:
        """Open a socket and greet."""
        assert isinstance(self._token, str)
        self.plug = house.plug()
        self.up, self.down, self._is_upgraded = request(), b"", False
        self.connects += 1
        self.send(self._hello(self._token))

    def send(self, frame_of_ours: UpFrame) -> None:
        """See `Connection.send`."""
        if self.plug is not None:
            self.up += frame(BINARY, self._codec.encode(frame_of_ours))

    def carry_up(self, size: int | None = None) -> None:
        """So many bytes reach the server."""
        if self.plug is not None:
            data, self.up = self.up[:size], self.up[len(self.up[:size]) :]
            self.plug.feed(data)

    def carry_down(self, size: int | None = None) -> None:
        """So many bytes reach the client."""
        if self.plug is None:
            return
        self.down += self.plug.take(size)
        if not self._is_upgraded:
            head, end, rest = self.down.partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 101 ")
            self._is_upgraded, self.down = True, rest
        got, self.down = heard(self.down)
        for one in got:
            if one.opcode == CLOSE:
                self._told_to_go(one.code, "closed")
                return self.cut(is_known=True)
            assert one.opcode == BINARY
            self._receive(one.payload)
        if self.plug is not None and self.plug.is_lost:
            self.cut(is_known=True)
        return None

    def cut(self, *, is_known: bool) -> None:
        """The connection breaks, and the server hears of it or believes it open."""
        plug, self.plug = self.plug, None
        if plug is not None:
            if is_known:
                plug.vanish()
            self._lost()

    async def close(self) -> None:
        """See `Connection.close`."""
        self._end(Closed("The client was closed."))
        self.cut(is_known=True)


class Side:
    """One device: what it posted and what it shows."""

    def __init__(self, name: str, token: str, device: str) -> None:
        self.name = name
        self.is_agent = token.startswith("a")
        self._token, self._device = token, device
        self.begin()
        self.posted: list[tuple[str, asyncio.Future[Any]]] = []
        self.is_well = True
        self.origin = f"{'a3' if self.is_agent else 'v'}/{device}"

    def begin(self) -> None:
        """With nothing but a name: a page that was opened, or loaded again."""
        self.client = Client("", token=self._token, device=self._device, on_frame=self.hear)
        link = self.client._connection
        assert isinstance(link, Link)
        self.link = link
        self.link.start()
        self.shown: dict[int, tuple[int, Any]] = {}
        self.order: list[int] = []
        if self.is_agent:
            self.client.follow(7)

    def hear(self, got: DownFrame) -> None:
        if isinstance(got, Entry):
            assert not self.order or got.seq > self.order[-1], "an entry came late, or twice"
            self.order.append(got.seq)
            self.shown[got.seq] = (got.type, got.body)

    def post(self, body: Any, kind: int) -> None:
        fate = self.client.post(7, body, kind)
        text = body if kind in (TEXT, EntryType.NOTE) else ""
        self.posted.append((text, fate))
        fate.add_done_callback(lambda fate: self._settled(fate, kind, text))

    def _settled(self, fate: "asyncio.Future[Any]", kind: int, text: str) -> None:
        if fate.exception() is None and text and fate.result().seq:
            # Sent again after a reconnect it comes as an entry, too.
            assert self.shown.setdefault(fate.result().seq, (kind, text)) == (kind, text)


sides_of = st.sampled_from([0, 0, 1, 2, 2])
sizes = st.none() | st.integers(1, 40) | st.integers(41, 400)


class Sides(RuleBasedStateMachine):
    """Everything in one room."""

    def __init__(self) -> None:
        super().__init__()
        self.loop, self.faults, self.log = StillLoop(), Faults(), MemoryLog()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("qingniao.client.client.Connection", Link)
        self.said = 0
        self.sides: list[Side] = []
        self.house: MemoryHouse

    def on_loop(self, act: Callable[[], Any]) -> Any:
        """Do it as a callback of the loop, and then everything that follows from it at once."""

        async def acting() -> Any:
            return act()

        return self.loop.finish(acting())

    def goes_on(self) -> None:
        """Where the network is well, clients come back and bytes flow."""
        for side in self.sides:
            if side.is_well:
                self.connects(side)
                self.on_loop(side.link.carry_up)
                self.on_loop(side.link.carry_down)

    def open(self) -> None:
        self.house = MemoryHouse(
            self.loop, self.log,
            # Small, so that every bound is met.
            wire={"rate": 10.0, "agent_rate": 10.0, "credit": 3, "replay": 100_000},
            gateway={"outbox_bytes": 800, "outbox_soft_bytes": 100},
            pipeline={"waiting": 4, "batch": 3, "retry_after_ms": 5},
        )  # fmt: skip

    @initialize()
    def begins(self) -> None:
        def make() -> None:
            self.open()
            self.sides = [Side("tab", "v:7", "d1"), Side("other tab", "v:7", "d2"),
                          Side("agent", "a:3", "d1")]  # fmt: skip
            self.sides[0].post("早", TEXT)

        self.on_loop(make)
        for side in self.sides:
            self.connects(side)
            self.settles(5)

    def connects(self, side: Side) -> None:
        if side.link.plug is None and side.link.ended is None:
            self.on_loop(lambda: side.link.connect(self.house))

    def settles(self, turns: int) -> None:
        for _ in range(turns):
            for side in self.sides:
                self.on_loop(side.link.carry_up)
                self.on_loop(side.link.carry_down)

    # What people do.

    @rule(who=sides_of, many=st.integers(1, 5))
    def speaks(self, who: int, many: int) -> None:
        for _ in range(many):
            self.says(who)
        self.goes_on()

    def says(self, who: int, kind: int = TEXT) -> None:
        self.said += 1
        side, text = self.sides[who], f"{who}.{self.said}"
        self.on_loop(lambda: side.post(text, kind))

    @rule(who=sides_of, behind=st.integers(0, 3))
    def says_nothing(self, who: int, behind: int) -> None:
        """Refused: what follows moves up."""
        self.on_loop(lambda: self.sides[who].post("  ", TEXT))
        for _ in range(behind):
            self.says(who)
        self.goes_on()

    @rule(who=sides_of, do=st.sampled_from(["take", "return", "close"]), behind=st.integers(0, 2))
    def acts(self, who: int, do: str, behind: int) -> None:
        """The agent's may be refused by the intake."""
        do = do if self.sides[who].is_agent else "handoff"
        self.on_loop(lambda: self.sides[who].post({"do": do}, EntryType.ACTION))
        for _ in range(behind):
            self.says(who)
        self.goes_on()

    @rule(who=sides_of)
    def notes(self, who: int) -> None:
        """A visitor's is refused by the session."""
        self.says(who, EntryType.NOTE)
        self.goes_on()

    @rule(who=sides_of)
    def reads_and_types(self, who: int) -> None:
        client = self.sides[who].client
        self.on_loop(lambda: client.read(7, client.cursors.get(7, 0)))
        self.on_loop(lambda: client.typing(7, on=True, preview="…"))
        self.goes_on()

    @rule(who=sides_of)
    def loads_the_page_again(self, who: int) -> None:
        """Whoever forgets what is not acked may lose it, so only without such."""
        side = self.sides[who]
        if all(fate.done() for _, fate in side.posted):
            self.on_loop(lambda: side.link.cut(is_known=False))
            self.on_loop(side.begin)

    # What the network does.

    @rule(who=sides_of)
    def network_is_ill(self, who: int) -> None:
        """From now on bytes move only as told."""
        self.sides[who].is_well = False

    @rule(who=sides_of)
    def network_is_well(self, who: int) -> None:
        self.sides[who].is_well = True
        self.goes_on()

    @rule(who=sides_of, up=sizes, down=sizes)
    def bytes_move(self, who: int, up: int | None, down: int | None) -> None:
        self.on_loop(lambda: self.sides[who].link.carry_up(up))
        self.on_loop(lambda: self.sides[who].link.carry_down(down))

    @rule(who=sides_of, many=st.integers(0, 3), up=sizes, down=sizes, is_known=st.booleans())
    def breaks(self, who: int, many: int, up: int | None, down: int | None, is_known: bool) -> None:
        """In the middle of what it says and is told."""
        for _ in range(many):
            self.says(who)
        self.bytes_move(who, up, down)
        self.on_loop(lambda: self.sides[who].link.cut(is_known=is_known))

    @rule(who=sides_of)
    def comes_back(self, who: int) -> None:
        self.connects(self.sides[who])

    @rule(loses=st.sampled_from([True, True, False]))
    def bus_loses_news(self, loses: bool) -> None:
        self.house.fanout.loses = lambda item: loses and isinstance(item, News)

    @rule(ms=st.sampled_from([1, 10, 60, 400, 2_000]))
    def time_passes(self, ms: int) -> None:
        self.loop.pass_s(ms / 1000)
        self.goes_on()

    # What the server does.

    @rule()
    def heart_beats(self) -> None:
        def beat() -> None:
            self.house.hub.beat += 1
            self.house.heart.look()

        self.on_loop(beat)
        self.goes_on()

    @rule(is_stuck=st.booleans())
    def disk_is_stuck(self, is_stuck: bool) -> None:
        self.log.is_stuck = is_stuck
        self.loop.pass_s(0.002)
        self.goes_on()

    @rule(when=st.sampled_from(["before", "after"]))
    def disk_fails(self, when: str) -> None:
        self.log.fails = when

    @rule()
    def server_is_drained(self) -> None:
        """It takes nothing new, stores what it can, says goodbye and ends."""
        drained = self.on_loop(lambda: self.loop.create_task(self.house.drain()))
        for _ in range(4):
            self.goes_on()
            self.loop.pass_s(0.4)
        assert drained.done()
        drained.result()
        self.server_is_killed()

    @rule()
    def server_is_killed(self) -> None:
        self.house.kill()
        for side in self.sides:
            self.on_loop(lambda side=side: side.link.cut(is_known=True))
        self.on_loop(self.open)

    # What has to hold.

    @invariant()
    def nothing_was_swallowed(self) -> None:
        self.faults.check()

    @invariant()
    def acked_is_in_the_log_once_and_in_order(self) -> None:
        lines = self.log.stored.get(7, [])
        assert [entry.seq for entry, _, _ in lines] == list(range(1, len(lines) + 1))
        for side in self.sides:
            stored = [(n, entry) for entry, device, n in lines if device == side.origin]
            numbers = [n for n, _ in stored]
            assert sorted(set(numbers)) == list(range(1, max(numbers, default=0) + 1))
            texts = [entry.body for _, entry in stored if entry.type in (TEXT, EntryType.NOTE)]
            posted = [text for text, _ in side.posted if text.strip()]
            assert len(set(texts)) == len(texts), "stored twice"
            assert texts == [text for text in posted if text in set(texts)], "out of order"
            for text, fate in side.posted:
                if text.strip() and fate.done() and fate.exception() is None:
                    assert text in texts, "acked and not stored"
                    if seq := fate.result().seq:
                        assert lines[seq - 1][0].body == text

    @invariant()
    def nobody_shows_what_is_not_so(self) -> None:
        lines = self.log.stored.get(7, [])
        for side in self.sides:
            for seq, what in side.shown.items():
                entry = lines[seq - 1][0]
                seen = entry if side.is_agent else for_visitor(entry)
                assert what == (seen.type, seen.body)

    def teardown(self) -> None:
        try:
            if self.sides:
                self.ends_well()
        finally:
            self.house.kill()
            for side in self.sides:
                self.on_loop(lambda side=side: self.loop.create_task(side.client.close()))
            self.loop.end()
            self.faults.close()
            self.patch.undo()

    def ends_well(self) -> None:
        """The faults stop: soon nothing is left open, and both sides agree."""
        self.log.is_stuck, self.log.fails = False, ""
        self.house.fanout.loses = lambda _: False
        self.calms_down()
        # One more word shows what is missing (a lost last one leaves no hole).
        self.on_loop(lambda: self.sides[0].post("完", TEXT))
        self.calms_down()
        self.faults.check()
        self.acked_is_in_the_log_once_and_in_order()
        self.nobody_shows_what_is_not_so()
        lines = self.log.stored[7]
        head = Head(7, "visitor-7")
        for entry, device, n in lines:
            fold(head, entry, device, n)
        for side in self.sides:
            everything = {e.seq: for_visitor(e) if not side.is_agent else e for e, _, _ in lines}
            assert side.shown == {seq: (e.type, e.body) for seq, e in everything.items()}
            wanted, state = standing(head, agent=side.is_agent), side.client.states[7]
            assert {k: state[k] for k in ("status", "assignee", "session")} == {
                k: wanted[k] for k in ("status", "assignee", "session")
            }

    def calms_down(self) -> None:
        for _ in range(400):
            for side in self.sides:
                assert side.link.ended is None, side.link.ended
                self.connects(side)
            self.settles(2)
            self.loop.pass_s(0.05)
            if self.is_calm():
                return
        waiting = {s.name: [t for t, fate in s.posted if not fate.done()] for s in self.sides}
        raise AssertionError(f"never acked nor refused: {waiting}")

    def is_calm(self) -> bool:
        return all(
            side.link.plug is not None
            and not side.link.up
            and not side.link.plug.out
            and all(fate.done() for _, fate in side.posted)
            for side in self.sides
        )


TestSides = Sides.TestCase
TestSides.settings = settings(
    max_examples=max(250, settings.default.max_examples), stateful_step_count=50
)
