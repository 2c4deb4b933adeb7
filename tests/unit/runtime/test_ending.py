"""A process that was asked to end does end, whatever hangs in it.

A process of its own for each: what is tested is how one dies.
"""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from qingniao.runtime.ending import Ending

async def main(how):
    ending = Ending(0.3)
    ending.listen()
    print("up", flush=True)
    await ending.asked()
    print("asked", flush=True)
    if how == "disk":
        await asyncio.get_running_loop().run_in_executor(ThreadPoolExecutor(1), time.sleep, 60)
    elif how == "loop":
        time.sleep(60)
    elif how == "drain":
        await asyncio.sleep(60)

asyncio.run(main(sys.argv[1]))
"""


def started(how: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_that_is_done_ends_by_itself(number: signal.Signals) -> None:
    with started("done") as process:
        process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stderr is not None and process.stderr.read() == ""


@pytest.mark.parametrize("how", ["disk", "loop"])
def test_process_that_hangs_ends_at_its_deadline_and_says_so(how: str) -> None:
    with started(how) as process:
        process.terminate()
        assert process.wait(10) == 1
        assert process.stderr is not None
        said = process.stderr.read()
        assert "does the disk hang? Nothing that was acked is lost." in said
        assert len(said.splitlines()) == 1


def test_process_that_is_asked_twice_ends_at_once() -> None:
    with started("drain") as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None and process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130, "not by the deadline, whose status is 1"
        assert process.stderr is not None and "asked twice" in process.stderr.read()
