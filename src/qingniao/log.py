"""Logging: an event name and fields. Rule: personal data only under `pii`, never in the text.

`log.info("bot_failed", bot=3, pii={"text": …})` prints one line, for people or as JSON. `pii`
fields are left out unless the level is debug.
"""

import json
import logging
import sys
from typing import Any, Final

__all__ = ["Logger", "get_logger", "set_up_logging"]

_ROOT: Final = "qingniao"


class Logger:
    """Wraps a standard logger with keyword fields."""

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"{_ROOT}.{name}")

    def debug(self, event: str, **fields: Any) -> None:
        """For developers."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Something an operator may want to know."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Something went wrong and was dealt with."""
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, *, exc: BaseException | None = None, **fields: Any) -> None:
        """Something went wrong that somebody should look at."""
        self._log(logging.ERROR, event, fields, exc)

    def _log(
        self, level: int, event: str, fields: dict[str, Any], exc: BaseException | None = None
    ) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"fields": fields}, exc_info=exc)


def get_logger(name: str) -> Logger:
    """The logger of a room, such as `gateway`."""
    return Logger(name)


class _Formatter(logging.Formatter):
    def __init__(self, *, as_json: bool, with_pii: bool) -> None:
        super().__init__()
        self._as_json = as_json
        self._with_pii = with_pii

    def format(self, record: logging.LogRecord) -> str:
        fields = dict(getattr(record, "fields", {}))
        if not self._with_pii:
            fields.pop("pii", None)
        event = record.getMessage()
        time = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        room = record.name.removeprefix(f"{_ROOT}.")
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = repr(record.exc_info[1])
        if self._as_json:
            line = {"time": time, "level": record.levelname.lower(), "room": room, "event": event}
            return json.dumps(line | fields, ensure_ascii=False, default=str)
        words = " ".join(f"{key}={_on_one_line(value)}" for key, value in fields.items())
        text = f"{time} {record.levelname.lower():7} {room:10} {event} {words}".rstrip()
        if record.exc_info and record.levelno >= logging.ERROR:
            text += "\n" + self.formatException(record.exc_info)
        return text


def _on_one_line(value: Any) -> str:
    """What comes from outside must not look like a line of ours."""
    text = str(value)
    return text if text.isprintable() else repr(text)


def set_up_logging(level: str, form: str) -> None:
    """Send everything to standard error in the given form (`text` or `json`)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(as_json=form == "json", with_pii=level == "debug"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(_ROOT).setLevel(level.upper())
    # Their connection-by-connection chatter is not ours to print.
    logging.getLogger("picows").setLevel(logging.ERROR)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
