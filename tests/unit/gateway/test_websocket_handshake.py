"""The opening handshake as a table: requests that are let in, and what the others are told."""

import asyncio
from typing import Any

import pytest
from gateway_house import GatewayHouse, until
from raw_wire import BINARY, Wire, frame, request

from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.frames import Hello, Welcome

BROWSER_EXTENSION = "permessage-deflate; client_max_window_bits"
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""For `KEY`, as section 1.3 of RFC 6455 has it."""


async def asked(house: GatewayHouse, head: bytes) -> tuple[int, dict[bytes, bytes], Wire]:
    """Status and fields of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(head)
    async with asyncio.timeout(5):
        lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    fields = [line.partition(b": ")[::2] for line in lines[1:] if line]
    return int(lines[0].split()[1]), {n.lower(): v for n, v in fields}, Wire(reader, writer)


LET_IN: list[dict[str, Any]] = [
    {},
    {"Connection": "keep-alive, Upgrade"},  # Firefox
    {"Connection": "upgrade"},  # nginx
    {"Connection": "UPGRADE , keep-alive"},
    {"Upgrade": "WebSocket"},
    {"Sec_WebSocket_Protocol": "future.9, qingniao.1"},
    {"Sec_WebSocket_Protocol": "future.9\r\nSec-WebSocket-Protocol: qingniao.1"},
    {"line": "GET /ws?from=page HTTP/1.1"},
    {"Sec_WebSocket_Extensions": BROWSER_EXTENSION},
    {"Sec_WebSocket_Extensions": "x-future; a=1, permessage-deflate"},
    {"Content_Length": "0"},
]


@pytest.mark.parametrize("changes", LET_IN, ids=str)
async def test_request_is_let_in(house: GatewayHouse, changes: dict[str, Any]) -> None:
    status, fields, wire = await asked(house, request(**changes))
    assert status == 101
    assert fields[b"sec-websocket-accept"] == ACCEPT
    assert fields[b"sec-websocket-protocol"] == b"qingniao.1"
    assert fields[b"upgrade"].lower() == b"websocket"
    assert fields[b"connection"].lower() == b"upgrade"
    assert b"sec-websocket-extensions" not in fields
    wire.say(frame(BINARY, MSGPACK.encode(Hello("v:7", "d1"))))
    first = await wire.hear()
    assert first is not None
    assert isinstance(MSGPACK.down(first.payload), Welcome)
    await wire.leave()


REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"Sec_WebSocket_Version": None}, 426),
    ({"Sec_WebSocket_Version": "12"}, 426),
    ({"Sec_WebSocket_Version": "8"}, 426),
    ({"Sec_WebSocket_Version": "13, 8"}, 426),
    ({"Sec_WebSocket_Version": "", "Sec_WebSocket_Protocol": None}, 426),
    ({"Sec_WebSocket_Protocol": None}, 400),
    ({"Sec_WebSocket_Protocol": "future.9"}, 400),
    ({"Sec_WebSocket_Protocol": "qingniao.1x,,"}, 400),
    # From here on picows refuses.
    ({"Sec_WebSocket_Key": None}, 400),
    ({"Sec_WebSocket_Key": ""}, 400),
    ({"Sec_WebSocket_Key": "dG9vIHNob3J0"}, 400),
    ({"Sec_WebSocket_Key": "no base64 at all!!!!!!!!"}, 400),
    ({"Connection": None}, 400),
    ({"Connection": "keep-alive"}, 400),
    ({"line": "POST /ws HTTP/1.1"}, 400),
    ({"line": "HEAD /ws HTTP/1.1"}, 400),
    ({"line": "GET /ws HTTP/1.0"}, 400),
    ({"Content_Length": "5"}, 400),
    ({"Transfer_Encoding": "chunked"}, 400),
    ({"Bad field": "x"}, 400),
]


@pytest.mark.parametrize(("changes", "status"), REFUSED, ids=str)
async def test_request_is_refused(
    house: GatewayHouse, changes: dict[str, Any], status: int
) -> None:
    got, fields, wire = await asked(house, request(**changes))
    assert got == status
    assert fields[b"connection"] == b"close"
    if status == 426:
        assert fields[b"sec-websocket-version"] == b"13"
        assert fields[b"upgrade"] == b"websocket"
    body = await wire.reader.read()
    assert len(body) == int(fields[b"content-length"]) > 10
    await wire.leave()
    await until(lambda: not house.hub.connections)


async def test_request_without_upgrade_is_ordinary_http(house: GatewayHouse) -> None:
    status, _, wire = await asked(house, request(Upgrade=None))
    assert status == 200
    await wire.leave()


async def test_handshake_and_first_message_may_come_in_any_slices(house: GatewayHouse) -> None:
    head, hello = request(), frame(BINARY, MSGPACK.encode(Hello("v:7", "d1")))
    for size in (1, 7, len(head), len(head) + 5, len(head) + len(hello)):
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        wire = Wire(reader, writer)
        await wire.say_slowly(head + hello, size)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        first = await wire.hear()
        assert first is not None
        assert isinstance(MSGPACK.down(first.payload), Welcome)
        await wire.leave()
