"""Connections to PostgreSQL: a pool of them, with a deadline for everything.

Owns the driver's connections, what the server is told about our patience, and the sentences for
what goes wrong; refuses to know a table. Rule: nothing here waits longer than the deadline, and a
connection on which something was left open is not used again.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Final, Protocol

import asyncpg

from qingniao.errors import StartError, StorageError
from qingniao.storage.errors import STATES

__all__ = ["Connection", "Connections", "Row", "from_asyncpg"]

Row = Sequence[Any]
"""One row of an answer; its columns in the order in which they were asked for."""

_IDLE_IN_TRANSACTION: Final = "5s"
"""A process that stands still with heads locked: after this the server lets go of them."""
# The internal one is what the driver says on a connection that the server is just closing.
_DRIVER: Final = (
    asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError,
    TimeoutError,
)  # fmt: skip


class Connection(Protocol):
    """The part of the driver's connection that is used here."""

    async def fetch(self, query: str, *values: Any) -> list[Row]:
        """All rows of one statement."""
        ...

    async def fetchval(self, query: str, *values: Any) -> Any:
        """The first value of its first row."""
        ...

    async def execute(self, query: str, *values: Any) -> str:
        """Without values there may be several statements."""
        ...

    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        schema_name: str,
        columns: Sequence[str],
        records: Sequence[Sequence[Any]],
    ) -> str:
        """Many new rows at once."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Committed at the end, rolled back after an exception."""
        ...


class Connections:
    """Up to `size` connections; who needs one more waits, within the deadline (policy: refuse)."""

    def __init__(self, url: str, *, size: int, deadline_s: float, lazily: bool = False) -> None:
        """`url` is a `postgresql://` one. `lazily`: a commit may return before it is on disk."""
        self._deadline_s = deadline_s
        self._is_open = False
        self._pool = asyncpg.create_pool(
            url.replace("postgresql+asyncpg://", "postgresql://", 1),
            min_size=0,  # the driver tries for ever, and loudly, to keep up any other number
            max_size=size,
            timeout=deadline_s,
            reset=_keep,
            server_settings={
                "application_name": "qingniao",
                "default_transaction_isolation": "read committed",
                "synchronous_commit": "off" if lazily else "on",
                "statement_timeout": str(int(deadline_s * 1000)),
                "lock_timeout": str(int(deadline_s * 1000)),
                "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION,
                # Everything here is looked up by its key: a plan made while a table was small must
                # not read all of it when it is large, and none is worth compiling.
                "enable_seqscan": "off",
                "jit": "off",
            },
        )

    async def open(self) -> None:
        """Connect for the first time. Raises `StartError` with a sentence for the operator."""
        try:
            await self._pool
            self._is_open = True
            async with self._pool.acquire(timeout=self._deadline_s):
                pass
        except (*_DRIVER, ValueError) as exc:
            raise StartError(f"{from_asyncpg(exc)} Is `database.url` right?") from exc

    @asynccontextmanager
    async def take(self) -> AsyncGenerator[Connection]:
        """A connection, for no longer than the deadline. Raises `StorageError`; what was asked on
        it may have been done all the same."""
        try:
            connection = await self._pool.acquire(timeout=self._deadline_s)
        except TimeoutError as exc:
            raise StorageError("PostgreSQL is too busy: no connection was free in time.") from exc
        except _DRIVER as exc:
            raise from_asyncpg(exc) from exc
        # Cutting the connection needs no answer from a server that may not give any.
        timer = asyncio.get_running_loop().call_later(self._deadline_s, _cut, connection)
        try:
            yield connection
        except BaseException as exc:
            if not isinstance(exc, asyncpg.PostgresError) or _is_left_open(connection):
                _cut(connection)
            if isinstance(exc, _DRIVER):
                raise from_asyncpg(exc) from exc
            raise
        finally:
            timer.cancel()
            await self._pool.release(connection)

    async def fetch(self, query: str, *values: Any) -> list[Row]:
        """The rows of one statement, in a transaction of its own. Raises `StorageError`."""
        async with self.take() as connection:
            return await connection.fetch(query, *values)

    @property
    def size(self) -> int:
        """Connections that are open."""
        return int(self._pool.get_size())

    async def close(self) -> None:
        """Let go of all connections; what is under way on them may end first. Idempotent."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._pool.close()
        except (*_DRIVER, asyncio.CancelledError):
            self._pool.terminate()


def from_asyncpg(exc: BaseException) -> StorageError:
    """What the driver says, as something a person can act on. Never with the URL in it."""
    match exc:
        case asyncpg.PostgresError(sqlstate=state) if state in STATES:
            text = STATES[state]
        case TimeoutError():
            text = "PostgreSQL did not answer in time."
        case asyncpg.ClientConfigurationError() | ValueError():
            text = "`database.url` is not one that PostgreSQL's driver understands."
        case (
            asyncpg.PostgresConnectionError()
            | asyncpg.InterfaceError()
            | asyncpg.InternalClientError()
            | asyncpg.AdminShutdownError()
            | asyncpg.CrashShutdownError()
            | asyncpg.IdleInTransactionSessionTimeoutError()
            | OSError()
        ):
            text = "PostgreSQL cannot be reached, or the connection to it was lost."
        case asyncpg.PostgresError():
            text = f"PostgreSQL refused: {exc.sqlstate} {type(exc).__name__}."
        case _:
            text = f"PostgreSQL's driver failed: {type(exc).__name__}."
    return StorageError(text)


def _cut(connection: Any) -> None:
    with suppress(asyncpg.InterfaceError):  # it is gone already
        connection.terminate()


def _is_left_open(connection: Any) -> bool:
    try:
        return bool(connection.is_in_transaction())
    except asyncpg.InterfaceError:
        return False  # it is gone


async def _keep(_: object) -> None:
    """A connection that is given back is as it was: what changes it is a transaction's."""
