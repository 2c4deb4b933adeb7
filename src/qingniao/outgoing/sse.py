"""Reading server-sent events. Owns the cutting of bytes into events; refuses to understand them.

The wire is read as real servers write it: `data:x` and `data: x`, CRLF, bare CR, comments, `id`,
unknown fields, several `data` lines, a last event without its blank line, characters split between
packets. Rule: nothing a server sends makes this raise but a line or event beyond `max_bytes`.
"""

from typing import Final

from msgspec import Struct

from qingniao.outgoing.errors import AnswerTooLong

__all__ = ["EventReader", "ServerEvent"]

MAX_EVENT_BYTES: Final = 4_194_304
"""A workflow's report of all its nodes may be long; more than this is not a chat."""
_BOM: Final = b"\xef\xbb\xbf"


class ServerEvent(Struct, frozen=True):
    """One event. `name` is empty where the server gave none; `data` lines are joined by `\\n`."""

    name: str
    data: str


class EventReader:
    """Takes bytes as they come, gives events as they are complete.

    Events without data (`event: ping`) are given too: they say that the server is alive. So do
    comments, which are given as events without a name and data.
    """

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._tail: list[bytes] = []
        self._tail_bytes = 0
        self._after_cr = False
        self._name = ""
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._is_first = True

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that `chunk` completes. Raises `AnswerTooLong`."""
        if self._after_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._after_cr = False
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n" not in chunk:
            self._keep(chunk)
            return []
        if self._tail:
            self._tail.append(chunk)
            chunk = b"".join(self._tail)
            self._tail.clear()
            self._tail_bytes = 0
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if rest:
            self._keep(rest)
        events: list[ServerEvent] = []
        for line in lines:
            self._line(line, events)
        return events

    def end(self) -> list[ServerEvent]:
        """The stream is over: an event that misses only its blank line is given all the same."""
        events: list[ServerEvent] = []
        if self._tail:
            line = b"".join(self._tail)
            self._tail.clear()
            self._line(line, events)
        self._line(b"", events)
        return events

    def _keep(self, rest: bytes) -> None:
        self._tail.append(rest)
        self._tail_bytes += len(rest)
        if self._tail_bytes > self._max_bytes:
            raise AnswerTooLong("A line of the answer never ends.")

    def _line(self, line: bytes, events: list[ServerEvent]) -> None:
        if self._is_first:
            line = line.removeprefix(_BOM)
            self._is_first = False
        if not line:
            if self._data or self._name:
                text = b"\n".join(self._data).decode("utf-8", "replace")
                events.append(ServerEvent(self._name, text))
                self._name = ""
                self._data = []
                self._data_bytes = 0
            return
        field, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            self._data_bytes += len(value) + 1
            if self._data_bytes > self._max_bytes:
                raise AnswerTooLong("An event of the answer never ends.")
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace").strip()
        elif not field and not self._data:
            events.append(ServerEvent("", ""))
        # `id`, `retry` and whatever else there may be say nothing to us.
