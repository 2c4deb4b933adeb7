"""PostgreSQL and MariaDB as Debian ships them, with the durability that they have by default.

Owns their installation, one process of each with its data on the measured disk, and what they are
asked to do. Rule: they run as their own users on a socket in the data folder, and whatever is
started here is stopped here.

They get the schema that somebody would write: one table of messages by (conversation, seq), and a
row for each conversation that says where it stands, brought up to date in the transaction of the
messages. They are spared what our log keeps besides: the marks of owed work, for which their row of
the conversation would be asked.
"""

import json
import os
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from bench.disk.counting import Disk, kept
from bench.disk.messages import Spoken, batches

from qingniao.errors import StartError

__all__ = ["MariaDB", "PostgreSQL", "install", "stored"]

_NOW: Final = 1_795_500_000_000
_READY_S: Final = 60.0
_SETTLE_S: Final = 120.0
_SCHEMA: Final = """
CREATE TABLE messages (
    conversation BIGINT NOT NULL, seq INT NOT NULL, sent_at BIGINT NOT NULL,
    sender VARCHAR(16) NOT NULL, type SMALLINT NOT NULL, device VARCHAR(32) NOT NULL,
    n INT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (conversation, seq));
CREATE TABLE heads (
    conversation BIGINT PRIMARY KEY, visitor VARCHAR(16) NOT NULL, last_seq INT NOT NULL,
    status SMALLINT NOT NULL, session INT NOT NULL, since BIGINT NOT NULL, assignee INT NOT NULL,
    assignee_name VARCHAR(64) NOT NULL, why VARCHAR(32) NOT NULL, spoken_at BIGINT NOT NULL,
    preview TEXT NOT NULL, sender VARCHAR(16) NOT NULL, devices TEXT NOT NULL){};
"""
_CHANGED: Final = (
    "last_seq", "status", "session", "since", "assignee", "assignee_name", "why", "spoken_at",
    "preview", "sender", "devices",
)  # fmt: skip


class _Server(ABC):
    """A running one. `name`, `user` and the programs are its kind's."""

    name = ""
    user = ""
    upsert = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def initialise(self) -> None:
        """Make an empty data folder."""

    @abstractmethod
    def command(self) -> list[str]:
        """What runs the server in the foreground."""

    @abstractmethod
    def client(self, database: str) -> list[str]:
        """What reads SQL from its standard input and stops at the first error."""

    @abstractmethod
    def create(self, database: str) -> None:
        """An empty database with the schema."""

    @abstractmethod
    def settle(self, database: str) -> None:
        """Write what is owed: the checkpoint."""

    @abstractmethod
    def tables(self, database: str) -> int:
        """Bytes that its tables and indexes take."""

    def ask(self, sql: str, database: str = "") -> str:
        """Run statements; what they answered. Raises `StartError`."""
        done = self.run(self.client(database), sql)
        if done.returncode:
            raise StartError(f"{self.name}: {' '.join(done.stderr.split())[:500]}")
        return done.stdout

    def run(self, command: list[str], said: str = "") -> "subprocess.CompletedProcess[str]":
        """A program as the server's user."""
        return subprocess.run(
            command, input=said, capture_output=True, text=True, timeout=_SETTLE_S,
            check=False, user=self.user, group=self.user, cwd=self.folder,
        )  # fmt: skip

    @contextmanager
    def running(self) -> Iterator[None]:
        """Started and answering inside, stopped after."""
        self.folder.mkdir(mode=0o700)
        shutil.chown(self.folder, self.user, self.user)
        self.initialise()
        with (self.folder / "said").open("wb") as said:
            process = subprocess.Popen(
                self.command(), stdout=said, stderr=said, stdin=subprocess.DEVNULL,
                user=self.user, group=self.user, cwd=self.folder,
            )  # fmt: skip
        try:
            deadline = time.monotonic() + _READY_S
            while self.run(self.client(""), "SELECT 1;").returncode:
                if process.poll() is not None or time.monotonic() > deadline:
                    text = (self.folder / "said").read_text("utf-8", "replace")
                    raise StartError(f"{self.name} did not start: {text[-800:]}")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class PostgreSQL(_Server):
    """`synchronous_commit` and `fsync` are on by default."""

    name = "PostgreSQL"
    user = "postgres"
    upsert = "ON CONFLICT (conversation) DO UPDATE SET " + ", ".join(
        f"{column} = excluded.{column}" for column in _CHANGED
    )

    @staticmethod
    def bin() -> Path | None:
        """Where Debian puts the programs."""
        return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)

    def initialise(self) -> None:
        done = self.run([
            f"{self.bin()}/initdb", "-D", "data", "-E", "UTF8", "--locale=C.UTF-8", "-A", "trust",
        ])  # fmt: skip
        if done.returncode:
            raise StartError(f"PostgreSQL: {done.stderr[-500:]}")

    def command(self) -> list[str]:
        sockets = ["-k", str(self.folder), "-c", "listen_addresses="]
        return [f"{self.bin()}/postgres", "-D", "data", *sockets]

    def client(self, database: str) -> list[str]:
        where = ["-h", str(self.folder), "-d", database or "postgres"]
        return [f"{self.bin()}/psql", *where, "-qAtX", "-v", "ON_ERROR_STOP=1"]

    def create(self, database: str) -> None:
        self.ask(f"CREATE DATABASE {database};")
        # Room in each page, so that a row that changes stays where it is.
        self.ask(_SCHEMA.format(" WITH (fillfactor = 70)"), database)

    def settle(self, database: str) -> None:
        self.ask("CHECKPOINT;")

    def tables(self, database: str) -> int:
        sizes = "SELECT pg_total_relation_size('messages') + pg_total_relation_size('heads');"
        return int(self.ask(sizes, database))


