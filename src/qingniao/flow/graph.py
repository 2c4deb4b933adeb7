"""A flow as data: what an administrator draws. Owns the document's shape; refuses meaning.

What a node's settings mean belongs to its kind (`flow.nodes`), whether a drawing may be published
to `flow.check`. Rule: the document is stored as it was drawn; nothing in it is computed.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from qingniao.flow.formats import FORMAT, upgrade

__all__ = [
    "DEFAULT_LOCALE",
    "MAX_EDGES",
    "MAX_FLOW_BYTES",
    "MAX_NODES",
    "Edge",
    "Flow",
    "Node",
    "Texts",
    "convert",
    "decode",
    "pick",
]

DEFAULT_LOCALE: Final = "zh-CN"

MAX_FLOW_BYTES: Final = 1_048_576
"""Largest stored flow; a drawing of `MAX_NODES` usually takes about a fifth of it."""

MAX_NODES: Final = 500
"""More boxes than anybody can read in one drawing; sub-flows are for those who need more."""

MAX_EDGES: Final = 4_000

Texts = dict[str, str]
"""What is said, by locale; `zh-CN` is always there."""


class Node(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One box of the drawing. `x` and `y` are its place in pixels; the engine ignores them."""

    id: str
    kind: str
    title: Texts = {}
    settings: dict[str, Any] = {}
    x: float = 0.0
    y: float = 0.0


class Edge(Struct, frozen=True, kw_only=True):
    """One line of the drawing: from `port` of `source` to `target`."""

    source: str
    port: str
    target: str


class Flow(Struct, frozen=True, kw_only=True):
    """A whole drawing. `fallback` is said when the flow itself fails, before a person is called.

    `version` counts what was published of it, `format` how this document is to be read.
    """

    id: str
    format: int = FORMAT
    version: int = 1
    name: Texts = {}
    fallback: Texts
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()


def decode(document: bytes) -> Flow:
    """Read a flow from JSON, of this format or an older one. Raises msgspec's `DecodeError` or
    `ValidationError`, with the place, and `FlowFromNewer`."""
    if len(document) > MAX_FLOW_BYTES:
        raise msgspec.ValidationError(
            f"A flow has at most {MAX_FLOW_BYTES} bytes, got {len(document)}"
        )
    try:
        return convert(msgspec.json.decode(document))
    except RecursionError as exc:
        raise msgspec.ValidationError("The document is nested too deeply") from exc


def convert(document: object) -> Flow:
    """The same from plain data, as a database holds it. Raises `msgspec.ValidationError` and
    `FlowFromNewer`."""
    if not isinstance(document, Mapping):
        raise msgspec.ValidationError("A flow is an object")
    try:
        return msgspec.convert(upgrade(document), Flow)
    except RecursionError as exc:
        raise msgspec.ValidationError("The document is nested too deeply") from exc


def pick(texts: Texts, locale: str) -> str:
    """The text for `locale`, else for its language, else the default's; empty if there is none."""
    if locale in texts:
        return texts[locale]
    language = locale.partition("-")[0]
    for name, text in texts.items():
        if name.partition("-")[0] == language:
            return text
    return texts.get(DEFAULT_LOCALE, "")
