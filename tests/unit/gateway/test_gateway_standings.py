"""Who has a conversation is told last as it is, however slowly everything else is answered."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from gateway_house import GatewayHouse, LosingFanout, until

from qingniao.chat.intake import Message
from qingniao.errors import StorageError
from qingniao.protocol.frames import EntryType, State


def action(sender: str, n: int, do: str) -> Message:
    agent = {"agent": 3, "name": "客服3"} if sender != "v" else {}
    return Message(
        7, sender, "elsewhere", n, EntryType.ACTION, {"do": do}, visitor="visitor-7", **agent
    )


class GatedFanout(LosingFanout):
    """Takes its time to follow."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()

    async def follow(self, conversation: int) -> None:
        self.asked.set()
        await self.gate.wait()


async def test_two_changes_of_hands_are_told_in_their_order(tmp_path: Path) -> None:
    house = GatewayHouse(tmp_path / "log")
    await house.open()
    visitor = await house.greet("v:7")
    first, online, asked = asyncio.Event(), house.presence.online, 0

    async def slow(whos: Iterable[str]) -> set[str]:
        nonlocal asked
        asked += 1
        if asked == 1:
            await first.wait()
        return await online(whos)

    house.presence.online = slow  # type: ignore[method-assign]
    await house.pipeline.submit(action("v", 1, "handoff"))
    await until(lambda: asked == 1)
    await house.pipeline.submit(action("a3", 1, "take"))
    await asyncio.sleep(0.05)
    first.set()
    assert await visitor.next(State, lambda state: state.fields.get("status") == "open")
    # Nothing of before comes behind it.
    await house.pipeline.submit(action("a3", 2, "close"))
    after = await visitor.next(State, lambda state: "status" in state.fields)
    assert after.fields["status"] == "closed"
    await house.close()


async def test_a_change_of_hands_while_one_begins_to_follow_is_told(tmp_path: Path) -> None:
    fanout = GatedFanout()
    house = GatewayHouse(tmp_path / "log", fanout=fanout)
    await house.open()
    visitor = await house.greet("v:7")
    await fanout.asked.wait()
    fanout.loses = lambda _: True  # not in force yet: nothing is delivered
    await house.pipeline.submit(action("v", 1, "handoff"))
    fanout.gate.set()
    assert await visitor.next(State, lambda state: state.fields.get("status") == "waiting")
    await house.close()


async def test_a_change_of_hands_is_told_once_the_log_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qingniao.gateway.standings._RETRY_S", 0.05)
    house = GatewayHouse(tmp_path / "log")
    await house.open()
    visitor = await house.greet("v:7")
    log: Any = house.hub.services.log
    heads = log.heads

    async def fails(*_: Any) -> Any:
        monkeypatch.setattr(log, "heads", heads)
        raise StorageError("the database is away")

    monkeypatch.setattr(log, "heads", fails)
    await house.pipeline.submit(action("v", 1, "handoff"))
    assert await visitor.next(State, lambda state: state.fields.get("status") == "waiting")
    await house.close()
