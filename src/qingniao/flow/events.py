"""What a flow is told. Owns the events; refuses to know who produced them.

Rule: an event is complete: a step needs nothing but the plan, the state and the event.
"""

from typing import Literal

from msgspec import Struct

__all__ = [
    "About",
    "Answered",
    "BotFailed",
    "Cite",
    "Classified",
    "Elapsed",
    "Event",
    "Fetched",
    "Found",
    "Guess",
    "Hit",
    "Moderated",
    "Remembered",
    "ServiceFailed",
    "TeamChosen",
    "TimedOut",
    "VisitorSaid",
    "Wish",
]


class _Event(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event"):
    """Base: an event names itself when written down."""


class About(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known as a turn begins, as far as the flow's plan says that it needs it.

    `now_ms` is wall-clock milliseconds; `is_first`: nothing was said in this session before;
    `attributes` hold name, phone, email, page and so on; `agents_online` is `None` when it could
    not be found out.
    """

    now_ms: int = 0
    is_first: bool = False
    attributes: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    agents_online: int | None = None


class VisitorSaid(_Event, frozen=True, tag="said"):
    """Everything the visitor wrote since the last answer, joined in order; `files` came with it."""

    text: str
    locale: str = "zh-CN"
    files: int = 0
    visitor: str = ""
    about: About = About()


class Elapsed(_Event, frozen=True, tag="elapsed"):
    """The time of a `Wait` is up, and the visitor has not written meanwhile."""

    about: About = About()


class Moderated(_Event, frozen=True, tag="moderated"):
    """What the sensitive-word lists say. `words` are those that hit, for the trace."""

    verdict: Literal["clean", "flagged", "blocked"]
    words: tuple[str, ...] = ()


class Guess(Struct, frozen=True, kw_only=True):
    """A clause of a message, what it is likeliest about, and how likely that is."""

    text: str
    intent: str
    confidence: float


class Classified(_Event, frozen=True, tag="classified"):
    """What the message is about and how it is meant. `intent` is empty when nothing fits.

    `why` names the rules and intents behind `wants_person` and `angry`. `clauses` holds
    each of its clauses in order, if they were asked for and there is more than one.
    """

    intent: str = ""
    confidence: float = 0.0
    wants_person: bool = False
    angry: bool = False
    why: tuple[str, ...] = ()
    clauses: tuple[Guess, ...] = ()


class Hit(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of the knowledge base: its main question and how sure the search is of it."""

    id: str
    question: str
    confidence: float


class Found(_Event, frozen=True, tag="found"):
    """What the knowledge base holds, best first; empty when nothing matches."""

    hits: tuple[Hit, ...] = ()


class Fetched(_Event, frozen=True, tag="fetched"):
    """Another machine answered. `values` holds what was asked for and found in it."""

    status: int
    values: dict[str, str | int | float | bool | list[str]] = {}
    took_ms: int = 0


class Remembered(_Event, frozen=True, tag="remembered"):
    """What was learnt about the visitor is on record."""


class Cite(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A source as the visitor may see it; the fields are the wire's."""

    id: str
    title: str
    quote: str = ""


class Wish(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that a bot wants done, as `bots.base.Action` has it.

    `team`: of a `handoff`, the number of the team that is called `name`; 0 if there is none.
    """

    kind: str
    name: str = ""
    reason: str = ""
    team: int = 0


class Answered(_Event, frozen=True, tag="answered"):
    """The bot is done. An empty `text`: it does not know; no `confidence`: it cannot tell."""

    text: str
    bot: str = ""
    confidence: float | None = None
    cites: tuple[Cite, ...] = ()
    options: tuple[str, ...] = ()
    partial: bool = False
    took_ms: int = 0
    version: str = ""
    """Which version of the bot's settings gave it."""
    dialogue: str = ""
    """What the bot's platform calls this dialogue."""
    wishes: tuple[Wish, ...] = ()
    """What the bot wants done, in place of the answer or beside it."""


class TeamChosen(_Event, frozen=True, tag="team_chosen"):
    """Which team a bot has chosen; 0: none fits, or it did not keep to the choices. `said` is what
    it said, for the trace."""

    team: int = 0
    said: str = ""


class BotFailed(_Event, frozen=True, tag="bot_failed"):
    """The bot gave no whole answer; what it streamed has been taken back."""

    reason: str
    bot: str = ""


class ServiceFailed(_Event, frozen=True, tag="service_failed"):
    """Something else the flow asked for failed: word lists, classifier or search."""

    reason: str


class TimedOut(_Event, frozen=True, tag="timed_out"):
    """What the flow waits for did not come in time."""


Event = (
    VisitorSaid
    | Elapsed
    | Moderated
    | Classified
    | Found
    | Fetched
    | Remembered
    | Answered
    | TeamChosen
    | BotFailed
    | ServiceFailed
    | TimedOut
)
