"""What was said in a session, out of its entries. Owns who counts as speaking.

Rule: an earlier session is another matter: nothing before the last reopening is looked at.
"""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from qingniao.bots.base import Turn
from qingniao.chat.lifecycle import Status
from qingniao.protocol.frames import Entry, EntryType

__all__ = ["MAX_QUESTION_CHARS", "Transcript", "read"]

MAX_QUESTION_CHARS: Final = 4_000
"""Of a visitor who writes on and on, the last part counts."""

Role = Literal["visitor", "bot", "agent"]


class Transcript(Struct, frozen=True, kw_only=True):
    """`text` and `files`: what the visitor sent and nobody has answered yet. `turns`: what was said
    before, oldest first."""

    text: str
    files: int
    turns: tuple[Turn, ...]


def read(entries: Sequence[Entry], *, answered: int, asked: int) -> Transcript:
    """Fold `entries` up to `asked`; what the visitor said after `answered` is unanswered."""
    turns: list[Turn] = []
    texts: list[str] = []
    files = 0
    for entry in entries:
        if entry.seq > asked:
            break
        if _reopens(entry):
            turns, texts, files = [], [], 0
            continue
        unanswered = entry.sender == "v" and entry.seq > answered
        if unanswered and entry.type == EntryType.FILE:
            files += 1
        text = _text_of(entry)
        if text and unanswered:
            texts.append(text)
        elif text:
            turns.append(Turn(role=_role(entry.sender), text=text))
    joined = "\n".join(texts)[-MAX_QUESTION_CHARS:]
    return Transcript(text=joined, files=files, turns=tuple(turns))


def _reopens(entry: Entry) -> bool:
    body = entry.body
    return (
        entry.type == EntryType.STATUS
        and isinstance(body, dict)
        and body.get("from") == Status.CLOSED.value
    )


def _text_of(entry: Entry) -> str:
    body = entry.body
    if entry.type == EntryType.TEXT and isinstance(body, str):
        return body.strip()
    if entry.type == EntryType.ANSWER and isinstance(body, dict):
        return str(body.get("text", ""))
    return ""


def _role(sender: str) -> Role:
    if sender == "v":
        return "visitor"
    return "bot" if sender == "b" else "agent"
