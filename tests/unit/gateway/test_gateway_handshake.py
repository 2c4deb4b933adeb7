"""Getting in: subprotocols, bytes that are not frames, fragments, tokens, and who is replaced."""

import asyncio
from typing import Any

import msgspec
import pytest
from gateway_house import JSON, MSGPACK, GatewayHouse, until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode, Frame, Opcode

from qingniao.gateway.ports import Who
from qingniao.protocol.codec import Codec
from qingniao.protocol.codes import Close, Code
from qingniao.protocol.frames import (
    Ack,
    Bye,
    EntryType,
    Error,
    Hello,
    Ping,
    Pong,
    Send,
    Welcome,
)


@pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)
async def test_either_subprotocol_is_spoken(house: GatewayHouse, codec: Codec) -> None:
    visitor = await house.greet("v:7", codec=codec)
    assert visitor.socket.subprotocol == codec.name
    assert visitor.welcome.limits == house.wire.limits(agent=False)
    await visitor.say(Send(7, 1, EntryType.TEXT, "在吗 🐦"))
    ack = await visitor.next(Ack)
    assert (ack.conversation, ack.n, ack.seq) == (7, 1, 1)


async def test_nothing_of_the_handshake_is_kept_for_each_connection(house: GatewayHouse) -> None:
    """What an idle connection holds decides how many there can be."""
    keys = [(await house.greet(f"v:{n}")).socket.response.headers for n in (7, 8)]
    assert keys[0]["Sec-WebSocket-Accept"] != keys[1]["Sec-WebSocket-Accept"]
    first, second = [connection.transport for connection in house.hub.connections]
    assert first is not None and second is not None
    assert first.response is second.response
    for transport in (first, second):
        held = type(transport.request).__slots__
        assert "headers" in held and not any(hasattr(transport.request, name) for name in held)


async def test_first_known_subprotocol_is_chosen(house: GatewayHouse) -> None:
    raw = await house.raw(JSON, subprotocols=["future.9", JSON.name, MSGPACK.name])
    assert raw.socket.subprotocol == JSON.name


@pytest.mark.parametrize("offered", [None, ["future.9"]])
async def test_without_a_known_subprotocol_the_answer_is_400(
    house: GatewayHouse, offered: Any
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await house.raw(subprotocols=offered)
    assert refused.value.response.status_code == 400
    assert b"qingniao.1" in (refused.value.response.body or b"")
    await until(lambda: not house.hub.connections)


async def test_compression_is_not_negotiated(house: GatewayHouse) -> None:
    raw = await house.greet("v:7")
    assert raw.socket.protocol.extensions == []


async def _fragments(raw: Any, pieces: list[bytes], *, text: bool = False) -> None:
    await raw.socket.send(iter([piece.decode() if text else piece for piece in pieces]))


@pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)
async def test_message_may_come_in_fragments(house: GatewayHouse, codec: Codec) -> None:
    raw = await house.raw(codec)
    data = codec.encode(Hello("v:7", "d1"))
    await _fragments(raw, [data[:3], data[3:4], b"", data[4:]], text=not codec.is_binary)
    assert await raw.next(Welcome)


async def test_control_frames_between_fragments_are_answered(house: GatewayHouse) -> None:
    raw = await house.greet("v:7")
    data = MSGPACK.encode(Ping(5))

    async def pieces() -> Any:
        yield data[:1]
        async with asyncio.timeout(2):
            await (await raw.socket.ping())
        yield data[1:]

    await raw.socket.send(pieces())
    assert (await raw.next(Pong)).number == 5


async def _feed(raw: Any, *frames: Frame) -> None:
    for frame in frames:
        raw.socket.transport.write(frame.serialize(mask=True))


async def test_message_inside_a_message_breaks_the_protocol(house: GatewayHouse) -> None:
    raw = await house.greet("v:7")
    await _feed(
        raw, Frame(Opcode.BINARY, b"\x92", fin=False), Frame(Opcode.BINARY, b"\x92\x09\x01")
    )
    assert await raw.closed() == CloseCode.PROTOCOL_ERROR


async def test_continuation_of_nothing_breaks_the_protocol(house: GatewayHouse) -> None:
    raw = await house.greet("v:7")
    await _feed(raw, Frame(Opcode.CONT, b"\x92\x09\x01"))
    assert await raw.closed() == CloseCode.PROTOCOL_ERROR


