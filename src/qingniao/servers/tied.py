"""Children that do not outlive us, however we end.

Rule: the kernel sends the signal, so that nothing of ours has to be left to send it.
"""

import shutil

__all__ = ["tied"]


def tied(signal_name: str = "TERM") -> list[str]:
    """What to put before a command so that it gets this signal when the thread that started it is
    gone. Nothing where the system has no such program."""
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", signal_name, "--"] if program else []
