"""What may enter a conversation's log, and as what. Pure: `decide(head, intent, now_ms)`.

Six kinds of intent exist: a client's `Message`, the bot's `Outcome` and `Summary`, a `Reported`
about ratings, a `Move` by a worker, and a `Rename`. Rule: a decision never changes the head;
folding its entries does.
"""

from typing import Any, Final

from msgspec import Struct

from qingniao.chat.head import Head
from qingniao.chat.lifecycle import Event, Status, Why, next_status
from qingniao.errors import Refused
from qingniao.protocol.codes import Code
from qingniao.protocol.frames import Body, Entry, EntryType

__all__ = [
    "Decision",
    "Intent",
    "Message",
    "Move",
    "Outcome",
    "Rename",
    "Reported",
    "Summary",
    "Wanted",
    "decide",
]


class Message(Struct, frozen=True, gc=False):
    """A client sends. `sender` is `"v"` or `"a<id>"`; `device` is unique within the sender.

    `visitor` is the owner of the conversation as the token says it; it creates the conversation
    on the first message. `name` is the agent's, for status entries.
    """

    conversation: int
    sender: str
    device: str
    n: int
    type: int
    body: Body
    visitor: str = ""
    agent: int = 0
    name: str = ""


class Wanted(Struct, frozen=True):
    """The team that a conversation is handed to, and what it is called now."""

    id: int
    name: str


class Outcome(Struct, frozen=True):
    """What the flow made of everything up to the visitor's entry `answers`.

    `session` and the head's status must still be what they were: a late answer after a handoff is
    dropped and recorded. `says` are entries in order; `event` hands the conversation over, to
    `team` first if there is one.
    """

    conversation: int
    session: int
    answers: int
    says: tuple[tuple[EntryType, Body], ...] = ()
    event: Event | None = None
    why: str = ""
    state: dict[str, Any] = {}
    trace: tuple[dict[str, Any], ...] = ()
    team: Wanted | None = None
    message: dict[str, str] = {}
    """`bot` that answered and the `id` that its platform has for the answer, for ratings of it."""
    flow: str = ""
    """Which flow was walked, in which versions: with `trace` it says why."""
    woken: dict[str, Any] = {}
    """Not an answer: a time was up for the flow that stood there. Taken while it still does and the
    visitor has not written; otherwise it leaves no trace."""


class Summary(Struct, frozen=True, gc=False):
    """What was said so far, for the person whom the visitor called. Taken while it is owed."""

    conversation: int
    session: int
    text: str


class Reported(Struct, frozen=True):
    """What became of the visitor's ratings up to the entry `upto` on their way to the bots'
    platforms. Taken while there are such."""

    conversation: int
    upto: int
    trace: tuple[dict[str, Any], ...]


class Move(Struct, frozen=True, gc=False):
    """A worker changes hands: assignment, requeue, closing. Refused when the table has no row."""

    conversation: int
    event: Event
    why: str
    agent: int = 0
    name: str = ""
    session: int = 0
    """When not 0: only if the conversation is still in this session."""


class Rename(Struct, frozen=True, gc=False):
    """The visitor has a name now. No entry; remembered in the head."""

    conversation: int
    name: str


Intent = Message | Outcome | Summary | Reported | Move | Rename


class Decision(Struct):
    """What came of an intent. `entries` are new, in order, `seq` following the head's.

    Exactly one of: new entries; a repeat (`repeat` true: ack `n` at `seq`); refused (`code` > 0
    with a sentence, and `expected` after a hole).
    """

    intent: Intent
    entries: list[Entry]
    device: str = ""
    n: int = 0
    seq: int = 0
    repeat: bool = False
    code: int = 0
    text: str = ""
    expected: int = 0
    frames: list[bytes] = []
    """The entries as the log stored them: `entry` frames in MessagePack. Filled by the log."""
    head: Head | None = None
    """Where the conversation stands after everything that was committed with it, if there are
    entries. Filled by the log. Do not change it."""


_ACTIONS: Final = {
    "handoff": (Event.HANDOFF, Why.ASKED),
    "take": (Event.TAKE, Why.TOOK),
    "return": (Event.RETURN, Why.RETURNED),
    "close": (Event.CLOSE, Why.CLOSED),
}


def decide(head: Head, intent: Intent, now_ms: int) -> Decision:
    """What to append to `head`'s conversation. Never raises for anything a client sends."""
    try:
        if type(intent) is Message:
            return _message(head, intent, now_ms)
        if type(intent) is Outcome:
            return _outcome(head, intent, now_ms)
        if type(intent) is Move:
            return _move(head, intent, now_ms)
        if type(intent) is Summary:
            return _summary(head, intent, now_ms)
        if type(intent) is Reported:
            return _reported(head, intent, now_ms)
        return Decision(intent, [])
    except Refused as refused:
        return Decision(intent, [], code=refused.number, text=str(refused))


