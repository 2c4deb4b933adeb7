"""A way between two processes does what it is told, on new connections as on old ones."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from qingniao.testing.drills.ways import Way

End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Far:
    """Sends back what it gets; counts who came."""

    def __init__(self) -> None:
        self.port = 0
        self.came = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        self.writers.append(writer)
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    far = Far()
    server = await asyncio.start_server(far.serve, "127.0.0.1", 0)
    far.port = server.sockets[0].getsockname()[1]
    yield far
    server.close()
    for writer in far.writers:
        writer.transport.abort()


async def dial(way: Way) -> End:
    return await asyncio.open_connection("127.0.0.1", way.port)


async def echoes(end: End, said: bytes, within_s: float = 5.0) -> bool:
    end[1].write(said)
    try:
        async with asyncio.timeout(within_s):
            return await end[0].readexactly(len(said)) == said
    except TimeoutError:
        return False


async def hang_up(*ends: End) -> None:
    for _, writer in ends:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in ends), return_exceptions=True)


async def test_a_cut_resets_what_is_there_and_what_comes(far: Far) -> None:
    async with Way(far.port) as way:
        old = await dial(way)
        assert await echoes(old, b"one")
        way.cut()
        with pytest.raises(OSError):
            await asyncio.wait_for(old[0].readexactly(1), 5)
        new = await dial(way)
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(new[0].readexactly(1), 5)
        assert far.came == 1
        way.mend()
        again = await dial(way)
        assert await echoes(again, b"two")
        await hang_up(old, new, again)


async def test_what_a_hole_swallowed_arrives_when_it_is_mended(far: Far) -> None:
    async with Way(far.port) as way:
        old = await dial(way)
        assert await echoes(old, b"one")
        way.hole()
        assert not await echoes(old, b"two", 0.1)
        new = await dial(way)
        assert not await echoes(new, b"three", 0.1)
        assert far.came == 1
        way.mend()
        assert await asyncio.wait_for(old[0].readexactly(3), 5) == b"two"
        assert await asyncio.wait_for(new[0].readexactly(5), 5) == b"three"
        await hang_up(old, new)


async def test_who_gave_up_in_a_hole_never_got_through(far: Far) -> None:
    async with Way(far.port) as way:
        way.hole()
        new = await dial(way)
        new[1].write(b"late")
        await hang_up(new)
        way.mend()
        later = await dial(way)
        assert await echoes(later, b"now")
        assert far.came == 1
        await hang_up(later)


async def test_nobody_behind_it_is_told_as_an_end(far: Far) -> None:
    async with Way(1) as way:
        end = await dial(way)
        assert await asyncio.wait_for(end[0].read(), 5) == b""
        await hang_up(end)
