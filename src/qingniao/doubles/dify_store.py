"""What the Dify double remembers: conversations, messages, files, runs and paused forms.

Owns who may see what: everything belongs to one app and one `user`. Rule: what is another user's
is not there.
"""

from collections.abc import Callable

from msgspec import Struct

from qingniao.doubles.double import Json
from qingniao.doubles.kept import Kept
from qingniao.doubles.messages import Stop

__all__ = ["App", "Conversation", "File", "Form", "Message", "Run", "Store", "Task"]


class App(Struct, frozen=True, kw_only=True):
    """One app, which is one key."""

    key: str
    mode: str
    """As `/info` tells it: chat, agent-chat, agent, advanced-chat, workflow."""
    name: str

    @property
    def is_graph(self) -> bool:
        """It walks nodes and tells of them."""
        return self.mode in ("advanced-chat", "workflow")

    @property
    def is_agent(self) -> bool:
        """It streams only."""
        return self.mode in ("agent-chat", "agent")


class Message(Struct, kw_only=True):
    """One question and its answer."""

    id: str
    conversation: str
    user: str
    inputs: Json
    query: str
    answer: str = ""
    files: list[Json] = []
    resources: list[Json] = []
    suggested: list[str] = []
    rating: str | None = None
    created_at: int
    tokens: tuple[int, int] = (0, 0)


class Conversation(Struct, kw_only=True):
    """A dialogue of one user with one app."""

    id: str
    app: str
    user: str
    name: str
    inputs: Json
    created_at: int
    updated_at: int
    messages: list[Message] = []


class File(Struct, frozen=True, kw_only=True):
    """Something uploaded."""

    id: str
    user: str
    name: str
    kind: str
    content: bytes


class Run(Struct, kw_only=True):
    """One run of a workflow."""

    id: str
    user: str
    inputs: Json
    status: str
    outputs: Json
    error: str | None = None
    created_at: int
    rest: list[bytes] = []
    """What is said once its form is filled in; until then nothing."""


class Form(Struct, frozen=True, kw_only=True):
    """What a paused run asks."""

    token: str
    run: str
    user: str
    resumed: Callable[[str, Json], list[bytes]]
    """What is said once it is filled in, by the action chosen and the values."""


class Task(Struct, frozen=True, kw_only=True):
    """An answer under way."""

    user: str
    stop: Stop


class Feedback(Struct, kw_only=True):
    """What a user thought of an answer."""

    id: str
    message: Message
    rating: str
    content: str | None
    created_at: str


class Store:
    """All of it. Bounded: the oldest is forgotten."""

    def __init__(self) -> None:
        self.conversations: Kept[Conversation] = Kept()
        self.messages: Kept[Message] = Kept()
        self.files: Kept[File] = Kept(100)
        self.runs: Kept[Run] = Kept()
        self.forms: Kept[Form] = Kept()
        self.tasks: Kept[Task] = Kept()
        self.feedbacks: Kept[Feedback] = Kept()

    def conversation(self, id: str, app: App, user: str) -> Conversation | None:
        """Only the user's own."""
        found = self.conversations.get(id)
        return found if found and (found.app, found.user) == (app.key, user) else None

    def message(self, id: str, user: str) -> Message | None:
        """Only the user's own."""
        found = self.messages.get(id)
        return found if found and found.user == user else None