async def test_broken_websocket_frame_ends_the_connection_only(house: GatewayHouse) -> None:
    raw = await house.greet("v:7")
    raw.socket.transport.write(b"\xff\xff\xff\xff\xff\xff")
    await raw.closed()
    await until(lambda: not house.hub.connections)
    assert await house.greet("v:8")


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe8bye"])
async def test_close_is_answered_with_a_code_that_may_be_sent(
    house: GatewayHouse, payload: bytes
) -> None:
    raw = await house.greet("v:7")
    await _feed(raw, Frame(Opcode.CLOSE, payload))
    assert await raw.closed() == 1000
    await until(lambda: not house.hub.connections)


@pytest.mark.parametrize(("size", "code"), [(0, 0), (1, Close.TOO_LARGE), (4_000, Close.TOO_LARGE)])
async def test_message_above_the_limit_is_too_large(build_house: Any, size: int, code: int) -> None:
    house = await build_house(wire={"frame_bytes": 2_000})
    raw = await house.greet("v:7")
    frame = [9, 1, "x" * 1_000]
    frame[2] = "x" * (2_000 + size - len(msgspec.msgpack.encode(frame)) + 1_000)
    data = msgspec.msgpack.encode(frame)
    assert len(data) == 2_000 + size
    await raw.socket.send(data)
    if code:
        assert await raw.closed() == code
        assert raw.got[-1].code == code
    else:
        assert (await raw.next(Pong)).number == 1


async def test_limit_counts_all_fragments(build_house: Any) -> None:
    house = await build_house(wire={"frame_bytes": 2_000})
    raw = await house.greet("v:7")
    try:
        await _fragments(raw, [b"x" * 600] * 4)
    except ConnectionClosed:
        pass
    assert await raw.closed() == Close.TOO_LARGE


async def test_text_in_the_binary_subprotocol_is_malformed(house: GatewayHouse) -> None:
    raw = await house.greet("v:7")
    await raw.socket.send("[9,1]")
    assert await raw.closed() == Close.MALFORMED
    other = await house.greet("v:7", codec=JSON)
    await other.socket.send(b"[9,1]")
    assert await other.closed() == Close.MALFORMED


async def test_invalid_utf8_in_the_text_subprotocol_closes(house: GatewayHouse) -> None:
    raw = await house.greet("v:7", codec=JSON)
    await _feed(raw, Frame(Opcode.TEXT, b'[4,7,1,1,"\xff"]'))
    assert await raw.closed() == CloseCode.INVALID_DATA


@pytest.mark.parametrize("garbage", [b"", b"\xc1", b"\x93", b"\x80", b"GET / HTTP/1.1"])
async def test_garbage_is_malformed(house: GatewayHouse, garbage: bytes) -> None:
    raw = await house.greet("v:7")
    await raw.socket.send(garbage)
    assert await raw.closed() == Close.MALFORMED
    assert raw.got[-1].code == Close.MALFORMED


async def test_wrong_field_is_an_error_and_the_connection_lives_on(house: GatewayHouse) -> None:
    raw = await house.greet("v:7")
    await raw.socket.send(msgspec.msgpack.encode([4, 7, "one", 1, "x"]))
    error = await raw.next(Error)
    assert (error.code, error.temporary) == (Code.BAD_FRAME, False)
    assert await raw.settled() == []


async def test_frames_from_the_future_are_ignored(house: GatewayHouse) -> None:
    raw = await house.greet("v:7")
    await raw.socket.send(msgspec.msgpack.encode([200, {"what": "is this"}]))
    await raw.socket.send(msgspec.msgpack.encode([4, 7, 1, 1, "在吗", "priority", 9]))
    assert (await raw.next(Ack)).n == 1


async def test_wrong_token_is_told_to_stop(house: GatewayHouse) -> None:
    raw = await house.raw()
    await raw.say(Hello("nonsense", "d1"))
    assert await raw.closed() == Close.BAD_TOKEN
    assert isinstance(raw.got[0], Bye)


async def test_first_frame_must_be_hello(house: GatewayHouse) -> None:
    raw = await house.raw()
    await raw.say(Ping(1))
    assert await raw.closed() == Close.NO_HELLO


