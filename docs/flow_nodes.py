"""The page of flow nodes, as found in the code. Owns how a setting's type is told.

Rule: a kind, a setting, a way out or a problem's code that exists is on the page without being
listed anywhere.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Struct
from msgspec.structs import fields

from docs.ledger import ROOT
from qingniao.api.flow_kinds import about, kinds, meanings
from qingniao.flow.engine import MAX_SAYS, MAX_STATE_BYTES, MAX_STEPS
from qingniao.flow.formats import FORMAT
from qingniao.flow.graph import MAX_EDGES, MAX_NODES
from qingniao.flow.nodes import KINDS
from qingniao.flow.state import MAX_VALUE_CHARS, MAX_VARIABLES_BYTES

__all__ = ["parts"]

Table = Callable[[Sequence[str], Iterable[Sequence[str]]], str]
FLOW: Final = ROOT / "src/qingniao/flow"


def parts(table: Table) -> dict[str, str]:
    """What the template has places for."""
    return {
        "nodes": "\n".join(_nodes(table)),
        "problems": table(("code", "what is wrong", "what to do"), _problems()),
        "format": str(FORMAT),
        "most_nodes": f"{MAX_NODES:,}",
        "most_edges": f"{MAX_EDGES:,}",
        "most_steps": str(MAX_STEPS),
        "most_says": str(MAX_SAYS),
        "state_bytes": f"{MAX_STATE_BYTES:,}",
        "variables_bytes": f"{MAX_VARIABLES_BYTES:,}",
        "value_chars": str(MAX_VALUE_CHARS),
    }


def _nodes(table: Table) -> Iterator[str]:
    told = {kind.kind: kind for kind in kinds()}
    for name, kind in KINDS.items():
        yield f"## `{name}`\n\n{about(kind)}\n"
        structs = list(_structs(kind.settings))
        for number, struct in enumerate(structs):
            if not fields(struct):
                yield "It has no settings.\n"
                continue
            if number:
                yield f"One of `{_plural(structs[0], struct)}`:\n"
            yield table(("setting", "type", "default"), _settings(struct))
            yield f"{meanings(struct)}\n"
        rows = (
            (f"`{port.name}`", "yes" if port.must else "", "yes" if port.waits else "")
            for port in told[name].ports
        )
        if told[name].ports:
            yield table(("way out", "must be drawn", "the visitor has written"), rows)
        else:
            yield "No way leads out of it.\n"


def _structs(struct: type[Struct]) -> Iterator[type[Struct]]:
    """The settings and what they are made of, each once."""
    seen: dict[type[Struct], None] = {}
    todo: list[Any] = [struct]
    while todo:
        here = todo.pop(0)
        if isinstance(here, type) and issubclass(here, Struct):
            if here not in seen:
                seen[here] = None
                todo += get_type_hints(here).values()
        else:
            todo += [arg for arg in get_args(here) if arg is not Ellipsis]
    yield from seen


def _plural(settings: type[Struct], struct: type[Struct]) -> str:
    """Which setting holds structs of this type."""
    for holder in _structs(settings):
        for name, hint in get_type_hints(holder).items():
            if struct in _inside(hint):
                return name
    return struct.__name__


def _inside(hint: Any) -> list[Any]:
    return [hint, *(inner for arg in get_args(hint) for inner in _inside(arg))]


def _settings(struct: type[Struct]) -> Iterator[tuple[str, str, str]]:
    hints = get_type_hints(struct)
    for field in fields(struct):
        default = field.default
        if default is NODEFAULT and field.default_factory is not NODEFAULT:
            default = field.default_factory()  # type: ignore[operator]
        yield f"`{field.name}`", _type(hints[field.name]), _default(default)


def _default(value: Any) -> str:
    if value is NODEFAULT:
        return "must be set"
    if value in ((), {}, "") or value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "`" + (", ".join(map(str, value)) if isinstance(value, tuple) else str(value)) + "`"


def _type(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(f"`{arg}`" for arg in args)
    if origin in (Union, UnionType):
        return " or ".join(_type(arg) for arg in args if arg is not type(None))
    if hint == dict[str, str]:
        return "text by name"
    if origin is dict:
        return f"{_type(args[1])} by name"
    if origin is tuple:
        return f"list of {_type(args[0])}"
    if isinstance(hint, type) and issubclass(hint, Struct):
        return f"{hint.__name__.lower()}"
    return {str: "text", int: "whole number", float: "number", bool: "yes or no"}.get(hint, "any")


def _problems() -> list[tuple[str, str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for path in (FLOW / "check.py", *sorted((FLOW / "nodes").glob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id not in ("Problem", "Fault"):
                continue
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            text = given.get("text", node.args[0] if node.args else None)
            for code in _words(given.get("code")):
                if code not in found:
                    found[code] = (_sentence(text), _sentence(given.get("mend")))
    return [(f"`{code}`", *said) for code, said in sorted(found.items())]


def _words(node: ast.expr | None) -> list[str]:
    """The codes an expression can be: a word, a choice between words, or one for each sort."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [*_words(node.body), *_words(node.orelse)]
    if isinstance(node, ast.JoinedStr):
        stem = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        return [f"{stem}{what}" for what in ("bot", "flow", "knowledge", "secret")]
    return []


def _sentence(node: ast.expr | None) -> str:
    """A text with its places: `…` stands for what differs."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    if isinstance(node, ast.IfExp):
        return f"{_sentence(node.body)} Or: {_sentence(node.orelse)}"
    return "…"
