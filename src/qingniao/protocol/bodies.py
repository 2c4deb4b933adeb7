"""What a message may say: the shapes of bodies that clients send. Rule: one sentence per fault."""

import re
from collections.abc import Callable
from typing import Any, Final

from qingniao.protocol.frames import MAX_INT, Body, EntryType, Limits

__all__ = ["FROM_AGENT", "FROM_VISITOR", "fault_of"]

FROM_VISITOR: Final = frozenset(
    {EntryType.TEXT, EntryType.FILE, EntryType.RATING, EntryType.ACTION}
)
FROM_AGENT: Final = frozenset({EntryType.TEXT, EntryType.FILE, EntryType.NOTE, EntryType.ACTION})

_FILE_ID: Final = re.compile(r"[A-Za-z0-9_-]{16,64}\Z")
_FILE_KEYS: Final = {"id": str, "name": str, "size": int, "mime": str, "w": int, "h": int}


def _text(body: Body, limits: Limits) -> str:
    if type(body) is not str:
        return "The body of a text is a string."
    if len(body) > limits.body_chars:
        return f"The text is longer than {limits.body_chars} characters; send it in parts."
    if not body.strip():
        return "The text is empty."
    return ""


def _file(body: Body, _: Limits) -> str:
    if not isinstance(body, dict):
        return "The body of a file is the map that the upload answered."
    for key, value in body.items():
        if key not in _FILE_KEYS or type(value) is not _FILE_KEYS[key]:
            return f"The file's field {key[:40]!r} is unknown or of the wrong type."
        if isinstance(value, int) and not 0 <= value <= MAX_INT:
            return f"The file's {key} is not a number that a file can have."
    if not {"id", "name", "size", "mime"} <= body.keys():
        return "A file has an id, a name, a size and a mime type."
    if not _FILE_ID.match(body["id"]):
        return "The file's id is not one that an upload answered."
    if len(body["name"]) > 255 or len(body["mime"]) > 100:
        return "The file's name or type is too long."
    return ""


def _rating(body: Body, limits: Limits) -> str:
    if not isinstance(body, dict) or not body.keys() <= {"score", "comment", "of"}:
        return 'The body of a rating is {"score": 1–5, "comment"?, "of"?}.'
    of: Any = body.get("of", 1)
    if type(of) is not int or not 1 <= of <= MAX_INT:
        return "What a single answer's rating is of is that answer's seq."
    score: Any = body.get("score")
    if type(score) is not int or not ("of" not in body) <= score <= 5:
        return "A score is a whole number from 1 to 5, or 0 to take one of an answer back."
    comment: Any = body.get("comment", "")
    if type(comment) is not str or len(comment) > limits.body_chars:
        return f"A comment is a text of at most {limits.body_chars} characters."
    return ""


def _action(body: Body, _: Limits) -> str:
    if not isinstance(body, dict) or body.keys() != {"do"} or type(body["do"]) is not str:
        return 'The body of an action is {"do": word}.'
    return ""


_FAULTS: Final[dict[int, Callable[[Body, Limits], str]]] = {
    EntryType.TEXT: _text,
    EntryType.NOTE: _text,
    EntryType.FILE: _file,
    EntryType.RATING: _rating,
    EntryType.ACTION: _action,
}


def fault_of(entry_type: int, body: Body, limits: Limits) -> str:
    """Why a client may not send this body, in one sentence; "" when it may."""
    check = _FAULTS.get(entry_type)
    return check(body, limits) if check else "Clients do not send entries of this type."
