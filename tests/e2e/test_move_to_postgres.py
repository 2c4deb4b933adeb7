"""A server under load moves to PostgreSQL: nobody who was acked is missing there."""

import asyncio
from pathlib import Path

import pytest
from conftest import StartServer, run_qingniao

from qingniao.replay.house import Api
from qingniao.storage.messages_postgres import PostgresMessageLog
from qingniao.testing.history import violations
from qingniao.testing.load import Load, Size
from qingniao.testing.seat import history_of
from qingniao.testing.servers import LOADED, metric, stop_hard

pytestmark = pytest.mark.e2e


async def found(path: Path, *, is_there: bool) -> None:
    async with asyncio.timeout(30):
        while await asyncio.to_thread(path.exists) != is_there:
            await asyncio.sleep(0.05)


SIZE = Size(by_bot=6, by_people=6, agents=2, pause_s=0.005)


async def test_move_under_load_loses_and_repeats_nothing(
    start_server: StartServer, postgres_url: str
) -> None:
    server = await start_server(None, **LOADED)
    load = Load(SIZE)
    environ = {"QINGNIAO_DATA": str(server.data), "QINGNIAO_DATABASE_URL": postgres_url}
    async with load.open(server):
        talking = [asyncio.create_task(part) for part in load._parts()]
        await load.acks(300)
        moved = await run_qingniao("migrate-store", **environ)
        assert moved.code == 0, moved
        assert "asking the server to stand still" in moved.out
        await asyncio.sleep(0.5)  # what was on its way has arrived
        acked = load.acked
        with pytest.raises(TimeoutError):
            await load.acks(1, within_s=2)
        assert await metric(server.url, "standstill") == 1
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
    assert acked >= 300
    log = await PostgresMessageLog.open(postgres_url)
    found: list[str] = []
    for conversation in load.visitors:
        entries = await log.entries(conversation, 0, 100_000)
        records = [seat.record(conversation) for seat in load.seats]
        found += violations(history_of(conversation, entries, records))
    await log.close()
    assert found == []
    await stop_hard(server)
    again = await run_qingniao("serve", "--port", "0", QINGNIAO_DATA=str(server.data))
    assert again.code == 2
    assert "has moved to PostgreSQL" in again.err


async def test_server_goes_on_when_the_move_is_given_up(
    start_server: StartServer, postgres_url: str
) -> None:
    server = await start_server()
    move = server.data / "move"
    await asyncio.to_thread(move.mkdir)
    await asyncio.to_thread((move / "pause").write_text, "somebody")
    await found(move / "paused", is_there=True)
    with pytest.raises(Exception, match="moment"):
        await Api(server.url).sign_in("admin", server.password, "correct horse battery")
    # Nobody touches the file any more: after a while the server takes it away.
    await found(move / "pause", is_there=False)
    await found(move / "paused", is_there=False)
    await Api(server.url).sign_in("admin", server.password, "correct horse battery")
