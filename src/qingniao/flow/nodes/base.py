"""What a kind of node is. Owns `Kind`, `Port`, `Scene` and `Act`; refuses to walk the graph.

A kind decides from its settings, the scene and the event alone. Rule: it never raises on anything a
checked flow and a well-formed event can bring; the engine has no other net under it than calling a
person.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, Final, Generic, TypeVar

from msgspec import Struct

from qingniao.chat.lifecycle import Why
from qingniao.flow.effects import Effect
from qingniao.flow.events import Event
from qingniao.flow.graph import DEFAULT_LOCALE, Texts
from qingniao.flow.state import Value

__all__ = [
    "CALLED",
    "MAX_TEXT_CHARS",
    "TEAM",
    "Act",
    "Kind",
    "NoSettings",
    "Port",
    "Scene",
    "Value",
    "text_faults",
]

MAX_TEXT_CHARS: Final = 2_000

CALLED: Final = "called"
"""The fact that a bot has asked for a person: why, in its words, which may be none."""

TEAM: Final = "team"
"""The fact that names the team, by its number, to which this question is to go."""


class Port(Struct, frozen=True):
    """A way out of a node. An `otherwise` names the port that is taken when nothing is drawn here.

    `speaks`: who leaves here has told the visitor something. `waits`: the visitor wrote in between.
    `calls`: when nothing is drawn here, a person is called, for this reason.
    """

    name: str
    otherwise: str = ""
    speaks: bool = False
    waits: bool = False
    calls: Why | None = None


class Scene(Struct, frozen=True, kw_only=True):
    """What a node may know: the question at hand and what was learnt about it."""

    text: str
    locale: str
    files: int
    facts: Mapping[str, Value]
    variables: Mapping[str, Value]
    counters: Mapping[str, int]

    def options(self) -> tuple[str, ...]:
        """Questions found so far that could have been meant."""
        found = self.facts.get("options", [])
        return tuple(found) if isinstance(found, list) else ()


class Act(Struct, frozen=True, kw_only=True):
    """What a node does. Exactly one of: leave by `port`; rest until the event `awaits`; `ends`.

    `facts`, `variables` and `counters` are merged into the state; `text` replaces the question.
    """

    effects: tuple[Effect, ...] = ()
    port: str = ""
    awaits: str = ""
    ends: bool = False
    facts: Mapping[str, Value] = {}
    variables: Mapping[str, Value] = {}
    counters: Mapping[str, int] = {}
    note: Mapping[str, Value] = {}
    text: str | None = None


class NoSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """For kinds that have nothing to set."""


S = TypeVar("S", bound=Struct)


class Kind(ABC, Generic[S]):
    """One kind of node; one object of it serves all flows and holds no state."""

    name: ClassVar[str]
    settings: type[S]

    @abstractmethod
    def ports(self, settings: S) -> tuple[Port, ...]:
        """The ways out. None: a flow ends here."""

    def faults(self, settings: S) -> Iterator[str]:
        """Say in sentences what is wrong with settings of the right types."""
        return iter(())

    def teams(self, settings: S) -> tuple[int, ...]:
        """The teams that the settings name; a flow that names one that is gone has a problem."""
        return ()

    @abstractmethod
    def enter(self, settings: S, scene: Scene) -> Act:
        """The flow arrives."""

    def resume(self, settings: S, scene: Scene, event: Event) -> Act:
        """What the node waited for is here, or a failure instead of it. For kinds that wait."""
        raise RuntimeError(f"{self.name} waits for nothing, so nothing can resume it")


def text_faults(texts: Texts, what: str) -> Iterator[str]:
    """Say what is wrong with a text that visitors will read."""
    if not texts.get(DEFAULT_LOCALE, "").strip():
        yield f"{what} is missing in {DEFAULT_LOCALE}."
    for locale, text in texts.items():
        if len(text) > MAX_TEXT_CHARS:
            yield f"{what} is longer than {MAX_TEXT_CHARS} characters in {locale}."
