"""Handshakes in a storm: everybody gets in, those who talk meanwhile are not held up."""

import asyncio
import time
from typing import Any

import pytest
from gateway_house import GatewayHouse, until
from websockets.exceptions import InvalidStatus

from qingniao.gateway.lobby import Lobby
from qingniao.protocol.frames import Pong


def busy_for(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def test_idle_everybody_enters_at_once() -> None:
    lobby, came = Lobby(2), []
    for number in range(10):
        assert lobby.enter(lambda is_open, number=number: came.append((number, is_open)))
    assert came == [(number, True) for number in range(10)] and len(lobby) == 0


async def test_in_a_storm_they_enter_in_order_and_the_loop_turns() -> None:
    lobby, came, turns = Lobby(100), [], 0

    def admit(number: int) -> None:
        busy_for(0.001)
        came.append(number)

    for number in range(40):
        assert lobby.enter(lambda _, number=number: admit(number))
    assert 0 < len(came) < 40, "the rest waits for its turn"
    assert len(lobby) == 40 - len(came)
    while len(came) < 40:
        turns += 1
        await asyncio.sleep(0.001)
    assert came == list(range(40)) and turns > 5
    assert len(lobby) == 0 and lobby.admitted == 40


async def test_full_lobby_refuses_and_closing_lets_nobody_in() -> None:
    lobby, came = Lobby(2), []
    lobby.enter(lambda _: busy_for(0.02))
    entered = [
        lobby.enter(lambda is_open, number=number: came.append((number, is_open)))
        for number in range(4)
    ]
    assert entered == [True, True, False, False] and lobby.refused == 2
    lobby.close()
    assert came == [(0, False), (1, False)]
    assert not lobby.enter(lambda _: came.append(9))
    await asyncio.sleep(0.03)
    assert len(came) == 2


async def test_handshake_without_room_is_answered_with_503(
    house: GatewayHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    talking = await house.greet("v:7")
    monkeypatch.setattr(house.server._front.lobby, "enter", lambda admit: False)
    with pytest.raises(InvalidStatus) as refused:
        await house.raw()
    assert refused.value.response.status_code == 503
    assert int(refused.value.response.headers["Retry-After"]) > 0
    await talking.settled()
    assert house.server._front.peeking == 0


async def test_more_sockets_than_allowed_are_answered_with_503(build_house: Any) -> None:
    house: GatewayHouse = await build_house(gateway={"connections": 2})
    first = await house.greet("v:1")
    await house.greet("v:2")
    with pytest.raises(InvalidStatus) as refused:
        await house.raw()
    assert refused.value.response.status_code == 503
    await first.close()
    await until(lambda: len(house.hub.connections) == 1)
    third = await house.greet("v:3")
    assert isinstance((await third.settled() or [third.got[-1]])[-1], Pong)


async def test_a_storm_of_handshakes_all_get_in(
    house: GatewayHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A slice that every handshake fills: each but the first has to wait for its turn.
    monkeypatch.setattr("qingniao.gateway.lobby._SLICE_S", 1e-9)
    monkeypatch.setattr("qingniao.gateway.lobby._REST_S", 0.001)
    visitors = await asyncio.gather(*(house.greet(f"v:{n}") for n in range(1, 41)))
    assert len(house.hub.connections) == 40
    assert house.server._front.lobby.admitted == 40
    await asyncio.gather(*(visitor.settled() for visitor in visitors))


async def test_who_leaves_the_lobby_costs_nothing(
    house: GatewayHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[Any] = []
    lobby = house.server._front.lobby
    monkeypatch.setattr(lobby, "enter", lambda admit: waiting.append(admit) or True)
    _, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"Sec-WebSocket-Protocol: qingniao.1\r\n\r\n"
    )
    await until(lambda: waiting)
    writer.transport.abort()
    await asyncio.sleep(0.05)
    waiting[0](True)
    await until(lambda: house.server._front.peeking == 0 and not house.hub.connections)
