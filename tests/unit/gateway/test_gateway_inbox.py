"""Conversation 0: a digest for agents, and when they are told to reload."""

from typing import Any

import pytest
from gateway_house import JSON, GatewayHouse, Raw

from qingniao.errors import StorageError
from qingniao.protocol.frames import (
    Ack,
    EntryType,
    Follow,
    Read,
    Send,
    State,
    Unfollow,
)


async def says(house: GatewayHouse, conversation: int, body: str = "在吗") -> Raw:
    visitor = await house.greet(f"v:{conversation}")
    await visitor.say(Send(conversation, 1, EntryType.TEXT, body))
    await visitor.next(Ack)
    return visitor


async def inbox(house: GatewayHouse, **options: Any) -> Raw:
    agent = await house.greet("a:3", **options)
    await agent.say(Follow(0))
    assert await agent.next(State) == State(0, {})
    return agent


async def test_change_is_told_as_the_list_shows_it(house: GatewayHouse) -> None:
    agent, json = await inbox(house), await inbox(house, device="j", codec=JSON)
    await says(house, 7, "退货")
    for one in (agent, json):
        state = await one.next(State, lambda state: state.fields.get("last") == 1)
        assert state.conversation == 7
        assert (state.fields["preview"], state.fields["sender"]) == ("退货", "v")
        assert (state.fields["online"], state.fields["status"]) == (True, "bot")
        assert state.fields["visitor"] == {"id": "visitor-7", "name": ""}
        assert "id" not in state.fields


async def test_many_messages_make_few_digests(build_house: Any) -> None:
    house = await build_house(gateway={"inbox_interval_ms": 300})
    agent = await inbox(house)
    visitor = await house.greet("v:7")
    for n in range(1, 101):
        await visitor.say(Send(7, n, EntryType.TEXT, f"{n}"))
    await visitor.next(Ack, lambda ack: ack.n == 100)
    await agent.next(State, lambda state: state.fields.get("last") == 100)
    assert len([f for f in agent.got if isinstance(f, State) and f.conversation == 7]) <= 10


async def test_read_marks_and_presence_change_the_list(house: GatewayHouse) -> None:
    visitor = await says(house, 7)
    agent = await inbox(house)
    await visitor.say(Read(7, 1))
    state = await agent.next(State, lambda state: state.conversation == 7)
    assert state.fields["read"] == {"v": 1, "a": 0}
    await visitor.close()
    await agent.next(State, lambda state: state.fields.get("online") is False)


async def test_too_many_changes_ask_to_reload(build_house: Any) -> None:
    house = await build_house(gateway={"inbox_changes": 3, "inbox_interval_ms": 400})
    agent = await inbox(house)
    for conversation in range(1, 7):
        await says(house, conversation)
    state = await agent.next(State, lambda state: state.conversation == 0)
    assert state.fields == {"reload": True}
    assert len(house.hub.inbox._changed) <= 4


async def test_without_followers_nothing_is_remembered(house: GatewayHouse) -> None:
    await says(house, 7)
    assert not house.hub.inbox._changed
    agent = await inbox(house)
    await agent.say(Unfollow(0))
    await agent.settled()
    await says(house, 8)
    assert [f for f in await agent.settled() if isinstance(f, State)] == []
    assert not house.hub.inbox._changed


async def test_lists_are_told_again_after_a_log_that_could_not_be_read(
    house: GatewayHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qingniao.gateway.inbox._RETRY_S", 0.05)
    agent = await inbox(house)
    log: Any = house.hub.services.log
    heads = log.heads

    async def fails(*_: Any) -> Any:
        monkeypatch.setattr(log, "heads", heads)
        raise StorageError("the database is away")

    monkeypatch.setattr(log, "heads", fails)
    visitor = await says(house, 7)
    assert await agent.next(State, lambda state: state.fields.get("reload"))
    await visitor.say(Send(7, 2, EntryType.TEXT, "退货"))
    assert await agent.next(State, lambda state: state.fields.get("preview") == "退货")
