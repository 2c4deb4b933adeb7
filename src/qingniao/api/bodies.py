"""What travels: requests and answers as in `docs/reference/http.md`, but for those of `bot_bodies`.

Rule: a field that a client may leave out has a default here; unknown fields are ignored, so that an
older server understands a newer client. Limits are part of the type and of the OpenAPI document.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from qingniao.storage.rows import Counts, Locale, Role

__all__ = [
    "AgentRef",
    "Conversation",
    "ConversationList",
    "ConversationView",
    "FileAnswer",
    "FileInfo",
    "Health",
    "ImportProblem",
    "ImportResult",
    "KnowledgeItem",
    "KnowledgeList",
    "NewPassword",
    "NewTeam",
    "NewUser",
    "NewUserAnswer",
    "NewVisitor",
    "NewVisitorAnswer",
    "ReadMarks",
    "SignIn",
    "SiteAnswer",
    "SiteChange",
    "TeamChange",
    "TeamInfo",
    "TeamList",
    "TeamRef",
    "Ticket",
    "UserAnswer",
    "UserChange",
    "UserInfo",
    "UserList",
    "UserWithPresence",
    "VisitorAnswer",
    "VisitorChange",
    "VisitorInfo",
    "VisitorRef",
]

Login = Annotated[str, Meta(pattern=r"^\s*[A-Za-z0-9._@+-]{2,64}\s*$")]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\S")]
Line = Annotated[str, Meta(max_length=64)]
Address = Annotated[str, Meta(max_length=1024)]
Password = Annotated[str, Meta(max_length=1024)]
Greeting = Annotated[str, Meta(max_length=500)]
Quick = Annotated[list[Annotated[str, Meta(min_length=1, max_length=40)]], Meta(max_length=8)]


class UserInfo(Struct, frozen=True, kw_only=True):
    """`User` of the reference."""

    id: int
    login: str
    name: str
    role: Role
    locale: Locale
    accepting: bool
    must_change_password: bool


class UserWithPresence(UserInfo, frozen=True, kw_only=True):
    """A colleague in the list."""

    online: bool


class UserAnswer(Struct, frozen=True):
    user: UserInfo


class UserList(Struct, frozen=True):
    users: list[UserWithPresence]


class SignIn(Struct, frozen=True):
    login: Annotated[str, Meta(max_length=256)]
    password: Password


class NewPassword(Struct, frozen=True):
    current: Password
    new: Password


class UserChange(Struct, frozen=True, kw_only=True):
    name: Name | UnsetType = UNSET
    locale: Locale | UnsetType = UNSET
    accepting: bool | UnsetType = UNSET


class Ticket(Struct, frozen=True):
    ticket: str
    expires: int


class NewUser(Struct, frozen=True, kw_only=True):
    login: Login
    name: Name
    role: Role
    password: Password | UnsetType = UNSET


class NewUserAnswer(Struct, frozen=True):
    user: UserInfo
    password: str


Description = Annotated[str, Meta(max_length=500)]
Members = Annotated[list[int], Meta(max_length=1_000)]


class TeamInfo(Struct, frozen=True, kw_only=True):
    """`Team` of the reference."""

    id: int
    name: str
    description: str
    members: tuple[int, ...]


class TeamList(Struct, frozen=True):
    teams: list[TeamInfo]


class NewTeam(Struct, frozen=True, kw_only=True):
    name: Name
    description: Description = ""
    members: Members = []


class TeamChange(Struct, frozen=True, kw_only=True):
    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    members: Members | UnsetType = UNSET


class AgentRef(Struct, frozen=True):
    id: int
    name: str


class TeamRef(Struct, frozen=True):
    id: int
    name: str


class VisitorRef(Struct, frozen=True):
    id: str
    name: str


class ReadMarks(Struct, frozen=True):
    v: int
    a: int


class Conversation(Struct, frozen=True, kw_only=True):
    """`Conversation` of the reference: the fields of the wire's `state` frames."""

    id: int
    status: Literal["bot", "waiting", "open", "closed"]
    assignee: AgentRef | None
    last: int
    session: int
    time: int
    since: int
    preview: str
    sender: str
    why: str | None
    read: ReadMarks
    visitor: VisitorRef
    online: bool
    team: TeamRef | None


class ConversationList(Struct, frozen=True):
    conversations: list[Conversation]
    counts: Counts
    more: bool


class VisitorInfo(Struct, frozen=True, kw_only=True):
    """`Visitor` of the reference."""

    id: str
    name: str
    phone: str
    email: str
    note: str
    tags: tuple[str, ...]
    locale: str
    page: str
    title: str
    referrer: str
    browser: str
    first_seen: int
    last_seen: int
    conversation: int


class VisitorAnswer(Struct, frozen=True):
    visitor: VisitorInfo


class ConversationView(Struct, frozen=True):
    conversation: Conversation
    visitor: VisitorInfo


class NewVisitor(Struct, frozen=True, kw_only=True):
    """What a widget may say about its page. Texts that are too long are cut, not refused: a
    page's address is not the visitor's fault."""

    locale: str = ""
    page: str = ""
    referrer: str = ""
    title: str = ""
    token: str = ""


class NewVisitorAnswer(Struct, frozen=True):
    token: str
    visitor: str
    conversation: int
    expires: int


class VisitorChange(Struct, frozen=True, kw_only=True):
    name: Line | UnsetType = UNSET
    phone: Annotated[str, Meta(max_length=32)] | UnsetType = UNSET
    email: Annotated[str, Meta(max_length=128)] | UnsetType = UNSET
    note: Annotated[str, Meta(max_length=4000)] | UnsetType = UNSET
    tags: (
        Annotated[list[Annotated[str, Meta(min_length=1, max_length=32)]], Meta(max_length=20)]
        | UnsetType
    ) = UNSET


class FileInfo(Struct, frozen=True, kw_only=True):
    """A file as it goes into a `file` entry; `w` and `h` only for images."""

    id: str
    name: str
    size: int
    mime: str
    w: int | UnsetType = UNSET
    h: int | UnsetType = UNSET


class FileAnswer(Struct, frozen=True):
    file: FileInfo


class SiteAnswer(Struct, frozen=True, kw_only=True):
    name: str
    greeting: dict[str, str]
    quick: dict[str, tuple[str, ...]]
    colour: str
    file_bytes: int
    hours: str


class SiteChange(Struct, frozen=True, kw_only=True):
    name: Name | UnsetType = UNSET
    greeting: dict[Locale, Greeting] | UnsetType = UNSET
    quick: dict[Locale, Quick] | UnsetType = UNSET
    colour: Annotated[str, Meta(pattern=r"^#[0-9A-Fa-f]{6}$")] | UnsetType = UNSET
    hours: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET


class KnowledgeItem(Struct, frozen=True, kw_only=True):
    id: str
    title: str
    question: str
    alternatives: tuple[str, ...]
    answer: str
    category: str


class KnowledgeList(Struct, frozen=True):
    entries: list[KnowledgeItem]
    total: int


class ImportProblem(Struct, frozen=True):
    line: int
    text: str


class ImportResult(Struct, frozen=True):
    imported: int
    problems: list[ImportProblem]


class Health(Struct, frozen=True, omit_defaults=True):
    status: str
    version: str
    degraded: list[str] = []
    """What is away and done without, only slower: `"bus"`."""
