"""The Python client over a real gateway: what it promises however often the connection breaks."""

import asyncio
from typing import Any

import pytest
from gateway_house import GatewayHouse, LosingFanout, until

from qingniao.bus.base import News
from qingniao.client import Client, Closed, NotTaken
from qingniao.errors import StorageError
from qingniao.protocol.codec import JSON, MSGPACK
from qingniao.protocol.codes import Close
from qingniao.protocol.frames import Bye, Entry, EntryType, Page, State, Typing


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Come back at once: the tests wait for the outcome, not for the pause."""
    monkeypatch.setattr("qingniao.client.connection._BACKOFF_S", 0.02)


async def texts(house: GatewayHouse, conversation: int = 7) -> list[Any]:
    entries = await house.log.entries(conversation, 0, 10_000)
    return [entry.body for entry in entries if entry.type == EntryType.TEXT]


@pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)
async def test_send_returns_where_it_is_stored(house: GatewayHouse, codec: Any) -> None:
    async with house.client("v:7", codec=codec) as client:
        receipts = [await client.send(7, f"第{n}句") for n in range(1, 4)]
    assert [(r.conversation, r.n, r.seq, r.repeats) for r in receipts] == [
        (7, 1, 1, 0), (7, 2, 2, 0), (7, 3, 3, 0),
    ]  # fmt: skip
    assert await texts(house) == ["第1句", "第2句", "第3句"]


async def test_posts_keep_their_order(house: GatewayHouse) -> None:
    async with house.client("v:7") as client:
        receipts = await asyncio.gather(*[client.post(7, f"{n}") for n in range(100)])
    assert [receipt.n for receipt in receipts] == list(range(1, 101))
    assert await texts(house) == [f"{n}" for n in range(100)]


async def test_what_was_unacked_is_sent_again_after_a_drop(house: GatewayHouse) -> None:
    async with house.client("v:7") as client:
        await client.send(7, "先")
        await house.stop_intake()
        waiting = [client.post(7, f"{n}") for n in range(5)]
        await until(lambda: house.pipeline.depth == 5)
        client.drop()
        await until(lambda: client.connects == 2)
        house.resume_intake()
        receipts = await asyncio.gather(*waiting)
        assert [receipt.n for receipt in receipts] == [2, 3, 4, 5, 6]
        assert receipts[-1].repeats == 1
        assert all(receipt.seq in (0, receipt.n) for receipt in receipts)
        await until(lambda: client.cursors[7] == 6)
    assert await texts(house) == ["先", "0", "1", "2", "3", "4"]


async def test_refused_message_fails_and_what_follows_moves_up(house: GatewayHouse) -> None:
    async with house.client("v:7") as client:
        await client.send(7, "先")
        posts = [
            client.post(7, "一"), client.post(7, {"do": "take"}, EntryType.ACTION),
            client.post(7, "二"), client.post(7, "  "), client.post(7, "三"),
        ]  # fmt: skip
        results = await asyncio.gather(*posts, return_exceptions=True)
        assert [isinstance(result, NotTaken) for result in results] == [
            False, True, False, True, False,
        ]  # fmt: skip
    assert await texts(house) == ["先", "一", "二", "三"]


async def test_good_message_behind_many_bad_ones_is_never_refused(house: GatewayHouse) -> None:
    async with house.client("v:7") as client:
        posts = [client.post(7, " " if n % 3 else f"{n}") for n in range(60)]
        results = await asyncio.gather(*posts, return_exceptions=True)
    for n, result in enumerate(results):
        assert isinstance(result, NotTaken) == bool(n % 3), (n, result)
    assert await texts(house) == [f"{n}" for n in range(0, 60, 3)]


async def test_busy_is_waited_out_in_order(build_house: Any) -> None:
    # 30 at once and 10 a second: only a machine that takes 1.5 s for these would hear no busy.
    house = await build_house(wire={"rate": 10.0})
    async with house.client("v:7") as client:
        receipts = await asyncio.gather(*[client.post(7, f"{n}") for n in range(45)])
    assert await texts(house) == [f"{n}" for n in range(45)]
    assert max(receipt.repeats for receipt in receipts) >= 1


async def test_full_intake_is_waited_out_in_order(build_house: Any) -> None:
    house = await build_house(pipeline={"waiting": 3, "retry_after_ms": 10})
    async with house.client("v:7") as client:
        await client.ready()
        await house.stop_intake()
        posts = [client.post(7, f"{n}") for n in range(30)]
        await until(lambda: house.pipeline.refused)
        house.resume_intake()
        await asyncio.gather(*posts)
    assert await texts(house) == [f"{n}" for n in range(30)]


async def test_full_disk_is_waited_out(
    house: GatewayHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "qingniao.gateway.connection.Bye", lambda code, text, *_: Bye(code, text, 10)
    )
    async with house.client("v:7") as client:
        await client.send(7, "先")
        write = house.log._engine.write
        fails = iter([True, True])

        async def full(*given: Any, **options: Any) -> None:
            if next(fails, False):
                raise StorageError("The disk is full.")
            await write(*given, **options)

        monkeypatch.setattr(house.log._engine, "write", full)
        receipt = await client.send(7, "后")
        assert receipt.repeats >= 1
    assert await texts(house) == ["先", "后"]


async def test_code_that_says_stop_stops(house: GatewayHouse) -> None:
    async with house.client("nonsense") as client:
        with pytest.raises(Closed, match="token"):
            await client.ready()
        with pytest.raises(Closed):
            await client.send(7, "无用")
        assert client.connects == 1


async def test_waiting_message_ends_when_told_to_stop(house: GatewayHouse) -> None:
    async with house.client("a:3") as client:
        await client.ready()
        await house.stop_intake()
        waiting = client.post(7, "等")
        await until(lambda: house.pipeline.depth == 1)
        (connection,) = house.hub.connections
        connection.bye(Bye(Close.SIGNED_OUT, "This session has ended."))
        with pytest.raises(Closed, match="ended"):
            await waiting
        async with asyncio.timeout(1):  # and nobody waits for a welcome that cannot come
            with pytest.raises(Closed, match="ended"):
                await client.ready()


async def test_close_frame_without_a_bye_is_enough_to_stop(house: GatewayHouse) -> None:
    async with house.client("v:7") as client:
        await client.ready()
        (connection,) = house.hub.connections
        connection.transport.send_close(Close.BANNED, b"banned")
        with pytest.raises(Closed, match="banned"):
            await client.send(7, "在吗")


async def test_code_that_says_come_back_comes_back(house: GatewayHouse) -> None:
    async with house.client("v:7") as client:
        await client.ready()
        (connection,) = house.hub.connections
        connection.bye(Bye(Close.OVERLOADED, "Later.", 30))
        assert (await client.send(7, "在吗")).seq == 1
        assert client.connects == 2


async def test_closing_ends_what_is_waiting(house: GatewayHouse) -> None:
    client = await house.client("v:7").__aenter__()
    await client.ready()
    await house.stop_intake()
    waiting = client.post(7, "等")
    await client.close()
    with pytest.raises(Closed):
        await waiting


async def test_ready_gives_up_after_its_time() -> None:
    async with Client("http://127.0.0.1:9", token="v:7") as client:
        with pytest.raises(TimeoutError):
            await client.ready(timeout_s=0.1)


async def test_fresh_token_is_made_for_every_connection(house: GatewayHouse) -> None:
    made: list[str] = []

    async def ticket() -> str:
        made.append("a:3")
        return "a:3"

    async with house.client(ticket) as client:
        await client.ready()
        client.drop()
        await until(lambda: client.connects == 2)
    assert len(made) == 2


async def test_entries_come_once_and_in_order_after_drops(house: GatewayHouse) -> None:
    heard: list[int] = []

    def hear(frame: Any) -> None:
        if isinstance(frame, Entry):
            heard.append(frame.seq)

    async with house.client("v:7") as visitor, house.client("a:3", on_frame=hear) as agent:
        await visitor.send(7, "0")
        await agent.ready()
        agent.follow(7)
        for n in range(1, 60):
            posted = visitor.post(7, f"{n}")
            if n % 13 == 0:
                agent.drop()
            await posted
        await until(lambda: heard and heard[-1] == 60)
    assert heard == list(range(1, 61))


async def test_gap_is_asked_for_once_and_closed(build_house: Any) -> None:
    fanout = LosingFanout()
    house = await build_house(fanout=fanout)
    heard: list[int] = []
    async with house.client("v:7") as visitor, house.client("a:3") as agent:
        agent._on_frame = lambda f: heard.append(f.seq) if isinstance(f, Entry) else None
        await visitor.send(7, "0")
        await agent.ready()
        agent.follow(7)
        await until(lambda: heard == [1])
        fanout.loses = lambda item: isinstance(item, News)
        for n in range(5):
            await visitor.send(7, f"{n}")
        # The agent's own ack tells it that something is missing.
        fanout.loses = lambda item: isinstance(item, News)
        await agent.send(7, "我来")
        await until(lambda: heard and heard[-1] == 8)
        assert agent.gaps == 1
    assert heard == list(range(1, 9))


async def test_device_used_before_continues_its_numbers(house: GatewayHouse) -> None:
    async with house.client("v:7", device="kept") as client:
        for n in range(3):
            await client.send(7, f"{n}")
    async with house.client("v:7", device="kept") as client:
        # Posted before the server has said how many it holds.
        receipts = await asyncio.gather(client.post(7, "三"), client.post(7, "四"))
        assert [receipt.n for receipt in receipts] == [4, 5]
    assert await texts(house) == ["0", "1", "2", "三", "四"]


async def test_typing_reading_history_and_states(house: GatewayHouse) -> None:
    heard: list[Any] = []
    async with house.client("v:7", on_frame=heard.append) as visitor, house.client("a:3") as agent:
        await visitor.send(7, "在吗")
        await agent.ready()
        agent.follow(0)
        agent.follow(7)
        await until(lambda: agent.cursors.get(7) == 1)
        agent.typing(7, on=True)
        agent.read(7, 1)
        visitor.history(7, 100)
        await until(lambda: {Typing, State, Page} <= {type(frame) for frame in heard})
        assert visitor.states[7]["read"] == {"v": 0, "a": 1}
        visitor.drop()
        agent.drop()
        await until(lambda: agent.connects == 2 and agent._ready.is_set())
        await visitor.send(7, "还在吗")
        await until(lambda: agent.cursors[7] == 2)
