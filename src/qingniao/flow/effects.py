"""What a flow wants done. Owns the effects; refuses to do anything.

Two sorts: *requests* (`Moderate`, `Classify`, `Search`, `Fetch`, `Remember`, `AskBot`,
`ChooseTeam`) are answered by an event, and at most one of them ends a step's effects; *acts*
(`Say`, `Rate`, `Wait`, `Handoff`, `Passed`) are not answered. Rule: a worker carries effects out in
order and adds none of its own.
"""

from msgspec import Struct

from qingniao.chat.lifecycle import Why
from qingniao.flow.events import Cite
from qingniao.flow.state import Value

__all__ = [
    "AskBot",
    "Card",
    "ChooseTeam",
    "Classify",
    "Effect",
    "Fetch",
    "Handoff",
    "Moderate",
    "Passed",
    "Rate",
    "Remember",
    "Request",
    "Say",
    "Search",
    "Wait",
]


class _Effect(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="effect"):
    """Base: an effect names itself when written down."""


class Moderate(_Effect, frozen=True, tag="moderate"):
    """Look for sensitive words. Answered by `Moderated` within `within_s`; 0: the house's limit."""

    text: str
    within_s: float = 0.0


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
    """Look into the knowledge base. Answered by `Found` with at most `limit` hits, within
    `within_s`; 0: the house's limit."""

    text: str
    limit: int
    within_s: float = 0.0


class Fetch(_Effect, frozen=True, tag="fetch"):
    """Ask another machine over HTTP. Answered by `Fetched`, `ServiceFailed` or `TimedOut`.

    `{{secret.name}}` still stands in it: secrets are put in by whoever sends, and are in no state,
    no trace and no history. `take`: for each name the place of its value in the JSON that comes
    back, such as `data.items.0.no`. `deadline_s` bounds all of it.
    """

    method: str
    url: str
    headers: dict[str, str] = {}
    body: str = ""
    take: dict[str, str] = {}
    deadline_s: float = 10.0


class Remember(_Effect, frozen=True, tag="remember"):
    """Write down about the visitor. Answered by `Remembered`, `ServiceFailed` or `TimedOut`."""

    attributes: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    untag: tuple[str, ...] = ()


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


class Card(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A thing to look at: `image` and `link` are addresses, `options` buttons below it."""

    title: str
    text: str = ""
    image: str = ""
    link: str = ""
    options: tuple[str, ...] = ()


class ChooseTeam(_Effect, frozen=True, tag="choose_team"):
    """Have a bot say which team it is for. Answered by `TeamChosen`, `BotFailed` or `TimedOut`.

    The choices are the teams there are; `explains` as in `Classify`.
    """

    text: str
    judge: str
    explains: bool = True


class Say(_Effect, frozen=True, tag="say"):
    """Tell the visitor. `bot` is set when a bot wrote it; `options` are offered as buttons. With
    `cards`, `text` says the same for those who cannot see them."""

    text: str
    options: tuple[str, ...] = ()
    cites: tuple[Cite, ...] = ()
    confidence: float | None = None
    bot: str = ""
    took_ms: int = 0
    partial: bool = False
    version: str = ""
    cards: tuple[Card, ...] = ()


class Rate(_Effect, frozen=True, tag="rate"):
    """The visitor's verdict, 1 to 5, as they told the flow."""

    score: int


class Wait(_Effect, frozen=True, tag="wait"):
    """Bring `Elapsed` after so many seconds, unless the visitor writes before. The later of two
    counts; a conversation that is handed over waits for nothing."""

    for_s: float


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


Request = Moderate | Classify | Search | Fetch | Remember | AskBot | ChooseTeam
Effect = Request | Say | Rate | Wait | Handoff | Passed
