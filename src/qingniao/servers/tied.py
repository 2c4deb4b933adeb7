"""Children that do not outlive us, however we end.

Rule: the kernel sends the signal, so that nothing of ours has to be left to send it.
"""

import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

__all__ = ["start_tied", "tied"]

_starter: Final = ThreadPoolExecutor(1, "starter")
"""Lives as long as this process: a child is tied to the thread that started it, and those of an
event loop's pool end with their loop."""


def tied(signal_name: str = "TERM") -> list[str]:
    """What to put before a command so that it gets this signal when the thread that started it is
    gone. Nothing where the system has no such program."""
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", signal_name, "--"] if program else []


def start_tied(command: Sequence[str], signal_name: str = "KILL") -> "subprocess.Popen[bytes]":
    """Start it, tied to this process whichever thread asks. Blocks for a moment."""
    words = [*tied(signal_name), *command]
    return _starter.submit(
        subprocess.Popen,
        words,
        stdin=subprocess.DEVNULL,
    ).result()
