"""The port to anything that answers by itself. Owns the events of a reply and the tree of bot
errors.

Refuses policy: timeouts, retries, rate limits and breakers are wrappers of this same port, and
whether an answer is good enough to be shown is the flow's decision. Rule: a reply ends with
exactly one `Done` or with a `BotError`; an iterator that simply stops is a fault of the bot.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from qingniao.errors import QingniaoError

__all__ = [
    "Action",
    "Attachment",
    "BotBusy",
    "BotError",
    "BotGarbled",
    "BotMisconfigured",
    "BotOverBudget",
    "BotOverQuota",
    "BotService",
    "BotTimeout",
    "BotUnavailable",
    "Capabilities",
    "Citation",
    "Closing",
    "ConversationGone",
    "Done",
    "FeedbackUnsupported",
    "Grounded",
    "Health",
    "InputRequired",
    "Lesson",
    "Passage",
    "Query",
    "QueryRejected",
    "ReplyEvent",
    "ReplyTruncated",
    "Retracted",
    "Retriever",
    "TakesFeedback",
    "TextDelta",
    "TrainingReport",
    "TrainingUnsupported",
    "Turn",
    "Usage",
    "Working",
]


class Turn(Struct, frozen=True, kw_only=True):
    """One earlier message of the conversation, oldest first in `Query.history`."""

    role: Literal["visitor", "bot", "agent"]
    text: str


class Attachment(Struct, frozen=True, kw_only=True):
    """A file that came with the question. Bots without `Capabilities.reads_files` get its name as
    words instead.

    `url` must be reachable by the platform; where `content` is given it is uploaded instead, if the
    platform takes uploads. With neither it is too large, or could not be read: only the name is
    known.
    """

    name: str
    media_type: str
    url: str = ""
    content: bytes = b""


class Query(Struct, frozen=True, kw_only=True):
    """What a bot is asked. `text` is the visitor's message, as it was written."""

    conversation: int
    text: str
    locale: str = "zh-CN"
    visitor: str = ""
    """Opaque id of the visitor; platforms that tie a dialogue to a user get it, never a name."""
    history: tuple[Turn, ...] = ()
    variables: dict[str, str] = {}
    """Values from the flow, such as an order number; a bot ignores the names it does not know."""
    remote: str = ""
    """The platform's own id of this dialogue, from an earlier `Done.remote`; empty the first
    time.
    """
    files: tuple[Attachment, ...] = ()
    instructions: str = ""
    """What whoever asks wants of this answer; a platform without a place for that reads it before
    the text."""
    idle_s: float = 0.0
    """How long a silence whoever asks will bear, in seconds; zero: as the bot's policy says."""
    total_s: float = 0.0
    """The same for the whole reply."""

    @property
    def user(self) -> str:
        """Who asks, for platforms that keep dialogues apart by it: the same every time, never
        empty."""
        return self.visitor or f"conversation-{self.conversation}"

    @property
    def whole(self) -> str:
        """The text with the instructions before it, for platforms that know no other place; never
        empty, because most of them refuse that."""
        text = self.text if self.text.strip() else "…"
        return f"{self.instructions}\n\n{text}" if self.instructions else text


class Citation(Struct, frozen=True, kw_only=True):
    """A source of an answer, as a visitor may see it."""

    id: str
    title: str
    quote: str = ""


