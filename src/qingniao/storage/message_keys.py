"""How the message log lies in RocksDB: its keys, its records, what can be in the way.

Owns the layout on disk, for the other three files of the log; refuses to hold any state.
Rule: what is on somebody's disk keeps its meaning; new kinds of keys get a letter of their own.

Keys (big-endian, so that a conversation's entries lie together in order)::

    e <conversation:8> <seq:8>   len(device):1 device n:4 entry-frame    one entry
    h <conversation:8>           Head                                    the latest snapshot
    m <role:1> <conversation:8>  ""                                      `role` owes work
    d <conversation:8> <device>  (n, seq)                                a device the head let go
"""

from pathlib import Path
from typing import Final

import msgspec

from qingniao.chat.ports import Role
from qingniao.errors import StartError
from qingniao.protocol.frames import Entry

__all__ = [
    "device_key",
    "entry_key",
    "entry_of",
    "frame_of",
    "head_key",
    "mark_key",
    "marks_prefix",
    "origin_of",
    "record_of",
    "start_error",
]

_decode_entry: Final = msgspec.msgpack.Decoder(Entry).decode
_ROLES: Final = {Role.AI: b"a", Role.ASSIGNMENT: b"s", Role.INDEX: b"i"}


def entry_key(conversation: int, seq: int) -> bytes:
    """One entry."""
    return b"e" + conversation.to_bytes(8, "big") + seq.to_bytes(8, "big")


def head_key(conversation: int) -> bytes:
    """A conversation's snapshot."""
    return b"h" + conversation.to_bytes(8, "big")


def mark_key(role: Role, conversation: int) -> bytes:
    """`role` owes a conversation work."""
    return marks_prefix(role) + conversation.to_bytes(8, "big")


def device_key(conversation: int, device: str) -> bytes:
    """The number of a device that the head let go."""
    return b"d" + conversation.to_bytes(8, "big") + device.encode()


def record_of(device: str, n: int, frame: bytes) -> bytes:
    """An entry frame with its origin."""
    name = device.encode()
    return b"%c%b%b%b" % (len(name), name, n.to_bytes(4, "big"), frame)


def frame_of(record: bytes) -> bytes:
    """The entry frame in a record."""
    return record[5 + record[0] :]


def entry_of(record: bytes) -> Entry:
    """The entry in a record."""
    return _decode_entry(frame_of(record))


def origin_of(record: bytes) -> tuple[str, int]:
    """Who sent it, as the how-manieth: `sender/device` ("" for none) and `n`."""
    end = 1 + record[0]
    return record[1:end].decode(), int.from_bytes(record[end : end + 4], "big")


def marks_prefix(role: Role) -> bytes:
    """What the keys of a role's marks begin with; the conversation follows."""
    return b"m" + _ROLES[role]


def start_error(path: Path, exc: Exception) -> StartError:
    """What the engine said when it could not be opened, as something a person can act on."""
    reason = str(exc)
    lowered = reason.lower()
    if "/LOCK:" in reason:
        return StartError(
            f"The data folder {path.parent} is in use by another Qingniao process. "
            "Stop that one, or set QINGNIAO_DATA to another folder."
        )
    if "space" in lowered:
        return StartError(f"The disk that holds {path.parent} is full. Free some space.")
    if "permission" in lowered or "read-only" in lowered:
        return StartError(
            f"The data folder {path.parent} cannot be written. Make it writable for this user, "
            "or set QINGNIAO_DATA to another folder."
        )
    if "corrupt" in lowered:
        return StartError(
            f"The message log in {path} is damaged: restore a backup of the data folder. "
            f"The engine says: {' '.join(reason.split())[:300]}"
        )
    return StartError(f"The message log in {path} cannot be opened: {reason}")
