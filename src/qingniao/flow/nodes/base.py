"""What a kind of node is. Owns `Kind`, `Port`, `Scene`, `Act` and `Fault`; refuses to walk.

A kind decides from its settings, the scene and the event alone. Rule: it raises on nothing that a
checked flow and a well-formed event can bring. If it does all the same, the engine leaves it by
`failed`, and where that is not drawn it calls a person.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final, Generic, TypeVar

from msgspec import Struct

from qingniao.chat.lifecycle import Why
from qingniao.flow.effects import Effect
from qingniao.flow.events import About, Event
from qingniao.flow.graph import DEFAULT_LOCALE, Texts, pick
from qingniao.flow.state import Value
from qingniao.flow.templates import names, render, template_faults

__all__ = [
    "CALLED",
    "FAILED",
    "MAX_TEXT_CHARS",
    "TEAM",
    "Act",
    "Fault",
    "Kind",
    "NoSettings",
    "Port",
    "Scene",
    "Value",
    "text_faults",
    "texts_in",
]

MAX_TEXT_CHARS: Final = 2_000

FAILED: Final = "failed"
"""The way out that every node has: something went wrong inside of it."""

_REFERENCES: Final = {
    "bot": "bot",
    "judge": "bot",
    "router": "bot",
    "flow": "flow",
    "knowledge": "knowledge",
}
"""Settings of these names hold the id of something that is made elsewhere; empty: the usual one."""

_VISITOR: Final = "visitor."


class Fault(str):
    """What is wrong with a node's settings: a sentence, and beside it a `code` for programs, the
    `mend` (what to do), and `args` to put into a translation."""

    code: str
    mend: str
    args: dict[str, str | int]

    def __new__(
        cls, text: str, *, code: str = "settings", mend: str = "", **args: str | int
    ) -> "Fault":
        """A fault is its sentence."""
        fault = super().__new__(cls, text)
        fault.code, fault.mend, fault.args = code, mend, args
        return fault


CALLED: Final = "called"
"""The fact that a bot has asked for a person: why, in its words, which may be none."""

TEAM: Final = "team"
"""The fact that names the team, by its number, to which this question is to go."""


class Port(Struct, frozen=True):
    """A way out of a node. An `otherwise` names the port that is taken when nothing is drawn here.

    `speaks`: who leaves here has told the visitor something. `waits`: the visitor wrote in between.
    `calls`: when nothing is drawn here, a person is called, for this reason. `wakes`: taken when a
    time is up that the node waited for.
    """

    name: str
    otherwise: str = ""
    speaks: bool = False
    waits: bool = False
    calls: Why | None = None
    wakes: bool = False


class Scene(Struct, frozen=True, kw_only=True):
    """What a node may know: the question at hand and what was learnt about it."""

    text: str
    locale: str
    files: int
    facts: Mapping[str, Value]
    variables: Mapping[str, Value]
    counters: Mapping[str, int]
    node: str = ""
    visitor: str = ""
    about: About = About()

    def options(self) -> tuple[str, ...]:
        """Questions found so far that could have been meant."""
        found = self.facts.get("options", [])
        return tuple(found) if isinstance(found, list) else ()

    def lookup(self, name: str) -> Value | None:
        """What `{{name}}` stands for: an attribute of the visitor, a variable, something learnt
        about the question, or the question itself; `None` if there is no such thing."""
        if name.startswith(_VISITOR):
            written = self.facts.get(name)
            return self.about.attributes.get(name[len(_VISITOR) :]) if written is None else written
        for known in (self.variables, self.facts):
            if name in known:
                return known[name]
        return self.text if name == "text" else self.locale if name == "locale" else None

    def say(self, texts: Texts) -> str:
        """The text in the visitor's language, with its names looked up."""
        return render(pick(texts, self.locale), self.lookup)


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
        """Say in sentences, better in `Fault`s, what is wrong with settings of the right types."""
        return iter(())

    def templates(self, settings: S) -> Iterator[str]:
        """Every text in which names are looked up. Here: whatever has a language."""
        for texts in texts_in(settings):
            yield from texts.values()

    def reads(self, settings: S) -> Iterator[str]:
        """Every name that is looked up when the node acts."""
        for text in self.templates(settings):
            yield from names(text)

    def sets(self, settings: S) -> Iterator[str]:
        """The variables that are there after the node has acted."""
        return iter(())

    def uses(self, settings: S) -> Iterator[tuple[str, str]]:
        """What has to exist elsewhere: pairs such as `("bot", "shop")`."""
        for field, what in _REFERENCES.items():
            name = getattr(settings, field, "")
            if isinstance(name, str) and name:
                yield what, name

    def teams(self, settings: S) -> tuple[int, ...]:
        """The teams that the settings name; a flow that names one that is gone has a problem."""
        return ()

    @abstractmethod
    def enter(self, settings: S, scene: Scene) -> Act:
        """The flow arrives."""

    def resume(self, settings: S, scene: Scene, event: Event) -> Act:
        """What the node waited for is here, or a failure instead of it. For kinds that wait."""
        raise RuntimeError(f"{self.name} waits for nothing, so nothing can resume it")


def text_faults(texts: Texts, what: str) -> Iterator[Fault]:
    """Say what is wrong with a text that visitors will read."""
    if not texts.get(DEFAULT_LOCALE, "").strip():
        yield Fault(
            f"{what} is missing in {DEFAULT_LOCALE}.",
            code="text_missing",
            mend=f"Write it in {DEFAULT_LOCALE}; other languages fall back to that.",
            what=what,
        )
    for locale, text in texts.items():
        if len(text) > MAX_TEXT_CHARS:
            yield Fault(
                f"{what} is longer than {MAX_TEXT_CHARS} characters in {locale}.",
                code="text_too_long",
                mend="Shorten it, or split it over two nodes.",
                what=what,
                most=MAX_TEXT_CHARS,
                locale=locale,
            )
        for fault in template_faults(text):
            yield Fault(
                f"{what}: {fault}",
                code="template",
                mend="Leave only the name of a value between the braces.",
                what=what,
                locale=locale,
            )


def texts_in(value: Any) -> Iterator[Texts]:
    """Every text with languages in settings, however deep."""
    if isinstance(value, Struct):
        for field in value.__struct_fields__:
            yield from texts_in(getattr(value, field))
    elif isinstance(value, dict):
        if value and all(isinstance(text, str) for text in value.values()):
            yield value
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for inner in value:
            yield from texts_in(inner)
