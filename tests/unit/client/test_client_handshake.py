"""A server that dies while it greets: the client must not take silence for a connection."""

import asyncio

from gateway_house import until

from qingniao.client import Client


async def test_a_connection_lost_during_the_handshake_is_tried_again() -> None:
    tries = 0

    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        await reader.readuntil(b"\r\n\r\n")
        tries += 1
        writer.close()

    server = await asyncio.start_server(die, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Client(f"http://127.0.0.1:{port}", token="v:1") as client:
        await until(lambda: tries >= 2)
        assert client.connects == 0
