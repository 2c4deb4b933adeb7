"""What a flow wants done. Owns the effects; refuses to do anything.

Two sorts: *requests* (`Moderate`, `Classify`, `Search`, `AskBot`, `ChooseTeam`) are answered by an
event, and at most one of them ends a step's effects; *acts* (`Say`, `Handoff`, `Passed`) are not
answered. Rule: a worker carries effects out in order and adds none of its own.
"""

from msgspec import Struct

from qingniao.chat.lifecycle import Why
from qingniao.flow.events import Cite
from qingniao.flow.state import Value

__all__ = [
    "AskBot",
    "ChooseTeam",
    "Classify",
    "Effect",
    "Handoff",
    "Moderate",
    "Passed",
    "Request",
    "Say",
    "Search",
]


class _Effect(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="effect"):
    """Base: an effect names itself when written down."""


class Moderate(_Effect, frozen=True, tag="moderate"):
    """Look for sensitive words. Answered by `Moderated`."""

    text: str


class Classify(_Effect, frozen=True, tag="classify"):
    """Find out what it is about. Answered by `Classified`; `by_clause`: also what its parts are.

    `judge` is a bot that chooses among `labels`; empty: the house's own classifier decides. With
    `explains` the judge is told the labels in words, as a plain model needs it.
    """

    text: str
    by_clause: bool = False
    judge: str = ""
    labels: tuple[str, ...] = ()
    explains: bool = True


class Search(_Effect, frozen=True, tag="search"):
    """Look into the knowledge base. Answered by `Found` with at most `limit` hits."""

    text: str
    limit: int


class AskBot(_Effect, frozen=True, tag="ask_bot"):
    """Have a bot write an answer. Answered by `Answered`, `BotFailed` or `TimedOut`.

    What it writes is shown while it is written, unless its confidence is below `floor`. `idle_s`
    bounds each silence, `deadline_s` the whole reply. An empty `bot` is the default one.
    """

    text: str
    locale: str
    floor: float
    idle_s: float
    deadline_s: float
    bot: str = ""


class ChooseTeam(_Effect, frozen=True, tag="choose_team"):
    """Have a bot say which team it is for. Answered by `TeamChosen`, `BotFailed` or `TimedOut`.

    The choices are the teams there are; `explains` as in `Classify`.
    """

    text: str
    judge: str
    explains: bool = True


class Say(_Effect, frozen=True, tag="say"):
    """Tell the visitor. `bot` is set when a bot wrote it; `options` are offered as buttons."""

    text: str
    options: tuple[str, ...] = ()
    cites: tuple[Cite, ...] = ()
    confidence: float | None = None
    bot: str = ""
    took_ms: int = 0
    partial: bool = False
    version: str = ""


class Handoff(_Effect, frozen=True, tag="handoff"):
    """Call a person, and say why. Nothing follows it.

    Somebody of `team` is asked first; 0: anybody. `reason`: why, in a bot's own words.
    """

    why: Why
    team: int = 0
    reason: str = ""


class Passed(_Effect, frozen=True, tag="passed"):
    """A node has done its part. `port` is where it was left, empty where the flow rests or ends.

    For agents and administrators who ask why: `note` holds what decided.
    """

    node: str
    kind: str
    port: str = ""
    note: dict[str, Value] = {}


Request = Moderate | Classify | Search | AskBot | ChooseTeam
Effect = Request | Say | Handoff | Passed
