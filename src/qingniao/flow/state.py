"""Where a conversation is in its flow. Owns the state's shape and its written form.

Small, because it is stored with every answer. Rule: `restore(store(state)) == state`, and a stored
state that nobody understands any more is a fresh one, never an error.
"""

from typing import Any

import msgspec
from msgspec import Struct

__all__ = ["FlowState", "Value", "restore", "store"]

Value = str | int | float | bool | list[str]
"""What a variable or a fact may hold."""


class FlowState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`awaiting` is the tag of the event that `node` waits for; empty: the turn is over.

    `facts` belong to the question at hand and are forgotten with it; `variables` and `counters`
    live as long as the session.
    """

    node: str = ""
    awaiting: str = ""
    text: str = ""
    locale: str = "zh-CN"
    files: int = 0
    steps: int = 0
    """Acts of nodes since the visitor spoke; bounds a turn."""
    spoke: bool = False
    """The visitor has been told something in this turn."""
    facts: dict[str, Value] = {}
    variables: dict[str, Value] = {}
    counters: dict[str, int] = {}
    dialogues: dict[str, str] = {}
    """By bot, what its platform calls this dialogue; of no concern to a node."""


def store(state: FlowState) -> dict[str, Any]:
    """Plain data for the log. Fields at their default are left out."""
    plain: dict[str, Any] = msgspec.to_builtins(state)
    return plain


def restore(stored: dict[str, Any]) -> FlowState:
    """The state again; a fresh one if `stored` is of a shape this version does not know."""
    try:
        return msgspec.convert(stored, FlowState)
    except msgspec.ValidationError:
        return FlowState()
