"""Who has a conversation, as a table. Rule: every change of hands is a row of `NEXT`.

A conversation has exactly one owner: the bot, the queue, one agent, or nobody (closed). An event
that has no row for the present status is not possible, and the caller is told so.
"""

from enum import StrEnum
from typing import Final

from qingniao.errors import Refused
from qingniao.protocol.codes import Code

__all__ = ["NEXT", "Event", "Status", "Why", "next_status"]


class Status(StrEnum):
    """Who has the conversation; the words are the wire's."""

    BOT = "bot"
    WAITING = "waiting"
    OPEN = "open"
    CLOSED = "closed"


class Event(StrEnum):
    """What can happen to a conversation."""

    HANDOFF = "handoff"
    """A person is wanted: the visitor asked, or the flow decided."""
    ASSIGN = "assign"
    """The assignment worker gives it to an agent."""
    TAKE = "take"
    """An agent takes it, also from the bot or a colleague."""
    RETURN = "return"
    """An agent gives it back to the bot."""
    REQUEUE = "requeue"
    """Its agent is gone: it goes back to the queue."""
    CLOSE = "close"
    """It is over for now."""
    REOPEN = "reopen"
    """The visitor writes again."""


class Why(StrEnum):
    """Why a conversation changed hands; shown to agents in words."""

    ASKED = "asked"
    UNSURE = "unsure"
    ANGRY = "angry"
    BOT_FAILED = "bot_failed"
    BOT_CALLED = "bot_called"
    """A bot asked for a person of its own accord."""
    SENSITIVE = "sensitive"
    RULE = "rule"
    LEAST_BUSY = "least_busy"
    TOOK = "took"
    RETURNED = "returned"
    AGENT_LEFT = "agent_left"
    CLOSED = "closed"
    WROTE_AGAIN = "wrote_again"


NEXT: Final[dict[tuple[Status, Event], Status]] = {
    (Status.BOT, Event.HANDOFF): Status.WAITING,
    (Status.BOT, Event.TAKE): Status.OPEN,
    (Status.BOT, Event.CLOSE): Status.CLOSED,
    (Status.WAITING, Event.ASSIGN): Status.OPEN,
    (Status.WAITING, Event.TAKE): Status.OPEN,
    (Status.WAITING, Event.RETURN): Status.BOT,
    (Status.WAITING, Event.CLOSE): Status.CLOSED,
    (Status.OPEN, Event.TAKE): Status.OPEN,
    (Status.OPEN, Event.RETURN): Status.BOT,
    (Status.OPEN, Event.REQUEUE): Status.WAITING,
    (Status.OPEN, Event.CLOSE): Status.CLOSED,
    (Status.CLOSED, Event.HANDOFF): Status.WAITING,
    (Status.CLOSED, Event.TAKE): Status.OPEN,
    (Status.CLOSED, Event.REOPEN): Status.BOT,
}

_SAY: Final = {
    Event.HANDOFF: "A person has this conversation already, or it is waiting for one.",
    Event.ASSIGN: "The conversation is no longer waiting.",
    Event.RETURN: "The bot has this conversation already.",
    Event.CLOSE: "The conversation is closed already.",
}


def next_status(status: Status, event: Event) -> Status:
    """The status after `event`. Raises `Refused` (NOT_NOW) when the table has no such row."""
    try:
        return NEXT[status, event]
    except KeyError:
        said = _SAY.get(event, "That is not possible in the conversation's present state.")
        raise Refused(Code.NOT_NOW, said) from None