class MariaDB(_Server):
    """`innodb_flush_log_at_trx_commit` is 1 by default."""

    name = "MariaDB"
    user = "mysql"
    upsert = "ON DUPLICATE KEY UPDATE " + ", ".join(
        f"{column} = VALUES({column})" for column in _CHANGED
    )

    def initialise(self) -> None:
        done = self.run([
            "mariadb-install-db", "--no-defaults", f"--datadir={self.folder}/data",
            "--auth-root-authentication-method=normal", "--skip-test-db",
        ])  # fmt: skip
        if done.returncode:
            raise StartError(f"MariaDB: {done.stderr[-500:]}")

    def command(self) -> list[str]:
        program = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        return [
            program, "--no-defaults", f"--datadir={self.folder}/data", "--skip-networking",
            f"--socket={self.folder}/socket", f"--pid-file={self.folder}/pid",
            "--character-set-server=utf8mb4",
        ]  # fmt: skip

    def client(self, database: str) -> list[str]:
        where = [f"--socket={self.folder}/socket", "-u", "root"]
        plain = ["-N", "-B", "--default-character-set=utf8mb4"]
        return ["mariadb", "--no-defaults", *where, *plain, *([database] if database else [])]

    def create(self, database: str) -> None:
        self.ask(f"CREATE DATABASE {database} CHARACTER SET utf8mb4;")
        self.ask(_SCHEMA.format(""), database)

    def settle(self, database: str) -> None:
        before = self.ask("SELECT @@innodb_max_dirty_pages_pct;").strip()
        self.ask(
            "SET GLOBAL innodb_max_purge_lag_wait = 0; SET GLOBAL innodb_max_dirty_pages_pct = 0;"
        )
        deadline = time.monotonic() + _SETTLE_S
        while not self.ask("SHOW STATUS LIKE 'Innodb_buffer_pool_pages_dirty';").endswith("\t0\n"):
            if time.monotonic() > deadline:
                raise StartError("MariaDB did not write its pages in time.")
            time.sleep(0.05)
        self.ask(f"SET GLOBAL innodb_max_dirty_pages_pct = {before};")

    def tables(self, database: str) -> int:
        return kept((self.folder / "data" / database).glob("*.ibd"))


