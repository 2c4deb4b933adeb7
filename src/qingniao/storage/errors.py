"""What a database says, in our words. Rule: every driver error leaves `storage` as one of ours."""

from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from qingniao.errors import StorageError

__all__ = ["STATES", "Taken", "Unreachable", "from_driver"]

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

STATES: Final = {
    "25006": "This PostgreSQL can only be read: it is a replica.",
    "28000": "PostgreSQL does not let us in: check the user and password in database.url.",
    "28P01": "PostgreSQL does not let us in: check the user and password in database.url.",
    "3D000": "There is no such database: PostgreSQL has no database of this name.",
    "40P01": "Two changes held each other up in the database: try again.",
    "42501": "PostgreSQL does not allow this user to do that: it needs more rights.",
    "53100": "The disk of PostgreSQL is full.",
    "53200": "PostgreSQL is out of memory.",
    "53300": "PostgreSQL has no connection left for us: raise its max_connections, or lower "
    "database.pool.",
    "55P03": "PostgreSQL did not answer in time.",
    "57014": "PostgreSQL did not answer in time.",
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
    if sentence := STATES.get(state):
        return StorageError(sentence)
    if state.startswith(_LOST) or (isinstance(exc, DBAPIError) and exc.connection_invalidated):
        return Unreachable()
    said = str(cause).lower()
    for sign, sentence in _SENTENCES:
        if sign in said:
            return StorageError(sentence)
    return StorageError(f"The database refused: {type(exc).__name__}.")