async def test_second_hello_is_out_of_order(house: GatewayHouse) -> None:
    raw = await house.greet("v:7")
    await raw.say(Hello("v:8", "d2"))
    assert (await raw.next(Error)).code == Code.OUT_OF_ORDER
    await raw.say(Send(8, 1, EntryType.TEXT, "不是我的"))
    assert (await raw.next(Error)).code == Code.NOT_YOURS


async def test_hello_that_never_comes_is_closed_even_if_the_socket_pings(
    build_house: Any,
) -> None:
    house = await build_house(wire={"hello_ms": 1_000})
    silent, noisy = await house.raw(), await house.raw()

    async def keep_pinging() -> None:
        while True:
            await noisy.socket.ping()
            await asyncio.sleep(0.05)

    pinging = asyncio.create_task(keep_pinging())
    assert await silent.closed() == Close.NO_HELLO
    assert await noisy.closed() == Close.NO_HELLO
    pinging.cancel()
    await asyncio.gather(pinging, return_exceptions=True)


async def test_hello_that_waits_for_its_answer_too_long_is_closed(build_house: Any) -> None:
    async def never(token: str, about: dict[str, str]) -> Who | None:
        await asyncio.Event().wait()
        return None

    house = await build_house(wire={"hello_ms": 1_000}, authenticate=never)
    raw = await house.raw()
    await raw.say(Hello("v:7", "d1"))
    await raw.say(Send(7, 1, EntryType.TEXT, "早"))
    house.hub.beat += 2
    assert await raw.closed() == Close.NO_HELLO
    assert [type(frame).__name__ for frame in raw.got] == ["Busy", "Bye"]


async def test_fault_of_ours_while_greeting_asks_to_come_back(build_house: Any) -> None:
    async def broken(token: str, about: dict[str, str]) -> Who | None:
        raise RuntimeError("a bug")

    house = await build_house(authenticate=broken)
    raw = await house.raw()
    await raw.say(Hello("v:7", "d1"))
    assert 3000 <= await raw.closed() < 3500
    assert raw.got[0].code == Code.INTERNAL


async def test_silent_connection_is_pinged_then_closed(build_house: Any) -> None:
    house = await build_house(wire={"beat_ms": 1_000})
    raw = await house.greet("v:7")
    assert await raw.next(Ping)
    house.hub.beat += 5
    assert await raw.closed() == Close.SILENT
    await until(lambda: not house.presence.is_here("v:visitor-7"))


async def test_same_device_replaces_the_earlier_connection(house: GatewayHouse) -> None:
    earlier = await house.greet("v:7", device="tab")
    later = await house.greet("v:7", device="tab")
    assert await earlier.closed() == Close.REPLACED
    await later.say(Send(7, 1, EntryType.TEXT, "在吗"))
    assert await later.next(Ack)
    assert house.presence.is_here("v:visitor-7")


async def test_other_devices_and_other_people_replace_nobody(house: GatewayHouse) -> None:
    tabs = [
        await house.greet("v:7", device="tab"), await house.greet("v:7", device="tab2"),
        await house.greet("v:8", device="tab"), await house.greet("a:3", device="tab"),
    ]  # fmt: skip
    for tab in tabs:
        await tab.settled()
    assert len(house.hub.connections) == 4


async def test_agent_may_name_conversations_that_cannot_be(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    await visitor.say(Send(7, 1, EntryType.TEXT, "在吗"))
    await visitor.next(Ack)
    cursors = [(-1, 0), (0, 0), (2**63, 5), (404, 0), (7, 2**63)]
    agent = await house.greet("a:3", cursors=cursors)
    assert [number for number, _ in agent.welcome.conversations] == [7]


async def test_welcome_says_where_the_visitor_stands_before_anything_was_said(
    house: GatewayHouse,
) -> None:
    visitor = await house.greet("v:7", cursors=[(8, 3)])
    ((conversation, fields),) = visitor.welcome.conversations
    assert conversation == 7
    assert (fields["status"], fields["last"], fields["from"], fields["n"]) == ("bot", 0, 1, 0)
    agent = await house.greet("a:3")
    await agent.say(Send(7, 1, EntryType.TEXT, "您好"))
    assert (await agent.next(Error)).code == Code.NOT_YOURS
    assert await visitor.settled() == []
