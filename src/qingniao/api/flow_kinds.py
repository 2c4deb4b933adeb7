"""The kinds of node as a canvas and a page of the documentation need them: schemas and ways out.

Rule: everything is read off the kinds themselves; a setting that exists is here without being
listed.
"""

import re
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from qingniao.api.flow_bodies import FlowKind, FlowPort
from qingniao.flow.nodes import KINDS
from qingniao.flow.nodes.base import Kind
from qingniao.flow.plan import Placed, ways_out

__all__ = ["about", "kinds", "meanings"]

EXAMPLES: dict[str, dict[str, Any]] = {
    "say": {"text": {"zh-CN": "…"}},
    "buttons": {"text": {"zh-CN": "…"}, "buttons": [{"port": "one", "label": {"zh-CN": "…"}}]},
    "cards": {"text": {"zh-CN": "…"}, "cards": [{"title": {"zh-CN": "…"}}]},
    "ask": {"text": {"zh-CN": "…"}, "into": "value", "timeout_s": 600},
    "condition": {"branches": [{"port": "one", "tests": [{"name": "value", "op": "set"}]}]},
    "ask_back": {"text": {"zh-CN": "…"}, "text_alone": {"zh-CN": "…"}},
    "http": {"url": "https://api.example.com/"},
    "wait": {"for_s": 60},
    "rating": {"text": {"zh-CN": "…"}, "timeout_s": 600},
    "subflow": {"flow": "other"},
    "split": {"shares": [{"port": "one"}, {"port": "two"}]},
    "handoff": {"why": "asked", "text": {"zh-CN": "…"}},
    "intent": {"routes": [{"port": "one", "intents": ["…"]}]},
    "start": {"triggers": [{"port": "one", "on": "keyword", "words": ["…"]}]},
}
"""Settings of a node that was just drawn, with one of each thing that makes a way out."""


@cache
def kinds() -> list[FlowKind]:
    """All of them, in the palette's order."""
    return [_kind(kind) for kind in KINDS.values()]


def about(kind: Kind[Any]) -> str:
    """What it does, in a sentence or two: the first paragraph of its file."""
    module = __import__(type(kind).__module__, fromlist=["x"])
    text = " ".join((module.__doc__ or "").split("\n\n")[0].split())
    said = re.sub(r"^`\w+`: ", "", text)
    return said[:1].upper() + said[1:]


def meanings(struct: type[Struct]) -> str:
    """What its settings mean: the docstring, in one line."""
    return " ".join((struct.__doc__ or "").split())


def _kind(kind: Kind[Any]) -> FlowKind:
    settings = msgspec.convert(EXAMPLES.get(kind.name, {}), kind.settings)
    ports = [
        FlowPort(
            name=port.name,
            must=not port.otherwise and port.calls is None,
            waits=port.waits,
        )
        for port in ways_out(Placed("", kind, settings))
    ]
    schema = msgspec.json.schema(kind.settings)
    return FlowKind(kind=kind.name, about=about(kind), settings=schema, ports=ports)
