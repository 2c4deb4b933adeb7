"""HTTP on the same port, and request heads that are slow, large or odd. And the end of it all."""

import asyncio
import socket
from typing import Any

import httpx
import pytest
from gateway_house import GatewayHouse, until

from qingniao.errors import StartError
from qingniao.gateway.server import GatewayServer
from qingniao.protocol.codes import Close
from qingniao.protocol.frames import Ack, Bye, EntryType, Send

HEAD = b"GET /x HTTP/1.1\r\nHost: x\r\n"


class Wire:
    """A plain TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, house: GatewayHouse) -> "Wire":
        return cls(*await asyncio.open_connection("127.0.0.1", house.port))

    async def answer(self) -> bytes:
        """One answer with its body of known length."""
        async with asyncio.timeout(5):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            return head + await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(5):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""
            finally:
                self.writer.close()

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def test_http_and_websockets_share_the_port(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    async with httpx.AsyncClient(base_url=house.url, trust_env=False) as http:
        assert (await http.get("/anything")).text == "ok 0"
        assert (await http.post("/anything", content=b"x" * 200_000)).text == "ok 200000"
    await visitor.say(Send(7, 1, EntryType.TEXT, "在吗"))
    assert await visitor.next(Ack)


async def test_connection_is_kept_alive_for_the_next_request(house: GatewayHouse) -> None:
    wire = await Wire.to(house)
    for _ in range(3):
        wire.writer.write(HEAD + b"\r\n")
        assert (await wire.answer()).startswith(b"HTTP/1.1 200")
    await wire.close()


async def test_pipelined_requests_are_all_answered(house: GatewayHouse) -> None:
    wire = await Wire.to(house)
    wire.writer.write((HEAD + b"\r\n") * 3)
    for _ in range(3):
        assert (await wire.answer()).endswith(b"ok 0")
    await wire.close()


@pytest.mark.parametrize("size", [1, 7, 25])
async def test_head_may_come_in_pieces(house: GatewayHouse, size: int) -> None:
    wire = await Wire.to(house)
    data = HEAD + b"Content-Length: 5\r\n\r\nhello"
    for start in range(0, len(data), size):
        wire.writer.write(data[start : start + size])
        await asyncio.sleep(0)
    assert (await wire.answer()).endswith(b"ok 5")
    await wire.close()


async def test_slow_request_head_is_closed(build_house: Any) -> None:
    house = await build_house(gateway={"head_timeout_ms": 100})
    silent, slow = await Wire.to(house), await Wire.to(house)
    slow.writer.write(HEAD)
    assert await silent.rest() == b""
    assert await slow.rest() == b""


@pytest.mark.parametrize(
    ("length", "end", "piece"),
    [(30_000, b"\r\n\r\n", 40_000), (30_000, b"", 40_000), (17_000, b"", 4_000)],
    ids=["whole", "endless", "in pieces"],
)
async def test_head_that_is_too_large_is_431(
    house: GatewayHouse, length: int, end: bytes, piece: int
) -> None:
    wire = await Wire.to(house)
    data = HEAD + b"X-Long: " + b"x" * length + end
    for start in range(0, len(data), piece):
        wire.writer.write(data[start : start + piece])
        await asyncio.sleep(0.01)
    answer = await wire.rest()
    assert answer.startswith(b"HTTP/1.1 431")
    assert answer.count(b"HTTP/1.1") == 1


def _upgrade(line: bytes, path: bytes = b"/ws") -> bytes:
    return (
        b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n" + line + b"\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: qingniao.1\r\n\r\n"
    )


@pytest.mark.parametrize(
    "line", [b"Upgrade: websocket", b"UPGRADE:WebSocket", b"upgrade:  websocket "]
)
async def test_upgrade_is_recognised_however_it_is_written(
    house: GatewayHouse, line: bytes
) -> None:
    wire = await Wire.to(house)
    wire.writer.write(_upgrade(line))
    assert (await wire.answer()).startswith(b"HTTP/1.1 101")
    await wire.close()


async def test_query_after_the_path_does_not_matter(house: GatewayHouse) -> None:
    wire = await Wire.to(house)
    wire.writer.write(_upgrade(b"Upgrade: websocket", b"/ws?x=1"))
    assert (await wire.answer()).startswith(b"HTTP/1.1 101")
    await wire.close()


async def test_word_in_a_body_is_not_an_upgrade(house: GatewayHouse) -> None:
    wire = await Wire.to(house)
    body = b"\r\nupgrade: websocket\r\n"
    wire.writer.write(
        b"POST /ws HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    assert (await wire.answer()).startswith(b"HTTP/1.1 200")
    await wire.close()


async def test_garbage_instead_of_http_is_closed(house: GatewayHouse) -> None:
    wire = await Wire.to(house)
    wire.writer.write(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
    assert b"200" not in await wire.rest()


async def test_frames_in_the_same_packet_as_the_handshake_are_heard(house: GatewayHouse) -> None:
    wire = await Wire.to(house)
    ping = bytes([0x89, 0x80, 0, 0, 0, 0])
    wire.writer.write(_upgrade(b"Upgrade: websocket") + ping)
    assert (await wire.answer()).startswith(b"HTTP/1.1 101")
    async with asyncio.timeout(5):
        assert await wire.reader.readexactly(2) == b"\x8a\x00"
    await wire.close()


async def test_stopping_says_shutdown_and_spreads_the_return(build_house: Any) -> None:
    house = await build_house()
    tabs = [await house.greet("v:7", device=f"d{number}") for number in range(4)]
    await house.server.close()
    for tab in tabs:
        assert await tab.closed() == Close.SHUTDOWN
    byes = [tab.got[-1] for tab in tabs]
    assert all(isinstance(bye, Bye) and bye.retry_after_ms >= 500 for bye in byes)
    assert len({bye.retry_after_ms for bye in byes}) == 4
    with pytest.raises(OSError):
        await Wire.to(house)


async def test_stopping_stores_and_acks_what_was_taken(house: GatewayHouse) -> None:
    visitor = await house.greet("v:7")
    await house.stop_intake()
    for n in range(1, 11):
        await visitor.say(Send(7, n, EntryType.TEXT, f"{n}"))
    await until(lambda: house.pipeline.depth == 10)
    house.resume_intake()
    await house.server.close()
    assert await visitor.closed() == Close.SHUTDOWN
    assert [f.n for f in visitor.got if isinstance(f, Ack)] == list(range(1, 11))


async def test_stopping_does_not_wait_for_ever(build_house: Any) -> None:
    house = await build_house(gateway={"drain_ms": 50})
    visitor = await house.greet("v:7")
    await house.stop_intake()
    await visitor.say(Send(7, 1, EntryType.TEXT, "在吗"))
    await until(lambda: house.pipeline.depth == 1)
    async with asyncio.timeout(2):
        await house.server.close()
        await house.server.close()
    assert await visitor.closed() == Close.SHUTDOWN
    assert not [f for f in visitor.got if isinstance(f, Ack)]


async def test_port_in_use_is_told_with_what_to_do(house: GatewayHouse) -> None:
    second = GatewayServer(house.hub.services, None)
    with pytest.raises(StartError, match=f"Port {house.port} is in use.*QINGNIAO_PORT"):
        await second.start("127.0.0.1", house.port)
    await second.close()


async def test_address_that_is_not_ours_is_told(house: GatewayHouse) -> None:
    second = GatewayServer(house.hub.services, None)
    with pytest.raises(StartError, match=r"Cannot listen on 203\.0\.113\.1:"):
        await second.start("203.0.113.1", 0)


def test_nothing_listens_on_all_addresses_by_default() -> None:
    from qingniao.config import Config

    assert socket.gethostbyname(Config().host) == "127.0.0.1"
