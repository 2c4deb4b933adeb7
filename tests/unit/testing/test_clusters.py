"""The handle of a cluster waits for what is said from now on, and tells what was not."""

import asyncio

import pytest

from qingniao.errors import StartError
from qingniao.testing.clusters import OwnCluster


async def test_a_second_restart_is_not_done_because_the_first_was() -> None:
    cluster = OwnCluster()
    cluster.said = ["ready", "restarted all of it"]
    cluster._reader = asyncio.create_task(asyncio.sleep(60))
    cluster._command = await asyncio.create_subprocess_exec("sleep", "60")
    with pytest.raises(StartError, match=r"in 0\.2 s:\nready"):
        await cluster.restart_all(within_s=0.2)
    await cluster.says("restarted all of it", within_s=0.2)
    cluster._reader.cancel()
    await cluster.stop()
