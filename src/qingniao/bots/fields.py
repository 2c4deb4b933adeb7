"""What a platform's JSON holds, read without trusting it.

Rule: nothing in here raises: a field of another kind than expected is as good as missing.
"""

from typing import Any, Final

import msgspec

__all__ = ["as_count", "as_dict", "as_list", "as_text", "decoded", "has_words", "says"]

_SAID_CHARS: Final = 200


def decoded(content: bytes | str) -> dict[str, Any] | None:
    """A JSON object, or `None` for anything else."""
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def as_text(value: object) -> str:
    """A string as it is, a number written out, everything else empty: platforms are not strict."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def as_dict(value: object) -> dict[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """A list, or an empty one."""
    return value if isinstance(value, list) else []


def as_count(value: object) -> int:
    """A number of something, such as tokens; zero for everything that is none."""
    return int(value) if isinstance(value, int | float) and value > 0 else 0


def has_words(said: str, *words: str) -> bool:
    """Does a platform's sentence speak of one of these?"""
    lower = said.lower()
    return any(word in lower for word in words)


def says(said: str) -> str:
    """A platform's own words as the end of a sentence of ours; empty if it said nothing."""
    return f" It says: {said[:_SAID_CHARS]}" if said else ""
