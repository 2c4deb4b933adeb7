"""Children that die are started again, and all of them end with their supervisor."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from qingniao.cluster.child import Program
from qingniao.cluster.supervisor import Supervisor
from qingniao.errors import StartError

READY = "import time; print('ready', flush=True); time.sleep(60)"


class Made:
    """A supervisor with what it said, and small programs for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.supervisor = Supervisor(self.said.append)

    def program(self, name: str, code: str = READY) -> Program:
        return Program(
            name, "test", [sys.executable, "-c", code], port=0, log=self.folder / f"{name}.log"
        )


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Made]:
    made = Made(tmp_path)
    yield made
    await made.supervisor.stop()


def is_alive(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def another_pid(program: Program, before: int) -> int:
    async with asyncio.timeout(20):
        while program.pid in (0, before):
            await asyncio.sleep(0.02)
    return program.pid


async def test_who_is_killed_is_started_again_and_it_is_said(made: Made) -> None:
    one, other = made.program("one"), made.program("other")
    await made.supervisor.start([one, other])
    before, untouched = one.pid, other.pid
    os.kill(before, signal.SIGKILL)
    after = await another_pid(one, before)
    assert is_alive(after) and other.pid == untouched
    async with asyncio.timeout(5):
        while len(made.said) < 2:
            await asyncio.sleep(0.01)
    assert made.said == [
        "one was ended by SIGKILL; it is started again in 0.2 s",
        f"one runs again as process {after}",
    ]


async def test_who_dies_again_and_again_is_given_more_time_each_time(made: Made) -> None:
    short = "import time; print('ready', flush=True); time.sleep(0.05); raise SystemExit(3)"
    await made.supervisor.start([made.program("one", short)])
    async with asyncio.timeout(20):
        while sum("started again" in line for line in made.said) < 3:
            await asyncio.sleep(0.02)
    waits = [line.split()[-2] for line in made.said if "started again" in line]
    assert waits[:3] == ["0.2", "0.5", "1"]
    assert "ended with status 3" in made.said[0]


async def test_who_cannot_be_started_again_for_a_while_is_tried_until_it_can(made: Made) -> None:
    one = made.program("one")
    await made.supervisor.start([one])
    log = made.folder / "one.log"
    log.unlink()
    log.mkdir()  # as a disk that takes no log
    os.kill(one.pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        while not any("does not start" in line for line in made.said):
            await asyncio.sleep(0.01)
    log.rmdir()
    async with asyncio.timeout(20):
        while not any("runs again" in line for line in made.said):
            await asyncio.sleep(0.01)


async def test_who_does_not_start_ends_the_start_with_its_last_words(made: Made) -> None:
    program = made.program("one", "raise SystemExit('no disk')")
    with pytest.raises(StartError, match=r"one ended with status 1: no disk"):
        await made.supervisor.start([program])


async def test_restart_is_silent_and_is_another_process(made: Made) -> None:
    one = made.program("one")
    await made.supervisor.start([one])
    before = one.pid
    await made.supervisor.restart(one)
    assert one.pid not in (0, before) and not is_alive(before)
    assert made.said == []
    os.kill(one.pid, signal.SIGKILL)
    await another_pid(one, one.pid)


async def test_replacement_works_before_the_old_one_ends(made: Made) -> None:
    old, new = made.program("one"), made.program("one")
    await made.supervisor.start([old])
    before = old.pid
    await made.supervisor.replace(old, new)
    assert made.supervisor.children == [new]
    assert is_alive(new.pid) and not is_alive(before) and made.said == []


async def test_a_replacement_that_does_not_start_leaves_the_old_one(made: Made) -> None:
    old = made.program("one")
    await made.supervisor.start([old])
    with pytest.raises(StartError):
        await made.supervisor.replace(old, made.program("one", "raise SystemExit(1)"))
    assert made.supervisor.children == [old] and is_alive(old.pid)


async def test_an_end_in_the_middle_of_a_replacement_ends_both(made: Made) -> None:
    old, new = made.program("one"), made.program("one", "import time; time.sleep(60)")
    await made.supervisor.start([old])
    replacing = asyncio.create_task(made.supervisor.replace(old, new))
    async with asyncio.timeout(20):
        while not new.pid:
            await asyncio.sleep(0.01)
    pids = old.pid, new.pid
    replacing.cancel()
    await asyncio.gather(replacing, return_exceptions=True)
    await made.supervisor.stop()
    assert not any(map(is_alive, pids))


async def test_stop_ends_all_also_one_that_stands_still_or_does_not_listen(made: Made) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY
    programs = [made.program("one"), made.program("frozen"), made.program("deaf", deaf)]
    await made.supervisor.start(programs[:1])
    await made.supervisor.start(programs[1:2])
    pids = [program.pid for program in programs[:2]]
    os.kill(programs[1].pid, signal.SIGSTOP)
    await made.supervisor.stop()
    assert not any(map(is_alive, pids))
    await programs[2].start()
    pid = programs[2].pid
    await programs[2].stop(0.1)
    assert not is_alive(pid)


def test_children_do_not_outlive_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import asyncio, sys
from pathlib import Path
from qingniao.cluster.child import Program
from qingniao.cluster.supervisor import Supervisor
async def main():
    one = Program("one", "test", [sys.executable, "-c", {READY!r}], port=0, log=Path("log"))
    await Supervisor(print).start([one])
    print(one.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    for _ in range(500):
        if not is_alive(pid):
            return
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("it lives on")
