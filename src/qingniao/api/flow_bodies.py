"""What travels about flows: requests and answers as in `docs/reference/http.md`.

Rule: a drawing travels as it is stored; who saves says which draft they began from.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from qingniao.flow.check import Problem
from qingniao.flow.trial import Spoken, Tried

__all__ = [
    "FlowBack",
    "FlowChecked",
    "FlowCounts",
    "FlowDraft",
    "FlowDrawing",
    "FlowId",
    "FlowInfo",
    "FlowKind",
    "FlowKinds",
    "FlowList",
    "FlowPort",
    "FlowPublish",
    "FlowSaved",
    "FlowSecret",
    "FlowSecretList",
    "FlowTry",
    "FlowVersion",
    "Tried",
]

FlowId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Stamp = Annotated[int, Meta(ge=0)]


class FlowVersion(Struct, frozen=True, kw_only=True):
    """`updated` in milliseconds; of a draft it is also what tells it from other drafts."""

    version: int
    status: Literal["draft", "published"]
    name: str
    updated: int


class FlowInfo(Struct, frozen=True, kw_only=True):
    """A flow with its versions, newest first. `role`: what it does among the published ones, the
    reception, for its triggers, only when another calls it, or nothing yet."""

    id: str
    name: str
    versions: list[FlowVersion]
    role: Literal["reception", "triggers", "called", "idle"]
    why: str = ""
    """Why the published version cannot be walked; empty: it can."""


class FlowList(Struct, frozen=True):
    flows: list[FlowInfo]


class FlowDrawing(Struct, frozen=True, kw_only=True):
    """One version with its drawing, in today's format."""

    id: str
    version: int
    status: Literal["draft", "published"]
    name: str
    updated: int
    graph: dict[str, Any]


class FlowDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`began_from`: the `updated` of the draft that was changed, 0 if there was none."""

    graph: dict[str, Any]
    began_from: Stamp
    name: Annotated[str, Meta(max_length=128)] = ""


class FlowSaved(Struct, frozen=True, kw_only=True):
    """The draft as it is stored now, and what is still to mend before it can be published."""

    version: int
    updated: int
    problems: list[Problem]


class FlowChecked(Struct, frozen=True, kw_only=True):
    may_publish: bool
    problems: list[Problem]


class FlowPublish(Struct, frozen=True, kw_only=True):
    """`began_from`: the `updated` of the draft that was looked at."""

    began_from: Stamp


class FlowBack(Struct, frozen=True):
    version: Annotated[int, Meta(ge=1)]


class FlowTry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn. `graph`: what to try, or else the draft, or `version`. Without a `text` the time is
    up that the flow waits for. `state` and `said` come from the turn before."""

    text: Annotated[str, Meta(max_length=4_000)] = ""
    graph: dict[str, Any] | None = None
    version: Stamp = 0
    state: dict[str, Any] = {}
    said: Annotated[list[Spoken], Meta(max_length=40)] = []
    locale: Annotated[str, Meta(max_length=16)] = ""
    attributes: dict[str, Annotated[str, Meta(max_length=1_024)]] = {}
    tags: Annotated[list[str], Meta(max_length=50)] = []
    agents_online: Annotated[int, Meta(ge=0)] | None = None
    now_ms: Stamp = 0
    sends: bool = False


class FlowCounts(Struct, frozen=True, kw_only=True):
    """How often each way out was taken. An empty port: the flow rested or ended at that node; those
    who rested and left by no way have not written since."""

    version: int
    hours: int
    nodes: dict[str, dict[str, int]]


class FlowPort(Struct, frozen=True, kw_only=True):
    """A way out as it is with the settings' defaults; `must`: something has to be drawn there."""

    name: str
    must: bool
    waits: bool


class FlowKind(Struct, frozen=True, kw_only=True):
    """A kind of node; `settings` is a JSON Schema."""

    kind: str
    about: str
    settings: dict[str, Any]
    ports: list[FlowPort]


class FlowKinds(Struct, frozen=True):
    format: int
    most_nodes: int
    kinds: list[FlowKind]


class FlowSecret(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`origin` is the address's scheme and host; an empty `secret` takes it away."""

    origin: Annotated[str, Meta(max_length=256)]
    name: Annotated[str, Meta(pattern=r"^\w{1,64}$")]
    secret: Annotated[str, Meta(max_length=4_096)]


class FlowSecretList(Struct, frozen=True):
    """By origin the names of secrets; they themselves are never told."""

    secrets: dict[str, list[str]]
