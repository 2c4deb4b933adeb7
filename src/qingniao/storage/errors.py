"""What a database says, in our words. Rule: every driver error leaves `storage` as one of ours."""

from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from qingniao.errors import StorageError

__all__ = ["Taken", "from_driver"]

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


class Taken(StorageError):
    """There is one of that name already."""

    code = "taken"
    temporary = False


def from_driver(exc: SQLAlchemyError) -> StorageError:
    """The same failure as a `StorageError` with a sentence that says what to do."""
    if isinstance(exc, PoolTimeout):
        return StorageError("The database is too busy: no connection was free in time.")
    said = str(exc.orig if isinstance(exc, DBAPIError) else exc).lower()
    for sign, sentence in _SENTENCES:
        if sign in said:
            return StorageError(sentence)
    return StorageError(f"The database refused: {type(exc).__name__}.")
