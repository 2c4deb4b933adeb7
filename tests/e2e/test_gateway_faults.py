"""A disk that fills up under a gateway, and has room again: nobody loses a message.

The limit on file sizes stands in for the disk. It holds for a whole process, so that the gateway
and its clients live in a child: this file, run as a program.
"""

import asyncio
import json
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

TEXT = "长" * 1_500


def test_full_disk_loses_nothing_and_needs_no_restart(tmp_path: Path) -> None:
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path / "log"), str(tests)],
        capture_output=True, timeout=50, check=False, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["failed"] > 0, "the disk was never full"
    assert told["read_while_full"] >= 10
    assert told["violations"] == told["violations_reopened"] == []
    assert told["acked"] == 40


async def _story(folder: Path) -> dict[str, Any]:
    import gateway_house

    import qingniao.client.connection
    import qingniao.gateway.connection as connection
    from qingniao.protocol.frames import Bye
    from qingniao.storage import message_engine
    from qingniao.storage.messages_rocksdb import RocksMessageLog
    from qingniao.testing.history import violations
    from qingniao.testing.seat import Seat, history_of

    # Come back soon: what is waited for here is the disk.
    qingniao.client.connection._BACKOFF_S = 0.05  # type: ignore[misc]
    message_engine._MEND_S = 0.1  # type: ignore[misc]
    connection.Bye = lambda code, text, _=0: Bye(code, text, 50)  # type: ignore[misc,assignment]

    house = gateway_house.GatewayHouse(folder)
    await house.open()
    told: dict[str, Any] = {}
    here, there = Seat(house.url, "here", "v:7"), Seat(house.url, "there", "v:7")
    async with here.client, there.client:
        for n in range(1, 11):
            await here.say(7, f"{n} {TEXT}")
        _limit(1_000)
        sending = [here.say(7, f"{n} {TEXT}") for n in range(11, 41)]
        await gateway_house.until(lambda: house.pipeline.failed > 0 and here.client.connects > 3)
        told["failed"] = house.pipeline.failed
        told["read_while_full"] = len((await here.look(7)).entries)
        _limit(resource.RLIM_INFINITY)
        async with asyncio.timeout(30):
            await asyncio.gather(*sending)
        await gateway_house.until(lambda: there.client.cursors.get(7) == 40)
        await there.look(7, pages=0, is_last=True)
        stored = await house.log.entries(7, 0, 100)
    await house.close()
    told["acked"] = here.acked
    records = [here.record(7), there.record(7)]
    told["violations"] = violations(history_of(7, stored, records))
    log = RocksMessageLog(folder)
    reopened = await log.entries(7, 0, 100)
    await log.close()
    told["violations_reopened"] = violations(history_of(7, reopened, records))
    return told


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


if __name__ == "__main__":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    sys.path.insert(0, sys.argv[2])
    print(json.dumps(asyncio.run(_story(Path(sys.argv[1])))))
