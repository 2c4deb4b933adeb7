"""`{{name}}` in a text is looked up and put in; nothing else happens. Owns what a template may be.

There are no operators, calls, filters, indices or loops, and nothing is evaluated. `{{{{` stands
for two braces. Rule: rendering never raises and never looks at what it has put in, so that nothing
a visitor writes becomes a template; one that wants more than a name is refused with a sentence.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Final, Literal
from urllib.parse import quote, urlsplit

from qingniao.flow.state import Value

__all__ = [
    "MAX_RENDERED_CHARS",
    "Lookup",
    "Written",
    "escape",
    "fill",
    "json_faults",
    "mark",
    "names",
    "render",
    "render_json",
    "render_url",
    "shown",
    "template_faults",
    "unmarked",
    "url_faults",
]

MAX_RENDERED_CHARS: Final = 4_000
"""Whatever is put in, what comes out is not longer."""

Lookup = Callable[[str], Value | None]
"""The value of a name; `None` when there is none, and then nothing is put in."""

Written = Literal["text", "url", "json"]
"""Into what a value is put, which decides how it has to be written."""

_MARK: Final = re.compile("\ue000(\\w{1,64})\ue001")
"""Characters of private use, which no value is let in with: see `unmarked`."""

_PART: Final = re.compile(r"\{\{\{\{|\{\{([^{}]{0,200})\}\}")
_NAME: Final = re.compile(r"\s*([^\W\d]\w{0,63}(?:\.[^\W\d]\w{0,63})?)\s*")
_FOREIGN: Final = re.compile(r"\{%|\{#|\$\{|<%")
"""How other template languages begin a computation: whoever writes it here expects one."""


def shown(value: Value | None) -> str:
    """A value as it stands in a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e6 and value == round(value, 4) else repr(value)
    return "、".join(value) if isinstance(value, list) else str(value)


def render(text: str, lookup: Lookup) -> str:
    """`text` with its names replaced, cut at `MAX_RENDERED_CHARS`."""
    if "{{" not in text:
        return text
    return _put(text, lookup, shown)[:MAX_RENDERED_CHARS]


def render_url(text: str, lookup: Lookup) -> str:
    """An address: what is put in is percent-encoded and cannot lead to another host."""
    return _put(text, lookup, lambda value: quote(shown(value), safe=""))


def render_json(text: str, lookup: Lookup) -> str:
    """A JSON document: inside of quotes a value is escaped, outside it is a JSON value."""
    parts: list[str] = []
    end = 0
    for found in _PART.finditer(text):
        parts.append(text[end : found.start()])
        end = found.end()
        if found.group() == "{{{{":
            parts.append("{{")
            continue
        value = _value(found, lookup)
        if _is_quoted("".join(parts)):
            parts.append(json.dumps(shown(value), ensure_ascii=False)[1:-1])
        else:
            parts.append(json.dumps(value, ensure_ascii=False))
    return "".join((*parts, text[end:]))


def mark(name: str) -> str:
    """A place for a value that is put in later, by `fill`, and by somebody else."""
    return f"\ue000{name}\ue001"


def unmarked(value: Value | None) -> Value | None:
    """A value that cannot be taken for a mark."""
    if isinstance(value, str):
        return value.replace("\ue000", "").replace("\ue001", "")
    if isinstance(value, list):
        return [text.replace("\ue000", "").replace("\ue001", "") for text in value]
    return value


def fill(text: str, lookup: Callable[[str], str], written: Written) -> str:
    """`text` with its marks replaced."""

    def put(found: re.Match[str]) -> str:
        value = lookup(found.group(1))
        if written == "url":
            return quote(value, safe="")
        if written == "json":
            quoted = json.dumps(value, ensure_ascii=False)
            return quoted[1:-1] if _is_quoted(text[: found.start()]) else quoted
        return value

    return _MARK.sub(put, text)


def names(text: str) -> Iterator[str]:
    """Every name that `text` looks up."""
    for found in _PART.finditer(text):
        name = _NAME.fullmatch(found.group(1) or "")
        if name is not None:
            yield name.group(1)


def escape(text: str) -> str:
    """`text` as a template that renders to it: for texts from before there were templates."""
    return text.replace("{{", "{{{{")


def template_faults(text: str) -> Iterator[str]:
    """Say what in `text` is more than a look-up of a name."""
    for found in _PART.finditer(text):
        inner = found.group(1)
        if inner is not None and _NAME.fullmatch(inner) is None:
            yield (
                f"“{found.group()[:60]}” is not the name of a value. Only {{{{name}}}} is"
                " understood; nothing is computed."
            )
    rest = _PART.sub("", text)
    if "{{" in rest:
        yield "There is a “{{” without a name and “}}” after it; write “{{{{” for two braces."
    foreign = _FOREIGN.search(rest)
    if foreign is not None:
        yield f"“{foreign.group()}” begins code elsewhere. Only {{{{name}}}} is understood here."


def url_faults(text: str) -> Iterator[str]:
    """Say why `text` is no address: of another scheme, or with a host that depends on a value."""
    yield from template_faults(text)
    # A name stands for anything: where it is part of the host, a visitor could choose the host.
    fixed = text.partition("{{")[0]
    try:
        parts = urlsplit(_PART.sub("x", text))
        host, _ = parts.hostname, parts.port
    except ValueError:
        yield "The address cannot be read."
        return
    if parts.scheme not in ("http", "https") or not host:
        yield "An address begins with https:// or http:// and a host."
    elif "{{" in text and not re.match(r"https?://[^/?#\\]+[/?#]", fixed):
        yield "The host of an address is fixed: values can stand only after the first “/”."


def json_faults(text: str) -> Iterator[str]:
    """Say why `text` is no JSON document once its values are put in."""
    yield from template_faults(text)
    try:
        json.loads(render_json(text, lambda _: "x"))
    except (ValueError, RecursionError):
        yield "The body is not JSON."


def _put(text: str, lookup: Lookup, written: Callable[[Value | None], str]) -> str:
    def put(found: re.Match[str]) -> str:
        return "{{" if found.group() == "{{{{" else written(_value(found, lookup))

    return _PART.sub(put, text)


def _value(found: re.Match[str], lookup: Lookup) -> Value | None:
    name = _NAME.fullmatch(found.group(1))
    return lookup(name.group(1)) if name is not None else None


def _is_quoted(before: str) -> bool:
    """Is a string of JSON open at the end of `before`?"""
    quotes = re.sub(r"\\.", "", before, flags=re.DOTALL).count('"')
    return quotes % 2 == 1
