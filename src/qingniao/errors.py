"""The one error tree.

    QingniaoError
    ├── ConfigError        a setting is wrong: refuse to start
    ├── StartError         something outside is in the way: port in use, folder locked, disk full
    ├── Busy               no room right now; `retry_after_ms` says when
    ├── StorageError       the disk or database refused
    └── Refused            a request that the domain does not allow (carries a wire code)

Rule: every class has a sentence a person can act on as its docstring, which is the default
message; `temporary` says whether the same request can succeed later.
"""

from typing import ClassVar

__all__ = ["Busy", "ConfigError", "QingniaoError", "Refused", "StartError", "StorageError"]


class QingniaoError(Exception):
    """Something went wrong inside Qingniao."""

    code: ClassVar[str] = "internal"
    temporary: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])


class ConfigError(QingniaoError):
    """A setting is wrong."""

    code = "config"


class StartError(QingniaoError):
    """Qingniao cannot start here."""

    code = "start"


class Busy(QingniaoError):
    """There is no room for this right now; try again shortly."""

    code = "busy"
    temporary = True

    def __init__(self, retry_after_ms: int, message: str | None = None) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class StorageError(QingniaoError):
    """The data folder cannot be written: is the disk full or read-only?"""

    code = "storage"
    temporary = True


class Refused(QingniaoError):
    """The conversation does not allow this."""

    code = "refused"

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number
