"""What a seat records is enough to convict a server that does not keep its word, and no other."""

from typing import Any

import pytest
from gateway_house import GatewayHouse, LosingFanout, until

from qingniao.bus.base import News
from qingniao.chat.intake import Decision, Intent
from qingniao.protocol.frames import Entry
from qingniao.testing.history import violations
from qingniao.testing.network import Network
from qingniao.testing.seat import Seat, history_of


async def found(house: GatewayHouse, *seats: Seat) -> list[str]:
    log = await house.log.entries(7, 0, 10_000)
    return violations(history_of(7, log, [seat.record(7) for seat in seats]))


async def talk(seat: Seat, count: int) -> None:
    await seat.client.ready()
    for _ in range(count):
        await seat.say(7, f"{seat.name}-{len(seat.said[7])}")


async def test_server_that_keeps_its_word_is_not_accused(house: GatewayHouse) -> None:
    async with Network(house.url) as network:
        here, there = Seat(network.url, "here", "v:7"), Seat(house.url, "there", "v:7")
        async with here.client, there.client:
            await talk(there, 3)
            await talk(here, 3)
            network.cut()
            await talk(there, 3)
            await until(lambda: here.client.connects == 2)
            await here.look(7)
            await talk(here, 3)
            await until(lambda: here.client.cursors[7] == there.client.cursors[7] == 12)
        record = here.record(7)
        assert len(record.reader.sights) == 2 and len(record.looks) == 1
        assert [said.fate for said in record.sender.said] == ["acked"] * 6
        assert await found(house, here, there) == []


async def test_refusal_is_recorded(house: GatewayHouse) -> None:
    seat = Seat(house.url, "here", "v:7")
    async with seat.client:
        await talk(seat, 1)
        with pytest.raises(Exception, match=r"."):
            await seat.say(7, "长" * 5_000)
    assert [said.fate for said in seat.record(7).sender.said] == ["acked", "refused"]
    assert await found(house, seat) == []


async def test_what_came_again_because_it_was_asked_for_is_fine(build_house: Any) -> None:
    fanout = LosingFanout()
    house = await build_house(fanout=fanout)
    here, there = Seat(house.url, "here", "v:7"), Seat(house.url, "there", "v:7")
    async with here.client, there.client:
        await talk(here, 1)
        await talk(there, 1)
        fanout.loses = lambda item: isinstance(item, News)
        await talk(here, 1)
        fanout.loses = lambda _: False
        await talk(here, 1)
        await until(lambda: there.client.cursors[7] == 4)
    assert await found(house, here, there) == []


async def test_ack_without_storing_is_found(
    house: GatewayHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat = Seat(house.url, "here", "v:7")
    async with seat.client:
        await talk(seat, 2)

        async def forget(intents: list[Intent], now_ms: int) -> list[Decision]:
            return [Decision(intent, [], "v/here", 3, 3) for intent in intents]

        monkeypatch.setattr(house.log, "commit", forget)
        await seat.say(7, "forgotten")
        await seat.look(7)
    sentences = await found(house, seat)
    assert any("'forgotten' of here was acked at 3 and is not in the log" in s for s in sentences)


async def test_entry_that_is_shown_and_not_stored_is_found(
    house: GatewayHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = Seat(house.url, "here", "v:7"), Seat(house.url, "there", "v:7")
    async with here.client, there.client:
        await talk(here, 2)
        await until(lambda: there.client.cursors.get(7) == 2)
        (connection,) = [c for c in house.hub.connections if c.session.device == "there"]
        connection.send(Entry(7, 3, 1, "v", 1, "made up"))
        await until(lambda: there.client.cursors[7] == 3)
    sentences = await found(house, here, there)
    assert any("there saw 3, which is not in the log" in sentence for sentence in sentences)


async def test_entry_that_comes_twice_is_found_though_the_client_hides_it(
    house: GatewayHouse,
) -> None:
    here, there = Seat(house.url, "here", "v:7"), Seat(house.url, "there", "v:7")
    async with here.client, there.client:
        await talk(here, 2)
        await until(lambda: there.client.cursors.get(7) == 2)
        (connection,) = [c for c in house.hub.connections if c.session.device == "there"]
        (again, *_) = await house.log.entries(7, 0, 1)
        connection.send(again)
        await until(lambda: there.client.duplicates == 1)
    sentences = await found(house, here, there)
    assert sentences == ["Conversation 7: there's connection 1 brought 1 again."]


async def test_page_that_lacks_what_was_acked_is_found(
    house: GatewayHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    seat = Seat(house.url, "here", "v:7")
    async with seat.client:
        await talk(seat, 3)
        entries = house.log.entries

        async def too_few(conversation: int, after: int, limit: int) -> list[Entry]:
            return (await entries(conversation, after, limit))[:-1]

        monkeypatch.setattr(house.log, "entries", too_few)
        await seat.look(7)
        monkeypatch.setattr(house.log, "entries", entries)
    sentences = await found(house, seat)
    assert sentences == ["Conversation 7: here had an ack for 'here-2' and did not find it."]
