"""Where a conversation stands: the fold of its log. Owns `Head` and `fold`; decides nothing.

Rule: `fold` over all entries from an empty head gives the same head as any stored snapshot with
the entries after it. Read marks and the visitor's name ride along in snapshots; they are not
entries.
"""

from typing import Any, Final

from msgspec import Struct

from qingniao.chat.lifecycle import Status
from qingniao.protocol.frames import Entry, EntryType

__all__ = ["AI_DEVICE", "DEVICES_KEPT", "RATINGS_KEPT", "Head", "fold", "preview_of"]

AI_DEVICE: Final = "b"
"""Device of the bot: its `n` is the `seq` of the visitor's entry that it dealt with."""

DEVICES_KEPT: Final = 32
"""Senders remembered per head; beyond that the one silent for longest is let go. The log keeps its
number elsewhere and brings it back before a message of that device is decided."""

PREVIEW_CHARS: Final = 80

RATINGS_KEPT: Final = 16
"""Ratings that wait to be told; of more than that the oldest are only in the log."""


class Head(Struct, array_like=True):
    """The present state of one conversation. Mutable: only its owner (the log engine) folds.

    Times are wall-clock milliseconds; `asked` and `answered` are `seq`s: the bot owes an answer
    while `asked > answered` and `status` is `bot`.
    """

    conversation: int
    visitor: str
    last: int = 0
    status: Status = Status.BOT
    session: int = 1
    since: int = 0
    assignee: int = 0
    assignee_name: str = ""
    why: str = ""
    asked: int = 0
    answered: int = 0
    time: int = 0
    preview: str = ""
    sender: str = ""
    visitor_name: str = ""
    read_visitor: int = 0
    read_agent: int = 0
    flow: dict[str, Any] = {}
    devices: dict[str, tuple[int, int]] = {}
    owes_summary: bool = False
    """The visitor called a person by a button: nobody has summed up for that person yet."""
    team: int = 0
    """Which team is wanted while people have it; 0: anybody."""
    team_name: str = ""
    """What that team was called then."""
    rated: tuple[int, ...] = ()
    """`seq`s of ratings of single answers that the bots' platforms have not been told of."""

    @property
    def owes_answer(self) -> bool:
        """Is it the bot's turn?"""
        return self.status == Status.BOT and self.asked > self.answered

    @property
    def owes_bot(self) -> bool:
        """Is there anything for the bot to do: an answer, a summary for the person, a rating to
        tell of?"""
        return self.owes_answer or self.owes_summary or bool(self.rated)


def preview_of(entry_type: int, body: object) -> str:
    """One line for lists, at most 80 characters; empty for what a list does not show."""
    text = ""
    if isinstance(body, str):
        text = body if entry_type == EntryType.TEXT else ""
    elif isinstance(body, dict):
        if entry_type == EntryType.ANSWER:
            text = str(body.get("text", ""))
        elif entry_type == EntryType.FILE:
            text = f"[{body.get('name', '')}]"
    return text[:PREVIEW_CHARS]


def fold(head: Head, entry: Entry, device: str, n: int) -> tuple[str, tuple[int, int]] | None:
    """Bring `head` up to `entry`, which was sent as the `n`-th of `device` ("" for none).

    Returns the device that had to be let go for it, with its `(n, seq)`.
    """
    head.last = seq = entry.seq
    forgotten: tuple[str, tuple[int, int]] | None = None
    if device:
        devices = head.devices
        devices[device] = (n, seq)
        if len(devices) > DEVICES_KEPT:
            oldest = min(devices, key=lambda name: devices[name][1])
            forgotten = oldest, devices.pop(oldest)
    kind = entry.type
    if kind == EntryType.TEXT:
        body = entry.body
        head.preview = body[:PREVIEW_CHARS] if type(body) is str else ""
        head.time, head.sender = entry.time, entry.sender
        if entry.sender == "v":
            head.asked = seq
    elif kind == EntryType.STATUS:
        _fold_status(head, entry)
    elif kind == EntryType.SUMMARY:
        head.owes_summary = False
    elif kind == EntryType.STEP:
        _fold_step(head, entry)
    elif kind == EntryType.RATING:
        if isinstance(entry.body, dict) and "of" in entry.body:
            head.rated = (*head.rated, seq)[-RATINGS_KEPT:]
    elif kind in (EntryType.FILE, EntryType.ANSWER):
        head.preview = preview_of(kind, entry.body)
        head.time, head.sender = entry.time, entry.sender
        if entry.sender == "v":
            head.asked = seq
    return forgotten


def _fold_step(head: Head, entry: Entry) -> None:
    body = entry.body
    if not isinstance(body, dict):
        return
    head.answered = max(head.answered, body.get("answers", 0))
    head.flow = body.get("state", head.flow)
    if upto := body.get("rated"):
        head.rated = tuple(rating for rating in head.rated if rating > upto)


def _fold_status(head: Head, entry: Entry) -> None:
    body = entry.body
    if not isinstance(body, dict):
        return
    was, head.status = head.status, Status(body["to"])
    if not (was == Status.WAITING and head.status == Status.OPEN):
        # Why a person was needed says more in a list than how one was found.
        head.why = body.get("why", "")
    head.since = entry.time
    agent = body.get("agent")
    head.assignee = agent["id"] if agent else 0
    head.assignee_name = agent["name"] if agent else ""
    team = body.get("team")
    if team or head.status in (Status.BOT, Status.CLOSED):
        # Kept when it changes hands among people: whoever gets it is told for whom it was meant.
        head.team, head.team_name = (team["id"], team["name"]) if team else (0, "")
    if head.status == Status.WAITING and body.get("by") == "v":
        head.owes_summary = head.asked > 0
    elif head.status in (Status.BOT, Status.CLOSED):
        head.owes_summary = False
    session = body.get("session", head.session)
    if session != head.session:
        # A new session starts its flow afresh.
        head.session, head.flow = session, {}
    if head.status == Status.BOT:
        # What was said to a person, or before, is not the bot's to answer.
        head.answered = max(head.answered, head.asked)
