"""The network does what it is told: nothing is changed, and everything else can happen."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from gateway_house import GatewayHouse, until

from qingniao.testing.network import Cut, Network

HEAD = b"GET / HTTP/1.1\r\n\r\n"


class Echo:
    """Sends back what it gets; remembers how it came."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ended: list[str] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while data := await reader.read(65_536):
                self.pieces.append(data)
                writer.write(data)
                await writer.drain()
            self.ended.append("FIN")
        except ConnectionResetError:
            self.ended.append("RST")
        writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    yield echo
    server.close()
    for writer in echo.writers:
        writer.transport.abort()


async def dial(network: Network) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(network.url.rpartition(":")[2]))
    writer.write(HEAD)
    async with asyncio.timeout(5):
        assert await reader.readexactly(len(HEAD)) == HEAD
    return reader, writer


async def hear(reader: asyncio.StreamReader, size: int) -> bytes:
    async with asyncio.timeout(5):
        return await reader.readexactly(size)


async def test_slices_arrive_whole_and_in_order(echo: Echo) -> None:
    said = bytes(range(256)) * 8
    async with Network(echo.url) as network:
        reader, writer = await dial(network)
        network.behave(slice_bytes=7)
        writer.write(said)
        assert await hear(reader, len(said)) == said
        assert b"".join(echo.pieces) == HEAD + said and len(echo.pieces) > 10
        writer.close()


async def test_delay_keeps_the_order(echo: Echo) -> None:
    async with Network(echo.url) as network:
        network.behave(delay_s=0.02)
        reader, writer = await dial(network)
        for word in (b"one ", b"two ", b"three"):
            writer.write(word)
            await asyncio.sleep(0.001)
        assert await hear(reader, 13) == b"one two three"
        writer.close()


@pytest.mark.parametrize(("rst", "sign"), [(True, "RST"), (False, "FIN")])
async def test_cut_is_told_to_both_sides(echo: Echo, rst: bool, sign: str) -> None:
    async with Network(echo.url) as network:
        reader, writer = await dial(network)
        network.cut(rst=rst)
        await until(lambda: echo.ended == [sign])
        told = "FIN"
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            told = "RST"
        assert told == sign and network.cuts == 1
        await until(lambda: not network.links)
        writer.close()


async def test_cuts_come_by_chance_and_the_same_each_time(echo: Echo) -> None:
    lengths = []
    for _ in range(2):
        async with Network(echo.url, seed=3) as network:
            reader, writer = await dial(network)
            network.behave(cut_chance=0.1)
            got = 0
            try:
                while got < 1_000:
                    writer.write(b"x")
                    got += len(await hear(reader, 1))
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            assert network.cuts == 1
            lengths.append(got)
            writer.close()
    assert lengths[0] == lengths[1] < 1_000


async def test_hole_holds_what_comes_until_it_heals(echo: Echo) -> None:
    async with Network(echo.url) as network:
        reader, writer = await dial(network)
        link = network.links[0]
        link.hole("down")
        writer.write(b"are you there?")
        await until(lambda: b"".join(echo.pieces).endswith(b"are you there?"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(1)
        link.heal()
        assert await hear(reader, 14) == b"are you there?"
        link.hole("up")
        writer.write(b"and now?")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(1)
        assert not b"".join(echo.pieces).endswith(b"and now?")
        link.heal()
        assert await hear(reader, 8) == b"and now?"
        writer.close()


async def test_who_ends_in_a_hole_is_not_missed_at_the_other_side(echo: Echo) -> None:
    async with Network(echo.url) as network:
        _, writer = await dial(network)
        link = network.links[0]
        link.hole()
        writer.close()
        await until(lambda: "up" in link.ended)
        await asyncio.sleep(0.1)
        assert echo.ended == []
        link.heal()
        await until(lambda: echo.ended == ["FIN"])
        await until(lambda: not network.links)


async def test_server_that_is_not_there_is_a_refused_connection() -> None:
    async with Network("http://127.0.0.1:1") as network:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", int(network.url.rpartition(":")[2])
        )
        writer.write(HEAD)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_meddler_sees_the_servers_frames_and_may_cut(house: GatewayHouse) -> None:
    seen: list[tuple[int, str]] = []

    def meddle(connection: int, frame: str) -> bool:
        seen.append((connection, frame))
        if len(seen) == 2:
            raise Cut
        return True

    async with Network(house.url, meddle) as network:
        house.port = int(network.url.rpartition(":")[2])
        async with house.client("v:7", backoff_max_s=0.05) as client:
            await client.send(7, "在吗")
            assert client.connects == 2
        assert {connection for connection, _ in seen} == {1, 2} and network.connections == 2


async def test_client_leaves_a_connection_that_has_gone_silent(build_house: object) -> None:
    house = await build_house(wire={"beat_ms": 100})  # type: ignore[operator]
    async with Network(house.url) as network:
        house.port = int(network.url.rpartition(":")[2])
        async with house.client("v:7", backoff_max_s=0.05) as client:
            await client.send(7, "一")
            link = network.links[0]
            link.hole()
            # Nobody says that it is dead: neither side ever closes it.
            receipt = await client.send(7, "二")
            assert client.connects == 2 and receipt.repeats == 1
            assert not link.is_cut
    assert [entry.body for entry in await house.log.entries(7, 0, 10)] == ["一", "二"]


async def test_client_keeps_a_connection_that_is_only_quiet(build_house: object) -> None:
    house = await build_house(wire={"beat_ms": 50})  # type: ignore[operator]
    async with house.client("v:7") as client:
        await client.ready()
        await asyncio.sleep(0.5)
        assert client.connects == 1
