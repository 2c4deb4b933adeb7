"""A small house around the AI worker: a log in memory, bots on a script, senses by rule.

The log is made of the real `decide` and `fold`, so what it refuses or drops the product does too.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any

from qingniao.bots.base import (
    BotMisconfigured,
    BotService,
    Capabilities,
    Done,
    Grounded,
    Health,
    Lesson,
    Query,
    ReplyEvent,
    TextDelta,
    TrainingReport,
    TrainingUnsupported,
)
from qingniao.chat.head import Head, fold
from qingniao.chat.intake import Decision, Intent, Message, Move, Outcome, decide
from qingniao.chat.lifecycle import Event, Status
from qingniao.errors import StorageError
from qingniao.flow import samples
from qingniao.flow.events import Classified, Found, Hit, Moderated
from qingniao.flow.plan import Plan, prepare
from qingniao.protocol.frames import Body, Entry, EntryType
from qingniao.storage.rows import FileRow, Team
from qingniao.workers.ai import AILimits, AIWorker
from qingniao.workers.attachments import Attachments
from qingniao.workers.ports import Senses

CONVERSATION = 7
FLOW = samples.read(samples.AFTER_SALES)
ANSWER = "退款会在 1 至 3 个工作日内原路退回，请您留意到账短信。"


class MemoryLog:
    """Heads and entries in dictionaries; `commit` decides and folds."""

    def __init__(self) -> None:
        self.heads: dict[int, Head] = {}
        self.stored: dict[int, list[Entry]] = {}
        self.now_ms = 1_000

    def commit(self, intent: Intent) -> Decision:
        head = self.heads.setdefault(intent.conversation, Head(intent.conversation, "visitor-1"))
        decision = decide(head, intent, self.now_ms)
        self.now_ms += 1
        for entry in decision.entries:
            fold(head, entry, decision.device, decision.n)
            self.stored.setdefault(intent.conversation, []).append(entry)
        return decision

    async def head(self, conversation: int) -> Head | None:
        return self.heads.get(conversation)

    async def entries(self, conversation: int, after: int, limit: int) -> list[Entry]:
        found = [entry for entry in self.stored.get(conversation, []) if entry.seq > after]
        return found[:limit]


class ScriptedBot:
    """Says what its script says: events are yielded, numbers are slept, exceptions raised."""

    def __init__(self, *script: ReplyEvent | float | BaseException, name: str = "script") -> None:
        self.script = script
        self.name = name
        self.asked: list[Query] = []
        self.closed = 0
        self.between: Callable[[int], None] = lambda number: None
        """Called before each step of the script, with its number."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            streams=True, measures_confidence=True, cites=True, trains=False, leaves_house=False
        )

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        self.asked.append(query)
        try:
            for number, step in enumerate(self.script):
                self.between(number)
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield step
        finally:
            self.closed += 1

    async def train(self, lessons: Sequence[Lesson]) -> TrainingReport:
        raise TrainingUnsupported

    async def health(self) -> Health:
        return Health(is_ok=True)


def fluent(text: str = ANSWER, *, confidence: float | None = 0.9) -> ScriptedBot:
    """A bot that simply answers, in pieces of five characters."""
    pieces = [TextDelta(text=text[i : i + 5]) for i in range(0, len(text), 5)]
    return ScriptedBot(Grounded(confidence=confidence), *pieces, Done(text=text))