def _message(head: Head, m: Message, now_ms: int) -> Decision:
    device = f"{m.sender}/{m.device}"
    n, seq = head.devices.get(device, (0, 0))
    if m.n <= n:
        return Decision(m, [], device, n, seq, repeat=True)
    if m.n != n + 1:
        text = f"Message {m.n} came before {n + 1}; send {n + 1} first."
        return Decision(m, [], device, m.n, 0, code=Code.HOLE, text=text, expected=n + 1)
    status = head.status
    entries: list[Entry] = []
    kind = m.type
    if kind == EntryType.ACTION:
        entries.append(_act(head, m, now_ms))
    else:
        if m.sender == "v":
            of = m.body.get("of") if kind == EntryType.RATING and isinstance(m.body, dict) else None
            if isinstance(of, int) and of > head.last:
                raise Refused(Code.BAD_BODY, "There is no such answer to rate.")
            if status == Status.CLOSED and kind != EntryType.RATING:
                entries.append(
                    _status(head, Event.REOPEN, Why.WROTE_AGAIN, now_ms, session=head.session + 1)
                )
        elif kind != EntryType.NOTE and head.assignee != m.agent:
            if status == Status.OPEN:
                raise Refused(
                    Code.OWNED, f"{head.assignee_name} has this conversation; take it over first."
                )
            # Answering a conversation nobody has is taking it.
            entries.append(_status(head, Event.TAKE, Why.TOOK, now_ms, m.agent, m.name))
        seq = head.last + len(entries) + 1
        entries.append(Entry(head.conversation, seq, now_ms, m.sender, kind, m.body))
    return Decision(m, entries, device, m.n, head.last + len(entries))


def _act(head: Head, m: Message, now_ms: int) -> Entry:
    do = m.body.get("do") if isinstance(m.body, dict) else None
    if do not in _ACTIONS:
        raise Refused(Code.BAD_BODY, 'An action is {"do": "handoff"|"take"|"return"|"close"}.')
    event, why = _ACTIONS[do]
    if (do == "handoff") != (m.sender == "v"):
        raise Refused(Code.NOT_ALLOWED, f"You may not {do} a conversation.")
    if event == Event.HANDOFF and head.status == Status.CLOSED:
        # Asking for a person in a closed conversation opens it and asks.
        return _status(head, event, why, now_ms, by="v", session=head.session + 1)
    if event == Event.TAKE and head.status == Status.OPEN and head.assignee == m.agent:
        raise Refused(Code.NOT_NOW, "You have this conversation already.")
    agent, name = (m.agent, m.name) if event == Event.TAKE else (0, "")
    return _status(head, event, why, now_ms, agent, name, by=m.sender)


def _outcome(head: Head, o: Outcome, now_ms: int) -> Decision:
    if o.woken and (
        head.status != Status.BOT
        or head.session != o.session
        or head.flow != o.woken
        or head.owes_answer
    ):
        return Decision(o, [], repeat=True)
    late = (
        "owned" if head.status != Status.BOT
        else "session" if head.session != o.session
        else "answered" if o.answers <= head.answered and not o.woken
        else ""
    )  # fmt: skip
    if late == "answered":
        return Decision(o, [], repeat=True)
    step: dict[str, Any] = {"answers": o.answers, "trace": list(o.trace)}
    if o.flow:
        step["flow"] = o.flow
    if late:
        step["dropped"] = late
        step["unsaid"] = [body for _, body in o.says]
        if o.event is not None:
            # A person was to be called who is here already, or was.
            step["uncalled"] = {"why": o.why} | ({"team": o.team.name} if o.team else {})
    else:
        step["state"] = o.state
        if o.message:
            step["message"] = o.message
    seq = head.last + 1
    entries = [Entry(head.conversation, seq, now_ms, "b", EntryType.STEP, step)]
    if not late:
        for kind, body in o.says:
            seq += 1
            entries.append(Entry(head.conversation, seq, now_ms, "b", kind, body))
        if o.event is not None:
            moved = _status(head, o.event, o.why, now_ms, by="b", team=o.team)
            entries.append(_at(moved, seq + 1))
    return Decision(o, entries, seq=entries[-1].seq)


def _summary(head: Head, s: Summary, now_ms: int) -> Decision:
    if not head.owes_summary or head.session != s.session:
        return Decision(s, [], repeat=True)
    body = {"text": s.text}
    entry = Entry(head.conversation, head.last + 1, now_ms, "b", EntryType.SUMMARY, body)
    return Decision(s, [entry], seq=entry.seq)


def _reported(head: Head, r: Reported, now_ms: int) -> Decision:
    if not any(rating <= r.upto for rating in head.rated):
        return Decision(r, [], repeat=True)
    body = {"rated": r.upto, "trace": list(r.trace)}
    entry = Entry(head.conversation, head.last + 1, now_ms, "b", EntryType.STEP, body)
    return Decision(r, [entry], seq=entry.seq)


def _move(head: Head, m: Move, now_ms: int) -> Decision:
    if m.session and m.session != head.session:
        raise Refused(Code.NOT_NOW, "The conversation has moved on.")
    entry = _status(head, m.event, m.why, now_ms, m.agent, m.name)
    return Decision(m, [entry], seq=entry.seq)


def _status(
    head: Head, event: Event, why: str, now_ms: int, agent: int = 0, name: str = "",
    *, by: str = "s", session: int = 0, team: Wanted | None = None,
) -> Entry:  # fmt: skip
    to = next_status(head.status, event)
    body: dict[str, Any] = {
        "from": head.status.value,
        "to": to.value,
        "why": str(why),
        "by": by,
        "session": session or head.session,
    }
    if agent:
        body["agent"] = {"id": agent, "name": name}
    if team is not None:
        body["team"] = {"id": team.id, "name": team.name}
    return Entry(head.conversation, head.last + 1, now_ms, "s", EntryType.STATUS, body)


def _at(entry: Entry, seq: int) -> Entry:
    return Entry(entry.conversation, seq, entry.time, entry.sender, entry.type, entry.body)
