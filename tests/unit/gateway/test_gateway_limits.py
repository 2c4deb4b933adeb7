"""What happens beyond every limit: who is told what, and that nothing grows."""

import asyncio
import contextlib
import socket
from typing import Any

import pytest
from gateway_house import GatewayHouse, Raw, until
from websockets.exceptions import ConnectionClosed

from qingniao.bus.base import Whisper
from qingniao.errors import StorageError
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.codes import Close, Code
from qingniao.protocol.frames import (
    Ack,
    Busy,
    Bye,
    Delta,
    Entry,
    EntryType,
    Error,
    Follow,
    Hello,
    History,
    Ping,
    Pong,
    Send,
    State,
    Typing,
)

BIG = "长" * 4_000


def text(n: int, body: str = "在吗") -> Send:
    return Send(7, n, EntryType.TEXT, body)


async def stop_reading(raw: Raw) -> None:
    """Read nothing more from this socket; what the kernel holds is small."""
    raw.socket.transport.pause_reading()


def server_side(house: GatewayHouse, device: str) -> Any:
    (connection,) = [c for c in house.hub.connections if c.session.device == device]
    return connection


async def fill(house: GatewayHouse, device: str, enough: int) -> None:
    """Write whispers that are not droppable until `enough` bytes wait for `device`."""
    connection = server_side(house, device)
    frame = MSGPACK.encode(State(7, {"x": "长" * 2_000}))
    for _ in range(20_000):
        transport = connection.transport
        if transport is None:
            return
        if transport.underlying_transport.get_write_buffer_size() >= enough:
            return
        connection.write(frame)
    pytest.fail("the buffer never filled")


async def test_rate_is_answered_with_busy_and_the_message_is_taken_later(build_house: Any) -> None:
    house = await build_house(wire={"rate": 4.0})
    visitor = await house.greet("v:7")
    for n in range(1, 21):
        await visitor.say(text(n))
    busy = await visitor.next(Busy)
    assert busy.retry_after_ms > 0
    n = busy.n
    if not any(isinstance(f, Ack) and f.n == n - 1 for f in visitor.got):
        await visitor.next(Ack, lambda ack: ack.n == n - 1)
    assert max(f.n for f in visitor.got if isinstance(f, Ack)) == n - 1
    await asyncio.sleep(busy.retry_after_ms / 1000)
    await visitor.say(text(n))
    assert (await visitor.next(Ack, lambda ack: ack.n >= n)).seq == n


async def test_flooding_in_spite_of_busy_is_closed(build_house: Any) -> None:
    house = await build_house(wire={"rate": 0.1})
    visitor = await house.greet("v:7")
    try:
        for n in range(1, 400):
            await visitor.say(text(n))
    except ConnectionClosed:
        pass  # closed while we were still flooding
    assert await visitor.closed() == Close.FLOODING


async def test_full_intake_is_busy_and_what_follows_waits(build_house: Any) -> None:
    house = await build_house(pipeline={"waiting": 3, "retry_after_ms": 40})
    visitor = await house.greet("v:7")
    await house.stop_intake()
    for n in range(1, 7):
        await visitor.say(text(n))
    busies = [await visitor.next(Busy) for _ in range(3)]
    assert [busy.n for busy in busies] == [4, 5, 6]
    assert 20 <= busies[0].retry_after_ms <= 41
    house.resume_intake()
    await visitor.next(Ack, lambda ack: ack.n == 3)
    await visitor.say(text(5))
    assert (await visitor.next(Busy)).n == 5, "4 has not come again"
    for n in range(4, 7):
        await visitor.say(text(n))
    await visitor.next(Ack, lambda ack: ack.n == 6)
    assert [e.seq for e in await house.log.entries(7, 0, 10)] == list(range(1, 7))