def install() -> list[str]:
    """What is missing, from Debian; returns what was installed. Raises `StartError`."""
    missing = [] if PostgreSQL.bin() else ["postgresql"]
    if not shutil.which("mariadbd") and not Path("/usr/sbin/mariadbd").exists():
        missing.append("mariadb-server")
    if not missing:
        return []
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise StartError(f"This bench needs the packages {' and '.join(missing)}: install them.")
    # Debian starts a server that it installs, unless this file says no.
    policy = Path("/usr/sbin/policy-rc.d")
    is_ours = not policy.exists()
    if is_ours:
        policy.write_text("#!/bin/sh\nexit 101\n", "ascii")
        policy.chmod(0o755)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet, timeout=300)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
            check=True, env=quiet, timeout=900, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as exc:
        raise StartError(f"{' and '.join(missing)} could not be installed: {exc}") from exc
    finally:
        if is_ours:
            policy.unlink()
    return missing


def stored(disk: Disk, server: _Server, count: int, size: int) -> dict[str, float]:
    """Bytes written and kept per message, `size` messages in each transaction."""
    database = f"chat_{size}"
    server.create(database)
    server.settle(database)
    before = disk.written()
    feed = subprocess.Popen(
        server.client(database), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        user=server.user, group=server.user, cwd=server.folder,
    )  # fmt: skip
    try:
        if feed.stdin is None:
            raise StartError(f"{server.name} cannot be written to.")
        with suppress(BrokenPipeError):  # its exit status says what was wrong
            for statements in _transactions(batches(count, size), server.upsert):
                feed.stdin.write(statements.encode())
            feed.stdin.close()
        if feed.wait(_SETTLE_S):
            raise StartError(f"{server.name} did not take the messages.")
    finally:
        if feed.poll() is None:
            feed.kill()
            feed.wait()
    server.settle(database)
    written = disk.written() - before
    found = int(server.ask("SELECT COUNT(*) FROM messages;", database))
    if found != count:
        raise StartError(f"{server.name} holds {found} messages, not {count}.")
    return {"bytes": round(written / count), "kept": round(server.tables(database) / count)}


def _transactions(groups: Iterable[list[Spoken]], upsert: str) -> Iterator[str]:
    devices: dict[int, dict[str, tuple[int, int]]] = {}
    columns = ", ".join(("conversation", "visitor", *_CHANGED))
    for group in groups:
        last: dict[int, Spoken] = {}
        rows = []
        for spoken in group:
            sender = _sender(spoken)
            sent = devices.setdefault(spoken.conversation, {})
            sent[f"{sender}/{spoken.device}"] = (spoken.n, spoken.seq)
            last[spoken.conversation] = spoken
            rows.append(
                _row(spoken.conversation, spoken.seq, _NOW, sender, 1, spoken.device, spoken.n,
                     spoken.text)
            )  # fmt: skip
        heads = [_head(spoken, devices[spoken.conversation]) for spoken in last.values()]
        yield (
            f"BEGIN;\nINSERT INTO messages VALUES {', '.join(rows)};\n"
            f"INSERT INTO heads ({columns}) VALUES {', '.join(heads)} {upsert};\nCOMMIT;\n"
        )


def _sender(spoken: Spoken) -> str:
    return f"a{spoken.agent}" if spoken.agent else "v"


def _head(spoken: Spoken, devices: dict[str, tuple[int, int]]) -> str:
    is_taken = spoken.seq > 1
    return _row(
        spoken.conversation, spoken.visitor, spoken.seq, 2 if is_taken else 0, 1, _NOW,
        spoken.agent, "周宁" if is_taken else "", "took" if is_taken else "", _NOW, spoken.text,
        _sender(spoken), json.dumps(devices, separators=(",", ":")),
    )  # fmt: skip


_quoted: Final[Callable[[str], str]] = "'{}'".format


def _row(*values: int | str) -> str:
    """One row of VALUES; nothing in these texts needs an escape."""
    return f"({', '.join(_quoted(v) if isinstance(v, str) else str(v) for v in values)})"
