"""Closing: what is still heard, who drops the socket, and when."""

import asyncio
import struct

import pytest
from gateway_house import MSGPACK, GatewayHouse, until
from raw_wire import BINARY, CLOSE, PING, TEXT, Heard, Wire, close, frame

from qingniao.protocol.codes import Close
from qingniao.protocol.frames import Bye, EntryType, Hello, Send, Welcome

NONSENSE = frame(BINARY, b"\xc1")


def said(number: int, text: str = "在吗") -> bytes:
    return frame(BINARY, MSGPACK.encode(Send(7, number, EntryType.TEXT, text)))


async def greeted(house: GatewayHouse) -> Wire:
    wire = await Wire.open(house.port, "qingniao.1")
    wire.say(frame(BINARY, MSGPACK.encode(Hello("v:7", "d1"))))
    first = await wire.hear()
    assert first is not None
    assert isinstance(MSGPACK.down(first.payload), Welcome)
    return wire


async def told_goodbye(wire: Wire) -> tuple[Bye, Heard]:
    """Our frame and WebSocket's, which follow each other."""
    bye, last = await wire.hear(), await wire.hear()
    assert bye is not None
    assert last is not None
    frame_of_ours = MSGPACK.down(bye.payload)
    assert isinstance(frame_of_ours, Bye)
    assert last.opcode == CLOSE
    return frame_of_ours, last


async def test_server_waits_for_the_clients_half(house: GatewayHouse) -> None:
    wire = await greeted(house)
    wire.say(NONSENSE)
    bye, last = await told_goodbye(wire)
    assert bye.code == last.code == Close.MALFORMED
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.15):
            await wire.hear()
    assert len(house.hub.connections) == 1
    wire.say(close(last.code))
    assert await wire.ended() == []
    await until(lambda: not house.hub.connections)


async def test_what_comes_after_goodbye_is_not_taken(house: GatewayHouse) -> None:
    wire = await greeted(house)
    wire.say(NONSENSE + said(1) + frame(PING, b"?") + frame(TEXT, b"\xff"))
    await told_goodbye(wire)
    wire.say(said(2) + close(1000))
    assert await wire.ended() == []
    assert await house.log.entries(7, 0, 10) == []


async def test_client_that_never_answers_is_dropped(
    house: GatewayHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qingniao.gateway.client_socket._LINGER_S", 0.1)
    wire = await greeted(house)
    wire.say(NONSENSE)
    await told_goodbye(wire)
    assert await wire.ended() == []
    await until(lambda: not house.hub.connections)


async def test_answer_behind_unread_messages_is_found(house: GatewayHouse) -> None:
    wire = await greeted(house)
    await house.stop_intake()
    credit = house.wire.limits(agent=False).credit
    for number in range(1, credit + 20):
        wire.say(said(number))
    await until(lambda: house.hub.pauses)
    (connection,) = house.hub.connections
    connection.bye(Bye(Close.SHUTDOWN, "The server is restarting."))
    await told_goodbye(wire)
    wire.say(close(3000))
    assert await wire.ended() == []
    house.resume_intake()


async def test_what_was_sent_before_close_is_taken_and_what_comes_after_is_not(
    house: GatewayHouse,
) -> None:
    wire = await greeted(house)
    wire.say(said(1) + close(1001) + said(2))
    frames = await wire.ended()
    assert frames[-1] == Heard(CLOSE, struct.pack(">H", 1001))
    await house.pipeline.drain()
    await until(lambda: not house.hub.connections)
    assert [entry.body for entry in await house.log.entries(7, 0, 10)] == ["在吗"]


async def test_nothing_follows_a_close_of_the_parser(house: GatewayHouse) -> None:
    # The parser looks one frame ahead: it closes before the ack of the message can be written.
    wire = await greeted(house)
    wire.say(said(1) + frame(0xB))
    assert [one.code for one in await wire.ended()] == [1002]
    # Taken: it will be acked after a reconnect.
    await until(lambda: house.pipeline.committed == 1)
    assert len(await house.log.entries(7, 0, 10)) == 1


async def test_end_of_the_server_is_told_and_leaves_no_socket(house: GatewayHouse) -> None:
    answers, silent = await greeted(house), await Wire.open(house.port, "qingniao.1")
    ending = asyncio.create_task(house.server.close())
    for wire in (answers, silent):
        bye, last = await told_goodbye(wire)
        assert bye.code == last.code == Close.SHUTDOWN
    answers.say(close(3000))
    assert await answers.ended() == []
    assert await silent.ended() == []
    await ending
    assert not house.hub.connections


async def test_reason_is_cut_between_characters(house: GatewayHouse) -> None:
    wire = await greeted(house)
    (connection,) = house.hub.connections
    connection.bye(Bye(Close.STORAGE, "x" + "满" * 60))
    bye, last = await told_goodbye(wire)
    assert bye.text == "x" + "满" * 60
    assert last.payload[2:].decode() == "x" + "满" * 40
    await wire.leave()