async def test_message_that_came_twice_holds_up_nothing_once_it_is_stored(
    build_house: Any,
) -> None:
    # A client sends again what it believes lost; the first copy is still on its way to the disk.
    house = await build_house(pipeline={"waiting": 1})
    await house.stop_intake()
    visitor = await house.greet("v:7")
    for _ in range(2):
        await visitor.say(Send(7, 1, EntryType.TEXT, "在吗"))
    assert (await visitor.next(Busy)).n == 1
    house.resume_intake()
    assert (await visitor.next(Ack)).n == 1
    await visitor.say(Send(7, 2, EntryType.TEXT, "还在吗"))
    assert isinstance(await visitor.next(Ack | Busy), Ack)


@pytest.mark.parametrize("credit", [1, 2, 8])
async def test_sender_without_credit_is_not_read_and_then_read_again(
    build_house: Any, credit: int
) -> None:
    house = await build_house(wire={"credit": credit})
    visitor = await house.greet("v:7")
    await house.stop_intake()
    connection = server_side(house, "d1")
    sending = asyncio.create_task(_send_many(visitor, 200))
    await until(lambda: house.hub.pauses == 1)
    assert not connection.transport.underlying_transport.is_reading()
    assert connection._inflight >= credit
    house.resume_intake()
    await sending
    await visitor.next(Ack, lambda ack: ack.n == 200)
    assert len(await house.log.entries(7, 0, 1_000)) == 200


async def _send_many(raw: Raw, count: int) -> None:
    for n in range(1, count + 1):
        await raw.say(text(n))


async def test_slow_client_is_closed_with_3008(build_house: Any) -> None:
    house = await build_house(gateway={"outbox_bytes": 200_000, "outbox_soft_bytes": 1_000})
    slow = await house.greet("v:7", device="slow")
    await stop_reading(slow)
    await fill(house, "slow", 10**9)
    assert house.hub.outboxes.slow == 1
    slow.socket.transport.resume_reading()
    assert await slow.closed() == Close.SLOW
    assert isinstance(slow.got[-1], Bye)
    await until(lambda: not house.hub.connections)


