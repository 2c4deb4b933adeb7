"""What a flow takes out of another machine's answer. Owns the way of a path through JSON.

Rule: only plain values are taken, and short ones: a place that holds anything else holds nothing.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from qingniao.flow.state import MAX_VALUE_CHARS, Value

__all__ = ["NotJson", "taken"]

MAX_LIST: Final = 10


class NotJson(Exception):
    """The answer is no JSON document."""


def taken(content: bytes, take: Mapping[str, str]) -> dict[str, Value]:
    """For each name the value at its path; names whose place holds none are left out. Raises
    `NotJson`."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise NotJson from exc
    found: dict[str, Value] = {}
    for name, path in take.items():
        value = _plain(_at(document, path))
        if value is not None:
            found[name] = value
    return found


def _at(document: Any, path: str) -> Any:
    here = document
    for part in path.removeprefix("$.").split("."):
        if isinstance(here, dict):
            here = here.get(part)
        elif isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            here = here[int(part)]
        elif part != "$":
            return None
    return here


def _plain(value: Any) -> Value | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value[:MAX_VALUE_CHARS]
    if isinstance(value, int):
        # Beyond what JSON numbers can hold elsewhere it is an id, and every digit counts.
        return value if abs(value) < 2**53 else str(value)[:MAX_VALUE_CHARS]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return [item[:MAX_VALUE_CHARS] for item in value[:MAX_LIST]]
    return None
