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
    ("read-only", "The data folder is read-only: the database cannot be written."),
    ("unable to open", "The data folder cannot be opened or written."),
    ("not a database", "The database file is damaged: restore it from a backup."),
    ("malformed", "The database file is damaged: restore it from a backup."),
    ("database is locked", "Another process keeps the database locked."),
)
"""SQLite's, by what it says."""

_STATES: Final = {
    "25006": "The database server takes no writes: is it a standby?",
    "28000": "The database does not let us in: check database.url.",
    "28P01": "The database does not let us in: check database.url.",
    "3D000": "There is no such database: create it, or check database.url.",
    "40P01": "Two changes held each other up in the database: try again.",
    "42501": "The database does not allow this: its user needs more rights.",
    "53100": "The disk of the database server is full.",
    "53200": "The database server is out of memory.",
    "53300": "The database has no connection left: lower database.pool.",
    "57014": "The database did not answer in time.",
}
"""PostgreSQL's, by SQLSTATE."""

_LOST: Final = ("08", "57P", "25P03")
"""Connections that broke, servers that start or end, and who was idle too long."""


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
    if "ClientConfigurationError" in f"{type(cause)} {type(cause.__cause__)}":
        return StorageError("The driver does not understand this URL.")
    state = getattr(cause, "sqlstate", None) or ""
    if sentence := _STATES.get(state):
        return StorageError(sentence)
    if state.startswith(_LOST) or (isinstance(exc, DBAPIError) and exc.connection_invalidated):
        return Unreachable()
    said = str(cause).lower()
    for sign, sentence in _SENTENCES:
        if sign in said:
            return StorageError(sentence)
    return StorageError(f"The database refused: {type(exc).__name__}.")
