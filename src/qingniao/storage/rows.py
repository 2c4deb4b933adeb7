"""What comes out of the database. Rule: frozen, complete, and free of the driver's types.

Times are milliseconds since 1970-01-01 UTC; texts that nobody gave are empty, never `None`.
"""

from typing import Any, Final, Literal

from msgspec import Struct, field

__all__ = [
    "Arrival",
    "Counts",
    "FileRow",
    "FlowRow",
    "IndexPage",
    "IndexRow",
    "KnowledgeEntry",
    "Locale",
    "Role",
    "SessionRow",
    "Site",
    "Team",
    "User",
    "View",
    "Visitor",
]

Role = Literal["admin", "agent"]
Locale = Literal["zh-CN", "en"]
View = Literal["mine", "waiting", "all"]

_GREETING: Final = {"zh-CN": "您好，请问有什么可以帮您？", "en": "Hello, how can we help?"}
_NO_QUICK: Final[dict[str, tuple[str, ...]]] = {"zh-CN": (), "en": ()}


class User(Struct, frozen=True, kw_only=True):
    """Somebody who signs in. The password's hash stays inside `Users`."""

    id: int
    login: str
    name: str
    role: Role
    locale: Locale
    accepting: bool
    must_change_password: bool
    disabled: bool
    created: int


class Team(Struct, frozen=True, kw_only=True):
    """People to whom conversations of one sort go first. `description` says what belongs to it, for
    bots that choose; `members` are the numbers of their accounts, ascending."""

    id: int
    name: str
    description: str = ""
    members: tuple[int, ...] = ()


class SessionRow(Struct, frozen=True, kw_only=True):
    """One browser that is signed in. `id` may be shown; the token cannot be derived from it."""

    id: str
    user: int
    created: int
    last_seen: int
    expires: int
    user_agent: str


class Arrival(Struct, frozen=True, kw_only=True):
    """A visitor's page was opened. Not yet worth a row: most visitors never say anything."""

    visitor: str
    conversation: int
    at: int
    locale: str = ""
    page: str = ""
    title: str = ""
    referrer: str = ""
    browser: str = ""


class Visitor(Struct, frozen=True, kw_only=True):
    """Somebody who asks, and what agents wrote down about them."""

    id: str
    conversation: int
    name: str = ""
    phone: str = ""
    email: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    locale: str = ""
    page: str = ""
    title: str = ""
    referrer: str = ""
    browser: str = ""
    first_seen: int = 0
    last_seen: int = 0


class IndexRow(Struct, frozen=True, kw_only=True):
    """One conversation as lists and searches see it: a projection of the message log.

    `assignee` is 0 for nobody; `time` is 0 while no message is visible.
    """

    id: int
    visitor: str
    visitor_name: str = ""
    status: str = "bot"
    assignee: int = 0
    last: int = 0
    session: int = 1
    time: int = 0
    since: int = 0
    preview: str = ""
    sender: str = ""
    why: str = ""
    read_visitor: int = 0
    read_agent: int = 0


class IndexPage(Struct, frozen=True):
    """A piece of a list, in the list's order. `more`: something follows."""

    rows: tuple[IndexRow, ...]
    more: bool


class Counts(Struct, frozen=True, kw_only=True):
    """How many conversations each view of one agent holds."""

    mine: int
    waiting: int
    all: int


class Site(Struct, frozen=True, kw_only=True):
    """What a visitor sees before anything is said. Keys of the maps are locales."""

    name: str = "青鸟"
    greeting: dict[str, str] = field(default_factory=_GREETING.copy)
    quick: dict[str, tuple[str, ...]] = field(default_factory=_NO_QUICK.copy)
    colour: str = "#0B8F87"
    hours: str = ""


class KnowledgeEntry(Struct, frozen=True, kw_only=True):
    """A question that is asked again and again, with its answer."""

    id: str
    title: str
    question: str
    answer: str
    alternatives: tuple[str, ...] = ()
    category: str = ""
    updated: int = 0


class FlowRow(Struct, frozen=True, kw_only=True):
    """One version of a flow. Conversations run on the newest published one."""

    id: str
    version: int
    name: str
    status: Literal["draft", "published"]
    graph: dict[str, Any]
    updated: int = 0


class BotRow(Struct, frozen=True, kw_only=True):
    """One version of a bot. The newest published one answers. `settings` and `policy` are what its
    kind and `bots.wrappers.stack.Policy` take; keys are elsewhere."""

    id: str
    version: int
    kind: str
    name: str
    status: Literal["draft", "published"]
    settings: dict[str, Any]
    policy: dict[str, Any]
    note: str = ""
    updated: int = 0


class FileRow(Struct, frozen=True, kw_only=True):
    """An uploaded file. `width` and `height` are 0 unless it is an image; `owner` is `v<id>` of a
    visitor or `a<id>` of an agent; `path` is relative to the store of contents."""

    id: str
    name: str
    size: int
    mime: str
    width: int
    height: int
    owner: str
    created: int
    sha256: str
    path: str