class RuleSenses:
    """Understands by a word or two, which is all that these tests need."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.hanging: set[str] = set()

    async def moderate(self, text: str) -> Moderated:
        await self._ready("moderate")
        verdict = "blocked" if "脏话" in text else "flagged" if "加微信" in text else "clean"
        return Moderated(verdict=verdict)  # type: ignore[arg-type]

    async def classify(self, text: str) -> Classified:
        await self._ready("classify")
        intents = {"你好": "greeting", "hello": "greeting", "谢谢": "thanks", "再见": "goodbye"}
        intent = next((name for word, name in intents.items() if text == word), "question")
        wants = "转人工" in text or "talk to a person" in text.casefold()
        angry = "投诉" in text
        return Classified(intent=intent, confidence=0.9, wants_person=wants, angry=angry)

    async def search(self, text: str, limit: int) -> Found:
        await self._ready("search")
        if "退款" in text or "refund" in text:
            return Found(hits=(Hit(id="q1", question="退款多久到账？", confidence=0.9),))
        if "票" in text:
            return Found(hits=(Hit(id="q2", question="怎么开发票？", confidence=0.4),))
        return Found()

    async def _ready(self, sense: str) -> None:
        if sense in self.failing:
            raise RuntimeError(sense)
        if sense in self.hanging:
            await asyncio.sleep(3600)


class Uploads:
    """Files and their contents; reading one that is missing fails."""

    def __init__(self) -> None:
        self.rows: dict[str, FileRow] = {}
        self.contents: dict[str, bytes] = {}

    def add(self, name: str, content: bytes, mime: str = "image/png") -> dict[str, Any]:
        """The body of a message with it."""
        file = f"file-{len(self.rows)}-of-the-test"
        self.contents[file] = content
        self.rows[file] = FileRow(
            id=file, name=name, size=len(content), mime=mime, width=0, height=0, owner="v",
            created=0, sha256="", path=file,
        )  # fmt: skip
        return {"id": file, "name": "said.exe", "size": len(content), "mime": mime}

    async def get(self, file: str) -> FileRow | None:
        return self.rows.get(file)

    async def read(self, path: str, start: int, end: int) -> AsyncIterator[bytes]:
        if path not in self.contents:
            raise StorageError
        yield self.contents[path][start:end]


class House:
    """Everything around one worker, and what the visitor and the agents can see."""

    def __init__(
        self,
        bot: BotService | None = None,
        plan: Plan | None = None,
        senses: Senses | None = None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.log = MemoryLog()
        self.uploads = Uploads()
        self.log.heads[CONVERSATION] = Head(CONVERSATION, "visitor-1")
        self.senses: Any = senses or RuleSenses()
        self.bot: Any = bot or fluent()
        self.plan = plan or prepare(FLOW)
        self.deltas: list[tuple[int, int, str]] = []
        self.refusals: list[BaseException] = []
        """Raised by `submit`, first to last, before it works."""
        self.submitted = 0
        self.visitor_locale = "zh-CN"
        self.before_submit: Callable[[], None] = lambda: None
        self.sent = 0
        self.teams: list[Team] = []
        self.teams_are_away = False
        self.worker = AIWorker(
            self.log,
            submit=self._submit,
            publish_delta=self._publish,
            plan=lambda: self.plan,
            senses=self.senses,
            bot=self._find,
            locale=self._locale,
            teams=self._list_teams,
            attachments=Attachments(self.uploads, self.uploads, public_url="https://shop.example"),
            limits=AILimits(sense_s=0.05, backoff_s=0.001, max_backoff_s=0.002),
            timer=timer,
        )

    def says(self, body: Body, kind: EntryType = EntryType.TEXT) -> int:
        """The visitor sends something; its `seq`."""
        self.sent += 1
        message = Message(CONVERSATION, "v", "tab", self.sent, kind, body, "visitor-1")
        return self.log.commit(message).seq

    async def hears(self, body: Body, kind: EntryType = EntryType.TEXT) -> list[Entry]:
        """The visitor sends something and the worker answers; the new entries."""
        seq = self.says(body, kind)
        await self.worker.handle(CONVERSATION)
        return [entry for entry in self.log.stored[CONVERSATION] if entry.seq > seq]

    def taken(self) -> None:
        """An agent takes the conversation."""
        self.log.commit(Move(CONVERSATION, Event.TAKE, "took", 3, "小林"))

    @property
    def head(self) -> Head:
        return self.log.heads[CONVERSATION]

    @property
    def status(self) -> Status:
        return self.head.status

    def screen(self) -> str:
        """The draft as the visitor's screen shows it after all deltas."""
        shown = ""
        for _, offset, text in self.deltas:
            assert offset <= len(shown), "a delta leaves a hole"
            shown = shown[:offset] + text
        return shown

    def bodies(self, kind: EntryType) -> list[dict[str, Any]]:
        entries = self.log.stored.get(CONVERSATION, [])
        return [e.body for e in entries if e.type == kind and isinstance(e.body, dict)]

    def trace(self) -> list[dict[str, Any]]:
        """What the nodes of the last run did."""
        trace: list[dict[str, Any]] = self.bodies(EntryType.STEP)[-1]["trace"]
        return trace

    async def _submit(self, outcome: Outcome) -> Decision:
        self.submitted += 1
        self.before_submit()
        if self.refusals:
            raise self.refusals.pop(0)
        return self.log.commit(outcome)

    def _publish(self, conversation: int, draft: int, offset: int, text: str) -> None:
        assert conversation == CONVERSATION
        self.deltas.append((draft, offset, text))

    def _find(self, bot: str) -> BotService:
        if bot:
            raise BotMisconfigured(f"There is no bot {bot}.")
        found: BotService = self.bot
        return found

    async def _list_teams(self) -> list[Team]:
        if self.teams_are_away:
            raise StorageError
        return self.teams

    async def _locale(self, visitor: str) -> str:
        return self.visitor_locale
