"""What was said in a session, out of its entries. Owns who counts as speaking.

Rule: an earlier session is another matter: nothing before the last reopening is looked at.
"""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from qingniao.bots.base import Turn
from qingniao.chat.lifecycle import Status
from qingniao.protocol.frames import Entry, EntryType
from qingniao.workers.attachments import SentFile

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
    unseen: tuple[SentFile, ...] = ()
    """What the visitor sent since a bot or a person last answered, whatever the flow said to it: a
    picture first and the question after it belong together."""


def read(entries: Sequence[Entry], *, answered: int, asked: int) -> Transcript:
    """Fold `entries` up to `asked`; what the visitor said after `answered` is unanswered."""
    turns: list[Turn] = []
    texts: list[str] = []
    files = 0
    unseen: list[SentFile] = []
    for entry in entries:
        if entry.seq > asked:
            break
        if _reopens(entry):
            turns, texts, files, unseen = [], [], 0, []
            continue
        unanswered = entry.sender == "v" and entry.seq > answered
        if unanswered and entry.type == EntryType.FILE:
            files += 1
        if entry.type == EntryType.FILE and entry.sender == "v" and isinstance(entry.body, dict):
            unseen.append(SentFile(str(entry.body.get("id")), str(entry.body.get("name"))))
        elif _answers(entry):
            unseen = []
        text = _text_of(entry)
        if text and unanswered:
            texts.append(text)
        elif text:
            turns.append(Turn(role=_role(entry.sender), text=text))
    joined = "\n".join(texts)[-MAX_QUESTION_CHARS:]
    return Transcript(text=joined, files=files, turns=tuple(turns), unseen=tuple(unseen))


def _reopens(entry: Entry) -> bool:
    body = entry.body
    return (
        entry.type == EntryType.STATUS
        and isinstance(body, dict)
        and body.get("from") == Status.CLOSED.value
    )


def _answers(entry: Entry) -> bool:
    """Did somebody answer who has seen what was sent? What a flow says by itself does not count."""
    if entry.type == EntryType.ANSWER:
        return isinstance(entry.body, dict) and bool(entry.body.get("bot"))
    return entry.type == EntryType.TEXT and entry.sender.startswith("a")


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