async def test_reader_that_never_reads_again_is_cut(
    build_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qingniao.gateway.client_socket._LINGER_S", 0.05)
    house = await build_house(gateway={"outbox_bytes": 200_000, "outbox_soft_bytes": 1_000})
    slow = await house.greet("v:7", device="slow")
    await stop_reading(slow)
    await fill(house, "slow", 10**9)
    await until(lambda: not house.hub.connections)
    assert not house.presence.is_here("v:visitor-7")
    assert 7 not in house.hub.following.followers


async def test_goodbye_to_a_reader_that_never_reads_is_cut_too(
    build_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qingniao.gateway.client_socket._LINGER_S", 0.05)
    house = await build_house(gateway={"outbox_bytes": 4_000_000, "outbox_soft_bytes": 1_000})
    slow = await house.greet("v:7", device="slow")
    await stop_reading(slow)
    await fill(house, "slow", 100_000)
    await slow.socket.send(b"\xc1")
    await until(lambda: not house.hub.connections)


async def test_what_waits_for_a_slow_reader_is_bounded_and_hurts_nobody_else(
    build_house: Any,
) -> None:
    house = await build_house(gateway={"outbox_bytes": 200_000, "outbox_soft_bytes": 1_000})
    visitor = await house.greet("v:7")
    slow, quick = await house.greet("a:3", device="slow"), await house.greet("a:4")
    await visitor.say(text(1))
    await visitor.next(Ack)
    for agent in (slow, quick):
        await agent.say(Follow(7))
        await agent.next(Entry)
    connection = server_side(house, "slow")
    socket = connection.transport.underlying_transport
    await stop_reading(slow)
    most = 0
    for n in range(2, 2_000):
        await visitor.say(text(n, BIG))
        await visitor.next(Ack, lambda ack, n=n: ack.n == n)
        await quick.next(Entry, lambda entry, n=n: entry.seq == n)
        most = max(most, socket.get_write_buffer_size())
        if connection.transport is None:
            break
    assert house.hub.outboxes.slow == 1
    assert most <= 200_000 + 1_000
    slow.socket.transport.resume_reading()
    assert await slow.closed() == Close.SLOW
    have = max(entry.seq for entry in slow.got if isinstance(entry, Entry))
    back = await house.greet("a:3", device="slow", cursors=[(7, have)])
    first = await back.next(Entry)
    assert first.seq == have + 1


async def test_typing_and_deltas_are_dropped_first(build_house: Any) -> None:
    house = await build_house(gateway={"outbox_bytes": 4_000_000, "outbox_soft_bytes": 50_000})
    slow, quick = await house.greet("v:7", device="slow"), await house.greet("v:7")
    await stop_reading(slow)
    await fill(house, "slow", 60_000)
    for number in range(10):
        house.fanout.publish(Whisper(7, MSGPACK.encode(Delta(7, 1, number, "字"))))
    house.fanout.publish(Whisper(7, MSGPACK.encode(State(7, {"last": 1})), droppable=False))
    assert house.hub.outboxes.dropped == 10
    slow.socket.transport.resume_reading()
    await slow.next(State, lambda state: state.fields == {"last": 1})
    assert not [f for f in slow.got if isinstance(f, Delta)]
    assert len([f for f in await quick.settled() if isinstance(f, Delta)]) == 10


async def test_following_too_many_is_refused_but_mending_a_gap_is_not(build_house: Any) -> None:
    house = await build_house(wire={"follows": 2})
    for number in (1, 2, 3):
        visitor = await house.greet(f"v:{number}")
        await visitor.say(Send(number, 1, EntryType.TEXT, "在吗"))
        await visitor.next(Ack)
    agent = await house.greet("a:3")
    for number in (1, 2):
        await agent.say(Follow(number))
        await agent.next(Entry)
    await agent.say(Follow(3))
    error = await agent.next(Error)
    assert (error.conversation, error.code) == (3, Code.TOO_MANY)
    await agent.say(Follow(2, 0))
    assert (await agent.next(Entry)).conversation == 2
    await agent.say(Follow(0))
    assert (await agent.next(State)).conversation == 0


async def test_hello_with_too_many_conversations_is_malformed(build_house: Any) -> None:
    house = await build_house(wire={"follows": 2})
    raw = await house.raw()
    await raw.say(Hello("a:3", "d1", [(1, 0), (2, 0), (3, 0)]))
    assert await raw.closed() == Close.MALFORMED


async def test_too_many_requests_at_once_are_flooding(
    build_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await build_house(gateway={"requests": 10})
    agent = await house.greet("a:3")
    gate = asyncio.Event()

    async def slow_request(*_: Any) -> None:
        await gate.wait()

    monkeypatch.setattr(type(house.hub.requests), "answer", slow_request)
    for _ in range(15):
        await agent.say(History(7, 100))
    assert await agent.closed() == Close.FLOODING
    gate.set()


async def test_typing_without_end_is_flooding(build_house: Any) -> None:
    house = await build_house(gateway={"frames": 50})
    visitor = await house.greet("v:7")
    with contextlib.suppress(ConnectionClosed):
        for _ in range(200):
            await visitor.say(Typing(7, True, "在"))
    assert await visitor.closed() == Close.FLOODING


async def test_pongs_over_a_long_time_are_no_flood(build_house: Any) -> None:
    house = await build_house(gateway={"frames": 8})
    visitor = await house.greet("v:7")
    for _ in range(4):
        for number in range(4):
            await visitor.say(Pong(number))
        await visitor.settled()
        house.hub.beat += 1


async def test_who_is_told_busy_is_not_read_until_it_may_come_again(build_house: Any) -> None:
    house = await build_house(wire={"rate": 4.0})
    visitor = await house.greet("v:7")
    for n in range(1, 14):
        await visitor.say(text(n))
    busy = await visitor.next(Busy)
    transport = server_side(house, "d1").transport.underlying_transport
    assert not transport.is_reading()
    for n in range(14, 40):
        await visitor.say(text(n))
    await visitor.say(text(busy.n))
    await visitor.next(Ack, lambda ack: ack.n == busy.n)
    assert transport.is_reading()
    busies = [frame for frame in visitor.got if isinstance(frame, Busy)]
    assert len(busies) == len({frame.n for frame in busies}), "each was looked at once"


async def test_agents_are_stored_while_visitors_flood_the_intake(build_house: Any) -> None:
    house = await build_house(pipeline={"waiting": 5})
    visitor = await house.greet("v:7")
    await visitor.say(text(1))
    await visitor.next(Ack)
    agent = await house.greet("a:3")
    await house.stop_intake()
    for n in range(2, 12):
        await visitor.say(text(n))
    assert (await visitor.next(Busy)).n == 7
    await agent.say(Send(7, 1, EntryType.NOTE, "在忙"))
    await until(lambda: house.pipeline.depth == 6)
    house.resume_intake()
    assert (await agent.next(Ack)).seq == 2, "before everything that waited"


async def test_disk_that_cannot_be_written_is_told_and_nothing_is_lost(
    house: GatewayHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = await house.greet("v:7")
    await visitor.say(text(1))
    await visitor.next(Ack)
    with monkeypatch.context() as broken:

        async def full(*_: Any, **options: Any) -> None:
            raise StorageError("The disk is full.")

        broken.setattr(house.log._engine, "write", full)
        await visitor.say(text(2))
        error = await visitor.next(Error)
        assert (error.code, error.temporary) == (Code.STORAGE_FULL, True)
        assert await visitor.closed() == Close.STORAGE
        assert visitor.got[-1].retry_after_ms > 0
    back = await house.greet("v:7", cursors=[(7, 1)])
    assert dict(back.welcome.conversations)[7]["n"] == 1
    await back.say(text(2))
    assert (await back.next(Ack)).seq == 2


async def test_store_that_cannot_be_read_asks_to_come_back(
    house: GatewayHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = await house.greet("v:7")

    async def unreadable(*_: Any) -> None:
        raise StorageError("The disk cannot be read.")

    monkeypatch.setattr(house.log, "entries", unreadable)
    await visitor.say(History(7, 100))
    assert await visitor.closed() == Close.STORAGE


async def test_fault_in_a_request_is_told_as_internal(
    house: GatewayHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = await house.greet("v:7")

    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(house.log, "entries", broken)
    await visitor.say(History(7, 100))
    error = await visitor.next(Error)
    assert (error.code, error.temporary) == (Code.INTERNAL, True)
    assert 3000 <= await visitor.closed() < 3500


async def test_ping_is_answered_while_the_intake_stands_still(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    await house.stop_intake()
    await visitor.say(text(1))
    await visitor.say(Ping(5))
    assert await visitor.next(Pong) == Pong(5, 0)


async def test_readings_count_what_happened(house: GatewayHouse) -> None:
    await house.greet("v:7")
    readings = {name: value for _, name, _, value in house.hub.readings()}
    assert (readings["connections"], readings["followed"]) == (1, 1)


async def test_history_larger_than_the_outbox_arrives_at_a_slow_reader_too(
    build_house: Any,
) -> None:
    house = await build_house(gateway={"outbox_bytes": 200_000, "outbox_soft_bytes": 50_000})
    visitor = await house.greet("v:7")
    for n in range(1, 1_001):
        await visitor.say(text(n, BIG))
        await visitor.next(Ack, lambda ack, n=n: ack.n == n)
    agent = await house.greet("a:3", device="slow")
    connection = server_side(house, "slow")
    await stop_reading(agent)
    await agent.say(Follow(7))
    await until(lambda: connection.unsent > 0)
    most = 0
    for _ in range(20):
        most = max(most, connection.unsent)
        await asyncio.sleep(0.01)
    agent.socket.transport.resume_reading()
    await agent.next(Entry, lambda entry: entry.seq == 1_000)
    assert most <= 50_000 + 2 * 16_384
    assert house.hub.outboxes.slow == 0


async def test_system_holds_little_for_a_reader_that_does_not_read(build_house: Any) -> None:
    house = await build_house()
    await house.greet("v:7", device="d1")
    accepted = server_side(house, "d1").transport.underlying_transport.get_extra_info("socket")
    unsent = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
    assert 0 < unsent <= 262_144
