"""What each side holds after any number of drops is what a fresh fetch would give.

Real sockets, a real log, a bus that loses news, connections that break at any moment.
"""

import asyncio
import random
from typing import Any

import pytest
from gateway_house import GatewayHouse, LosingFanout, until

from qingniao.bus.base import News
from qingniao.chat.head import Head, fold
from qingniao.chat.view import for_visitor
from qingniao.client import Client, NotTaken
from qingniao.protocol.frames import Entry, EntryType

STEPS = 220


class Replica:
    """A client and what it could show: entries it received, and its own by their receipts."""

    def __init__(self, sender: str) -> None:
        self.sender = sender
        self.client: Client
        self.held: dict[int, tuple[int, Any]] = {}
        self.order: list[int] = []
        self.posted: list[tuple[str, asyncio.Future[Any]]] = []

    def hear(self, frame: Any) -> None:
        if isinstance(frame, Entry):
            assert frame.seq not in self.order, "an entry came twice"
            self.order.append(frame.seq)
            self.held[frame.seq] = (frame.type, frame.body)

    def post(self, text: str, kind: int = EntryType.TEXT) -> None:
        self.posted.append((text, self.client.post(7, text, kind)))

    def act(self, do: str) -> None:
        self.posted.append(("", self.client.post(7, {"do": do}, EntryType.ACTION)))

    async def settle(self) -> list[str]:
        """Wait for every post; returns the texts that were taken, in order."""
        async with asyncio.timeout(15):
            fates = await asyncio.gather(*(fate for _, fate in self.posted), return_exceptions=True)
        taken = []
        for (text, _), fate in zip(self.posted, fates, strict=True):
            if isinstance(fate, NotTaken):
                continue
            assert not isinstance(fate, BaseException), fate
            if text:
                taken.append(text)
                if fate.seq:
                    self.held.setdefault(fate.seq, (EntryType.TEXT, text))
        return taken


def _step(chance: random.Random, number: int, sides: list[Replica], fanout: LosingFanout) -> None:
    visitor, agent = sides
    what = chance.random()
    if what < 0.40:
        visitor.post(f"v{number}")
    elif what < 0.60:
        agent.post(f"a{number}")
    elif what < 0.64:
        agent.act(chance.choice(["take", "return", "close"]))
    elif what < 0.67:
        visitor.act("handoff")
    elif what < 0.69:
        visitor.post("  ")  # refused: what follows moves up
    elif what < 0.85:
        chance.choice(sides).client.drop()
    elif what < 0.92:
        fanout.loses = lambda item: isinstance(item, News)
    else:
        fanout.loses = lambda _: False


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_applying_events_equals_a_fresh_fetch(
    build_house: Any, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("qingniao.client.connection._BACKOFF_S", 0.01)
    chance = random.Random(seed)
    fanout = LosingFanout()
    house: GatewayHouse = await build_house(
        fanout=fanout,
        wire={"replay": 100_000, "credit": 4},
        pipeline={"waiting": 12, "retry_after_ms": 5, "batch": 3},
    )
    visitor, agent = Replica("v"), Replica("a3")
    visitor.client = house.client("v:7", on_frame=visitor.hear)
    agent.client = house.client("a:3", on_frame=agent.hear)
    async with visitor.client, agent.client:
        await visitor.client.ready()
        visitor.post("v0")
        await visitor.settle()
        await agent.client.ready()
        agent.client.follow(7)
        for number in range(1, STEPS):
            _step(chance, number, [visitor, agent], fanout)
            await asyncio.sleep(chance.choice([0, 0, 0.001, 0.004]))
        fanout.loses = lambda _: False
        for side in (visitor, agent):
            await side.client.ready()
        taken = {side.sender: await side.settle() for side in (visitor, agent)}
        # One more word from each side shows what is missing.
        visitor.post("完")
        taken["v"] = await visitor.settle()
        log = await house.log.entries(7, 0, 100_000)
        for side in (visitor, agent):
            await until(lambda side=side: side.client.cursors.get(7) == log[-1].seq)
    for sender, texts in taken.items():
        stored = [e.body for e in log if e.type == EntryType.TEXT and e.sender == sender]
        assert stored == texts, "every acked message once, in order, and no other"
    for side, sees in ((visitor, for_visitor), (agent, lambda entry: entry)):
        fresh = {entry.seq: (sees(entry).type, sees(entry).body) for entry in log}
        assert side.held == fresh
        assert side.order == sorted(side.order)
    head = Head(7, "visitor-7")
    for entry in log:
        fold(head, entry, "", 0)
    kept = await house.log.head(7)
    assert kept is not None
    assert (kept.status, kept.assignee, kept.session, kept.last) == (
        head.status, head.assignee, head.session, head.last,
    )  # fmt: skip
    assert visitor.client.connects > 5
    assert agent.client.connects > 5