class Usage(Struct, frozen=True, kw_only=True):
    """What a reply cost. Tokens are as the platform counted them; zero when it does not tell."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    took_ms: int = 0
    """From the call of `reply` to its `Done`, measured by the bot."""
    first_ms: int = 0
    """From the call of `reply` to its first text; zero when there was none."""
    cost: float = 0.0
    """In `currency`, as the platform told or as its prices say; zero when neither is known."""
    currency: str = ""


class Action(Struct, frozen=True, kw_only=True):
    """Something the bot wants done, in place of an answer or beside it.

    `handoff`: call a person; `name` may name a team, and `reason` say in a few words why. It is
    heeded at once. `tool`: call the tool `name`, which the bot was told of and cannot call itself;
    `arguments` is JSON, as the model wrote it. A tool that nobody has, and any other kind, is
    recorded and does nothing.
    """

    kind: str
    name: str = ""
    arguments: str = ""
    reason: str = ""


class Grounded(Struct, frozen=True, kw_only=True, tag="grounded"):
    """Always the first event: how sure the bot is and on what it rests, before any text.

    `confidence` is between 0 and 1 and calibrated: of the answers given at 0.8, about four in five
    are right. `None` means that the bot cannot tell, which is not the same as being unsure.
    """

    confidence: float | None = None
    citations: tuple[Citation, ...] = ()


class TextDelta(Struct, frozen=True, kw_only=True, tag="delta"):
    """The next piece of the answer; never empty. The pieces since the last `Retracted` join to
    it.
    """

    text: str


class Retracted(Struct, frozen=True, kw_only=True, tag="retracted"):
    """Everything streamed so far is taken back (a platform's moderation does this); new text may
    follow.
    """


class Working(Struct, frozen=True, kw_only=True, tag="working"):
    """Nothing to show yet, but the bot is at work: a step of a workflow, a sign of life.

    `step` is for agents who look on and may be empty.
    """

    step: str = ""


class Done(Struct, frozen=True, kw_only=True, tag="done"):
    """The reply is complete. `text` is the whole answer and wins over the pieces.

    An empty `text` is an honest "I do not know". `citations`, when not empty, replace those of
    `Grounded`: some platforms name their sources only at the end.
    """

    text: str
    usage: Usage = Usage()
    options: tuple[str, ...] = ()
    """Questions to offer as buttons: what may be asked next, or what may have been meant."""
    citations: tuple[Citation, ...] = ()
    partial: bool = False
    """The platform stopped early (its length limit); to be marked as such when it is shown."""
    remote: str = ""
    actions: tuple[Action, ...] = ()
    message: str = ""
    """The platform's own id of this answer, for feedback on it."""
    version: str = ""
    """Which version of the bot's settings gave this answer; empty where none are kept."""
    bot: str = ""
    """Whose answer it is, where another bot than the one that was asked gave it."""
    instead_of: tuple[str, ...] = ()
    """For each bot that was asked before in vain: its name and why, for agents."""


ReplyEvent = Grounded | TextDelta | Retracted | Working | Done


class Capabilities(Struct, frozen=True, kw_only=True):
    """What a bot can do, declared before it is asked. Constant for the life of the object."""

    streams: bool
    """Text comes in several pieces while it is being written."""
    measures_confidence: bool
    """`Grounded.confidence` is a number, so thresholds make sense."""
    cites: bool
    trains: bool
    """`train` works; otherwise it raises `TrainingUnsupported`."""
    leaves_house: bool
    """What the visitor writes is sent to another machine."""
    acts: bool = False
    """`Done.actions` may hold something."""
    reads_files: bool = False
    """`Query.files` are looked at."""
    remembers: bool = False
    """The platform keeps the dialogue: `Query.remote` continues it. Otherwise `Query.history` is
    all it knows."""


class Health(Struct, frozen=True, kw_only=True):
    """Can this bot answer now. `detail` is a sentence for the operator and holds no secrets."""

    is_ok: bool
    detail: str = ""
    version: str = ""
    """Which training or model answers; empty when unknown."""


class Lesson(Protocol):
    """One thing to be learnt: a question in several wordings and its answer."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def alternatives(self) -> tuple[str, ...]: ...
    @property
    def answer(self) -> str: ...
    @property
    def category(self) -> str: ...


class TrainingReport(Struct, frozen=True, kw_only=True):
    """What a training did. `version` is what `health` tells from now on."""

    version: str
    lessons: int
    took_ms: int
    problems: tuple[str, ...] = ()
    """Lessons that were left out, each a sentence for the administrator."""


class Passage(Protocol):
    """One thing found: an entry of the knowledge base and how sure the search is of it."""

    @property
    def entry(self) -> Lesson: ...
    @property
    def confidence(self) -> float: ...


class Retriever(Protocol):
    """Where a bot looks things up."""

    @property
    def version(self) -> str:
        """Names what is searched; changes whenever its content does."""
        ...

    def search(self, text: str, *, limit: int = 3) -> Sequence[Passage]:
        """Best first, each entry at most once, nothing invented; empty when nothing matches.

        Runs on the event loop: it must not wait for anything and be done within about a
        millisecond.
        """
        ...


class BotService(Protocol):
    """Somebody who answers. One object serves many conversations at once."""

    @property
    def name(self) -> str:
        """Stable and short; shown to agents beside an answer and used in reports."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        """Answer: first `Grounded`, then any number of `TextDelta`, `Retracted` and `Working`, last
        `Done`.

        Nothing is asked of the platform before the first event is awaited. Closing the generator
        early stops the work, as far as the platform allows it. Raises only `BotError`; after the
        first `TextDelta` the caller must not retry by itself.
        """
        ...

    async def train(self, lessons: Sequence[Lesson]) -> TrainingReport:
        """Replace everything this bot knows by `lessons`; all of it or, on an error, none.

        Answers keep coming from the old knowledge until this returns. Raises `TrainingUnsupported`
        when `capabilities.trains` is false.
        """
        ...

    async def health(self) -> Health:
        """Look whether an answer could be had now. Never raises; cheap enough for every few
        seconds.
        """
        ...


@runtime_checkable
class TakesFeedback(Protocol):
    """A bot whose platform wants to know what a visitor thought of an answer."""

    async def feedback(
        self, message: str, visitor: str, verdict: Literal["good", "bad", "none"], comment: str = ""
    ) -> None:
        """Tell it; `message` is `Done.message`, and `none` takes an earlier verdict back. Raises
        `BotError`."""
        ...


@runtime_checkable
class Closing(Protocol):
    """A bot that holds something: tasks, connections."""

    async def close(self) -> None:
        """Let go of it. May be called twice."""
        ...


class BotError(QingniaoError):
    """The bot could not answer."""

    code = "bot"


class BotUnavailable(BotError):
    """The bot cannot be reached or failed inside."""

    code = "bot_unavailable"
    temporary = True


class BotTimeout(BotError):
    """The bot did not answer in time."""

    code = "bot_timeout"
    temporary = True


class BotBusy(BotError):
    """The bot takes no more questions at the moment."""

    code = "bot_busy"
    temporary = True

    def __init__(self, message: str | None = None, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ReplyTruncated(BotError):
    """The answer broke off. What was streamed so far is not a whole answer."""

    code = "bot_truncated"
    temporary = True


class BotMisconfigured(BotError):
    """The bot's address, key or application is wrong: an administrator has to act."""

    code = "bot_misconfigured"


class BotOverQuota(BotError):
    """The account at the platform has nothing left: top it up or raise its limit."""

    code = "bot_over_quota"


class BotOverBudget(BotError):
    """The budget that was set for this bot is used up until its next period begins."""

    code = "bot_over_budget"


class BotGarbled(BotError):
    """The bot's answer cannot be read: is it of the kind that was chosen?"""

    code = "bot_garbled"


class InputRequired(BotError):
    """The bot waits for a form or a decision that cannot be given here: take that step out."""

    code = "bot_input_required"


class QueryRejected(BotError):
    """The bot refuses this question, for its length or its content; another may be answered."""

    code = "bot_rejected"


class ConversationGone(BotError):
    """The platform does not know this dialogue any more; a new one can be begun."""

    code = "bot_conversation_gone"
    temporary = True


class FeedbackUnsupported(BotError):
    """This bot's platform is not told what visitors think of its answers."""

    code = "bot_feedback"


class TrainingUnsupported(BotError):
    """This bot is trained elsewhere, not from here."""

    code = "bot_training"
