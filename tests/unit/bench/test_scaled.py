"""What the benches of several processes count: everything of a process, its children included."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from bench.node_50k import Plan  # noqa: E402  the benches are not part of the package
from bench.scaled.processes import cpu_s, kernel_bytes, pss_bytes  # noqa: E402

_BUSY = "import time\nwhile time.process_time() < 0.5: pass\n"
_HOLDING = "held = bytearray(b'x' * 50_000_000)\n"
_SAY = "print('ready', flush=True); input()\n"


def child(script: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    return process


def test_memory_is_that_of_a_process_and_its_children() -> None:
    grandchild = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_HOLDING + _SAY!r}])"
    )
    with child(grandchild) as parent:
        whole = pss_bytes([parent.pid])
        parent.communicate(b"\n")
    assert 50_000_000 < whole < 150_000_000
    assert pss_bytes([parent.pid]) == 0, "it has ended"


def test_cpu_counts_children_that_have_ended() -> None:
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_BUSY!r}])\n{_SAY}"
    with child(script) as parent:
        used = cpu_s([parent.pid])
        parent.communicate(b"\n")
    assert used >= 0.4  # it is counted in ticks
    assert cpu_s([os.getpid()]) > 0


def test_the_kernel_keeps_more_than_nothing() -> None:
    assert 1_000_000 < kernel_bytes() < 10**13


def test_every_connection_is_somebodys_and_no_conversation_two() -> None:
    for quick in (True, False):
        plan = Plan(quick)
        shares = list(plan.shares())
        assert sum(silent + plan.visitors + 5 for _, silent in shares) == plan.connections
        assert all(silent + plan.visitors + 5 < 19_000 for _, silent in shares), "files"
        ends = [first + plan.visitors + silent for first, silent in shares]
        assert all(end <= first for end, (first, _) in zip(ends, shares[1:], strict=False))
