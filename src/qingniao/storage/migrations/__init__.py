"""The schema's history, in Alembic's form. Owns the list of versions this code can come from.

Rule: the list is kept here, beside the versions, so that a start can compare without loading
Alembic; a test checks that Alembic reads the same history.
"""

from typing import Final

__all__ = ["HEAD", "KNOWN"]

KNOWN: Final = ("0001", "0002", "0003", "0004", "0005")
"""Every revision, oldest first."""
HEAD: Final = KNOWN[-1]
