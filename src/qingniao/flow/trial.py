"""What goes into trying a flow out, and what comes of it. Rule: plain data; a worker tries."""

from typing import Any, Literal

from msgspec import Struct

from qingniao.flow.events import About

__all__ = ["Asked", "Spoken", "Step", "Tried", "Trying"]


class Spoken(Struct, frozen=True):
    """Something said before, by whom."""

    role: Literal["visitor", "bot"]
    text: str


class Trying(Struct, frozen=True, kw_only=True):
    """What the visitor does next, in a flow that stands at `state`. Without a `text` the time is up
    that it waits for. `about`: what is to be known. `sends`: also ask other machines for what
    changes something there."""

    text: str = ""
    state: dict[str, Any] = {}
    said: tuple[Spoken, ...] = ()
    visitor: str = "visitor"
    locale: str = ""
    about: About = About()
    sends: bool = False


class Asked(Struct, frozen=True, kw_only=True):
    """What a node asked for, and what came back."""

    request: dict[str, Any]
    answer: dict[str, Any]
    took_ms: float


class Step(Struct, kw_only=True):
    """A node that was passed. `says`: what it told the visitor; `note`: what decided."""

    node: str
    kind: str
    port: str
    note: dict[str, Any]
    ms: float = 0.0
    asked: list[Asked] = []
    says: list[dict[str, Any]] = []
    rated: int = 0
    waits_s: float = 0.0


class Tried(Struct, kw_only=True):
    """Where it stands afterwards. `why`: a person was called, for this reason."""

    state: dict[str, Any]
    steps: list[Step]
    says: list[dict[str, Any]]
    why: str = ""
    waits_for: str = ""
    """The node that waits; empty: the turn is over."""
