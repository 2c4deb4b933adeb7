"""A disk that fails or is full: senders are told, nothing acked is lost, and all goes on."""

import asyncio
from pathlib import Path

import pytest
from conftest import StartServer
from needs import need, need_root

from qingniao.errors import StartError
from qingniao.testing.disks import DiskSize, fill_the_disk, fsync_fails, small_disk
from qingniao.testing.injection import can_inject

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SYNCS = DiskSize(rounds=2)
FULL = DiskSize(rounds=1)


async def test_fsync_errors_are_said_and_lose_nothing(start_server: StartServer) -> None:
    need(
        await asyncio.to_thread(can_inject),
        "Failing calls take strace, and the right to trace.",
    )
    outcome = await fsync_fails(start_server, SYNCS)
    assert outcome.violations == []
    assert outcome.figures["rounds"] == SYNCS.rounds and outcome.acked > 0


async def test_full_disk_is_said_and_loses_nothing(
    start_server: StartServer, tmp_path: Path
) -> None:
    need_root("Mounting a small disk")
    try:
        async with small_disk(tmp_path / "disk") as disk:
            outcome = await fill_the_disk(start_server, disk, FULL)
    except StartError as exc:
        if "Mounting" not in str(exc):
            raise
        need(False, str(exc))
    assert outcome.violations == []
    assert outcome.acked > 0
