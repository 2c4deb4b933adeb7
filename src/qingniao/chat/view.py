"""What each side may see of a conversation. Rule: lists and `state` frames show the same fields."""

from typing import Any

from qingniao.chat.head import Head
from qingniao.chat.lifecycle import Status
from qingniao.protocol.frames import Entry, EntryType

__all__ = ["AGENTS_ONLY", "for_visitor", "standing", "summary"]

AGENTS_ONLY = frozenset({EntryType.SUMMARY, EntryType.NOTE, EntryType.STEP})


def for_visitor(entry: Entry) -> Entry:
    """The entry as the visitor sees it: agents' matters are hidden but keep their `seq`."""
    if entry.type in AGENTS_ONLY:
        return Entry(entry.conversation, entry.seq, entry.time, "s", EntryType.HIDDEN, None)
    if entry.type == EntryType.STATUS and isinstance(entry.body, dict):
        # Why it was handed over ("angry") and to whom is for colleagues.
        body = {key: value for key, value in entry.body.items() if key not in ("why", "team")}
        return Entry(entry.conversation, entry.seq, entry.time, entry.sender, entry.type, body)
    return entry


def _assignee(head: Head) -> dict[str, Any] | None:
    if not head.assignee:
        return None
    return {"id": head.assignee, "name": head.assignee_name}


def standing(head: Head, *, agent: bool) -> dict[str, Any]:
    """The `state` fields of a conversation for one side."""
    fields: dict[str, Any] = {
        "status": head.status.value,
        "assignee": _assignee(head),
        "last": head.last,
        "session": head.session,
        "read": {"v": head.read_visitor, "a": head.read_agent},
    }
    if agent:
        fields |= {
            "why": head.why if head.status != Status.BOT else "",
            "since": head.since,
            "time": head.time,
            "preview": head.preview,
            "sender": head.sender,
            "visitor": {"id": head.visitor, "name": head.visitor_name},
            "team": {"id": head.team, "name": head.team_name} if head.team else None,
        }
    return fields


def summary(head: Head, *, online: bool) -> dict[str, Any]:
    """One item of the agents' list, as `GET /conversations` answers it."""
    return {"id": head.conversation, **standing(head, agent=True), "online": online}
