"""What nodes have in common that wait for a visitor's reply. Owns how long, and what they offer.

Rule: a node that asks leaves by `silent` when its time is up; without a time it waits for ever, and
a reply after a day still finds it.
"""

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from qingniao.flow.effects import Effect, Wait
from qingniao.flow.graph import Texts
from qingniao.flow.nodes.base import Fault, Port, Scene, text_faults
from qingniao.flow.state import MAX_VALUE_CHARS, Value

__all__ = [
    "MAX_BUTTONS",
    "MAX_WAIT_S",
    "NAME_MEND",
    "RESERVED",
    "SILENT",
    "Choice",
    "choice_faults",
    "kept",
    "name_faults",
    "silent_port",
    "timeout_faults",
    "timer",
    "wordless",
]

SILENT: Final = "silent"
MAX_BUTTONS: Final = 10
MAX_WAIT_S: Final = 30 * 86_400.0
RESERVED: Final = frozenset({"text", "locale", "offered", "options", "agents_online", "now"})
"""Names that a flow may read and not set."""

NAME_MEND: Final = "Letters, digits and _ make a name, and a letter begins it."
_NAME: Final = re.compile(r"[^\W\d]\w{0,63}")


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    """One of several: `label` is what the visitor sees, `value` what is kept (empty: the label)."""

    label: Texts
    value: str = ""


def silent_port(timeout_s: float) -> tuple[Port, ...]:
    """The way out when nobody replies, if there is a time for that."""
    return (Port(SILENT, speaks=True, wakes=True),) if timeout_s else ()


def timer(timeout_s: float) -> tuple[Effect, ...]:
    """What makes the time run."""
    return (Wait(for_s=timeout_s),) if timeout_s else ()


def wordless(scene: Scene) -> bool:
    """Did the visitor send nothing but files?"""
    return bool(scene.files) and not scene.text.strip()


def kept(value: Value) -> Value:
    """A value as a variable keeps it."""
    if isinstance(value, str):
        return value.strip()[:MAX_VALUE_CHARS]
    if isinstance(value, list):
        return [text[:MAX_VALUE_CHARS] for text in value[:10]]
    return value


def timeout_faults(timeout_s: float) -> Iterator[Fault]:
    """Say what is wrong with a time to wait for a reply."""
    if timeout_s and not 5.0 <= timeout_s <= MAX_WAIT_S:
        yield Fault(
            "The time to wait for a reply is between 5 seconds and 30 days; 0 is for ever.",
            code="timeout",
            mend="Give seconds in that range.",
        )


def name_faults(name: str) -> Iterator[Fault]:
    """Say why no variable can be called so."""
    if not _NAME.fullmatch(name) or name in RESERVED:
        yield Fault(
            f"A variable cannot be called {name[:80]!r}.",
            code="variable_name",
            mend=NAME_MEND,
            name=name[:80],
        )


def choice_faults(labels: tuple[Texts, ...]) -> Iterator[Fault]:
    """Say what is wrong with the things offered."""
    if not 1 <= len(labels) <= MAX_BUTTONS:
        yield Fault(
            f"Between 1 and {MAX_BUTTONS} things can be offered.",
            code="choices",
            mend="Add or remove some; several questions in a row can offer more.",
            most=MAX_BUTTONS,
        )
    for number, label in enumerate(labels, 1):
        yield from text_faults(label, f"Label {number}")
