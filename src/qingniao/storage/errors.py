"""What a database says, in our words. Rule: every driver error leaves `storage` as one of ours."""

from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from qingniao.errors import StorageError

__all__ = ["Taken", "Unreachable", "from_driver"]

_SENTENCES: Final = (
    ("disk is full", "The disk is full: the database cannot be written."),
    ("no space left", "The disk is full: the database cannot be written."),
    ("readonly", "The data folder is read-only: the database cannot be written."),
    ("read-only transaction", "The database server takes no writes: is it a standby?"),
    ("read-only", "The data folder is read-only: the database cannot be written."),
    ("unable to open", "The data folder cannot be opened or written."),
    ("not a database", "The database file is damaged: restore it from a backup."),
    ("malformed", "The database file is damaged: restore it from a backup."),
    ("database is locked", "Another process keeps the database locked."),
    ("authentication failed", "The database does not let us in: check database.url."),
    ("too many clients", "The database has no connection left: lower database.pool."),
    ("remaining connection slots", "The database has no connection left: lower database.pool."),
    ("statement timeout", "The database did not answer in time."),
    ("deadlock detected", "Two changes held each other up in the database: try again."),
)
_LOST: Final = (
    "connection was closed",
    "connection is closed",
    "connection lost",
    "connection refused",
    "connection reset",
    "connectiondoesnotexist",
    "terminating connection",
    "the database system is",  # starting up, shutting down, in recovery
    "idle-in-transaction",
)
_UNKNOWN_DATABASE: Final = ("does not exist", "InvalidCatalogNameError")


class Taken(StorageError):
    """There is one of that name already."""

    code = "taken"
    temporary = False


class Unreachable(StorageError):
    """The database cannot be reached; it will be tried again."""

    code = "unreachable"


def from_driver(exc: Exception) -> StorageError:
    """The same failure as a `StorageError` with a sentence that says what to do."""
    if isinstance(exc, PoolTimeout):
        return StorageError("The database is too busy: no connection was free in time.")
    cause = exc.orig if isinstance(exc, DBAPIError) and exc.orig is not None else exc
    said = f"{type(cause).__name__}: {cause}".lower()
    if any(sign in said for sign in _LOST):
        return Unreachable()
    if all(sign.lower() in said for sign in _UNKNOWN_DATABASE):
        return StorageError("There is no such database: create it, or check database.url.")
    for sign, sentence in _SENTENCES:
        if sign in said:
            return StorageError(sentence)
    return StorageError(f"The database refused: {type(exc).__name__}.")
