"""Where a conversation is in its flow. Owns the state's shape and its written form.

Small, because it is stored with every answer: what lives on between turns is bounded, and what
does not fit is refused where it is set. Rule: `restore(store(state)) == state`, and a stored state
that nobody understands any more is a fresh one, never an error.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from qingniao.flow.events import About

__all__ = [
    "MAX_VALUE_CHARS",
    "MAX_VARIABLES_BYTES",
    "FlowState",
    "Value",
    "fits",
    "restore",
    "store",
]

Value = str | int | float | bool | list[str]
"""What a variable or a fact may hold."""

MAX_VARIABLES_BYTES: Final = 1_536
"""All variables of one conversation with their names, so that a waiting one takes 2 KB at most."""

MAX_VALUE_CHARS: Final = 400
"""One value of a variable; what a visitor writes beyond it is cut."""


class FlowState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`awaiting` is the tag of the event that `node` waits for; empty: the turn is over.

    `facts` and `about` belong to the question at hand and are forgotten with it; `variables` and
    `counters` live as long as the session.
    """

    node: str = ""
    awaiting: str = ""
    text: str = ""
    locale: str = "zh-CN"
    files: int = 0
    steps: int = 0
    """Acts of nodes since the visitor spoke; bounds a turn, and all that timers make of it."""
    spoke: bool = False
    """The visitor has been told something since they spoke."""
    is_idle: bool = False
    """Their silence was noticed; once is enough."""
    visitor: str = ""
    edition: str = ""
    """Which plan a waiting `node` belongs to, or the silence that is to be noticed."""
    due_ms: int = 0
    """When `Elapsed` is due, wall-clock milliseconds; 0: never. Set by whoever carries a `Wait`
    out."""
    about: About = About()
    facts: dict[str, Value] = {}
    variables: dict[str, Value] = {}
    counters: dict[str, int] = {}
    dialogues: dict[str, str] = {}
    """By bot, what its platform calls this dialogue; of no concern to a node."""


def fits(variables: Mapping[str, Value]) -> bool:
    """Is there room for these in a state?"""
    return len(msgspec.json.encode(variables)) <= MAX_VARIABLES_BYTES


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
