"""The message log in a folder, read from beside: by a process that is not the one which serves.

Owns a read-only view of RocksDB as it was when it was opened; refuses to write a byte. Rule: what
it shows was written, not necessarily synced: it is final when the serving process stands still.

Everything here blocks: call it in a thread, and always in the same one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from rocksdict import AccessType, Rdict, RdictIter

from qingniao.chat.head import Head, fold
from qingniao.chat.ports import Role
from qingniao.errors import StartError
from qingniao.storage.message_keys import (
    device_key,
    entry_key,
    entry_of,
    head_key,
    marks_prefix,
    origin_of,
    start_error,
)
from qingniao.storage.message_options import engine_options

__all__ = ["Found", "LogExport"]

_FIRST: Final = bytes(8)
_decode_head: Final = msgspec.msgpack.Decoder(Head).decode
_decode_device: Final = msgspec.msgpack.Decoder(tuple[int, int]).decode


class Found(Struct, frozen=True):
    """A conversation: its last `seq`, its snapshot, and whether the lists are behind it. The same
    again means that nothing has changed."""

    conversation: int
    last: int
    snapshot: bytes
    owes_index: bool


class LogExport:
    """What is in the folder now. Close it, and open it again to see more."""

    def __init__(self, path: Path) -> None:
        """Raises `StartError` when there is no log, or it cannot be read."""
        if not (path / "CURRENT").exists():
            raise StartError(f"There is no message log in {path}: is the data folder right?")
        options = engine_options()
        options.create_if_missing(False)
        # All tables stay open: the serving process may delete them meanwhile.
        options.set_max_open_files(-1)
        try:
            self._db = Rdict(str(path), options, access_type=AccessType.read_only(False))
        except Exception as exc:  # rocksdict raises bare Exception with the engine's sentence
            raise start_error(path, exc) from exc
        self._behind = self._marks(Role.INDEX)

    def found(self) -> Iterator[Found]:
        """All conversations, ascending."""
        heads, entries = self._db.iter(), self._db.iter()
        heads.seek(b"h" + _FIRST)
        while heads.valid() and heads.key()[:1] == b"h":
            conversation = int.from_bytes(heads.key()[1:], "big")
            yield Found(
                conversation, _last(entries, conversation), heads.value(),
                conversation in self._behind,
            )  # fmt: skip
            heads.next()

    def records(self, conversation: int, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Up to `limit` records with `seq` > `after`, ascending, with their `seq`s."""
        records: list[tuple[int, bytes]] = []
        prefix = entry_key(conversation, 0)[:9]
        cursor = self._db.iter()
        cursor.seek(entry_key(conversation, after + 1))
        while len(records) < limit and cursor.valid() and cursor.key()[:9] == prefix:
            records.append((int.from_bytes(cursor.key()[9:], "big"), cursor.value()))
            cursor.next()
        return records

    def head(self, conversation: int) -> Head:
        """Where it stands."""
        stored = self._db.get(head_key(conversation)) or b""
        head = _decode_head(stored)
        for _, record in self.records(conversation, head.last, 1 << 62):
            device, n = origin_of(record)
            fold(head, entry_of(record), device, n)
        return head

    def devices(self, conversation: int) -> list[tuple[bytes, int, int]]:
        """The devices that the head has let go, with `n` and `seq`."""
        prefix = device_key(conversation, "")
        devices: list[tuple[bytes, int, int]] = []
        cursor = self._db.iter()
        cursor.seek(prefix)
        while cursor.valid() and cursor.key()[:9] == prefix:
            devices.append((cursor.key()[9:], *_decode_device(cursor.value())))
            cursor.next()
        return devices

    def close(self) -> None:
        """Let go of the files."""
        self._db.close()

    def _marks(self, role: Role) -> set[int]:
        prefix = marks_prefix(role)
        marks: set[int] = set()
        cursor = self._db.iter()
        cursor.seek(prefix)
        while cursor.valid() and cursor.key()[:2] == prefix:
            marks.add(int.from_bytes(cursor.key()[2:], "big"))
            cursor.next()
        return marks


def _last(cursor: RdictIter, conversation: int) -> int:
    cursor.seek_for_prev(entry_key(conversation, (1 << 64) - 1))
    if cursor.valid() and cursor.key()[:9] == entry_key(conversation, 0)[:9]:
        return int.from_bytes(cursor.key()[9:], "big")
    return 0
