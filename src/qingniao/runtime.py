"""The composition root: the only file that names an engine. Owns start, order and end.

Rule: what is opened here is closed here, in reverse order, whatever fails in between; every
background task belongs to the one `TaskGroup` of `serve`.
"""

import asyncio
import gc
import resource
import signal
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import msgspec

from qingniao import __version__, samples
from qingniao.api.app import create_app
from qingniao.api.services import Services, Trust
from qingniao.auth import (
    BadToken,
    KeyRing,
    Passwords,
    RateLimit,
    Signer,
    SignInLimit,
    VisitorClaim,
)
from qingniao.bots.base import BotMisconfigured, BotService
from qingniao.bots.local import LocalBot
from qingniao.bus.base import Attendance, SignOut, Whisper
from qingniao.bus.memory import MemoryFanout, MemoryPresence, MemoryWorkQueue
from qingniao.chat.intake import Decision, Outcome, Rename, Summary
from qingniao.chat.ports import Role
from qingniao.clock import wall_ms
from qingniao.config import Config
from qingniao.errors import StartError, StorageError
from qingniao.flow.graph import Flow
from qingniao.flow.plan import Plan, prepare
from qingniao.flow.samples import AFTER_SALES
from qingniao.flow.samples import read as read_sample_flow
from qingniao.gateway.ports import GatewayServices, Who
from qingniao.gateway.server import GatewayServer
from qingniao.knowledge.entries import Entry
from qingniao.knowledge.importing import read_knowledge
from qingniao.log import get_logger
from qingniao.metrics import Metrics, Reading
from qingniao.pipeline.pipeline import Pipeline
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.frames import Delta, State
from qingniao.storage.blobs import FolderBlobs
from qingniao.storage.conversations import ConversationIndex
from qingniao.storage.database import Database
from qingniao.storage.files import Files
from qingniao.storage.first_run import FirstRun, first_run
from qingniao.storage.flows import Flows
from qingniao.storage.ids import IdRange, Ids
from qingniao.storage.knowledge import KnowledgeEntries
from qingniao.storage.messages_rocksdb import RocksMessageLog
from qingniao.storage.rows import Arrival, FlowRow, KnowledgeEntry, Site, User
from qingniao.storage.site import SiteSettings
from qingniao.storage.users import Sessions, Users
from qingniao.storage.visitors import Arrivals, Visitors
from qingniao.training import Built
from qingniao.workers.ai import AIWorker
from qingniao.workers.assignment import Agent, AssignmentWorker
from qingniao.workers.dispatch import Dispatcher, Sweeper
from qingniao.workers.index import IndexWorker
from qingniao.workers.learning import Learning
from qingniao.workers.senses import Mind

__all__ = ["Ready", "serve"]

_log: Final = get_logger("runtime")
_READS_S: Final = 1.0
_ABOUT: Final = ("locale", "page", "title", "referrer", "browser")
_ABOUT_CHARS: Final = 500

Ready = Callable[[str, FirstRun | None], None]
"""Called once with the URL, and the one-time password on the first start."""


async def serve(config: Config, ready: Ready) -> None:
    """Run everything in this process until SIGTERM or SIGINT. Raises `StartError`."""
    async with AsyncExitStack() as stack:
        house = _House(config)
        first = await house.open(stack)
        async with asyncio.TaskGroup() as tasks:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop.set)
            jobs = [tasks.create_task(job) for job in house.jobs()]
            url = await house.listen()
            # What lives from here on is small and short-lived; old objects need no more looks.
            gc.collect()
            gc.freeze()
            gc.set_threshold(10_000, 50, 1_000)
            gc.enable()
            ready(url, first)
            await stop.wait()
            house.state = "draining"
            _log.info("draining")
            await house.gateway.close()
            for job in jobs:
                job.cancel()


class _House:
    """Every room with its engine, in the order in which they depend on each other."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.state = "starting"
        self._plan: Plan | None = None
        self._bot: LocalBot | None = None
        self._lag_ms = 0.0

    async def open(self, stack: AsyncExitStack) -> FirstRun | None:
        """Open the stores, make the first run if it is one, learn what is to be known."""
        config = self._config
        data = Path(config.data)
        _raise_file_limit()
        await asyncio.to_thread(_prepare_folder, data)
        self.log = await asyncio.to_thread(RocksMessageLog, data / "messages")
        stack.push_async_callback(self.log.close)
        self.database = await Database.open(data / "qingniao.db")
        stack.push_async_callback(self.database.close)
        self.signer = Signer(await asyncio.to_thread(KeyRing.open, data / "keys"))
        self.blobs = FolderBlobs(data / "files")
        await asyncio.to_thread(self.blobs.open)
        self.fanout, self.queue, self.presence = MemoryFanout(), MemoryWorkQueue(), MemoryPresence()
        self.pipeline = Pipeline(self.log, self.fanout, self.queue, wall_ms, config.pipeline)
        self.users, self.sessions = Users(self.database), Sessions(self.database)
        self.visitors = Visitors(self.database, Arrivals())
        self.index = ConversationIndex(self.database, self.visitors)
        self.knowledge = KnowledgeEntries(self.database)
        self.site = SiteSettings(self.database)
        self.flows = Flows(self.database)
        self.passwords = Passwords()
        self.metrics = Metrics()
        self.mind = Mind()
        self.learning = Learning(data / "knowledge", self._entries, self._learnt)
        first = await first_run(
            self.database,
            self.passwords,
            now_ms=wall_ms(),
            site=msgspec.convert(msgspec.structs.asdict(samples.site()), Site),
            knowledge=_sample_knowledge(),
            flows=[_sample_flow()],
        )
        await self.learning.learn()
        await self._load_flow()
        self._work()
        self.gateway = GatewayServer(self._gateway_services(), create_app(self._services()))
        for source in (self.pipeline, self.gateway.hub, self._answering):
            self.metrics.add(source.readings)
        self.metrics.add(self._readings)
        return first

    async def listen(self) -> str:
        """Open the port; the URL to reach it."""
        config = self._config
        port = await self.gateway.start(config.host, config.port)
        self.state = "ok"
        host = "127.0.0.1" if config.host in ("0.0.0.0", "::") else config.host  # noqa: S104
        return config.public_url or f"http://{host}:{port}"

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """Everything that runs until the end."""
        return [
            self.pipeline.run(),
            self._answering.run(),
            self._assigning.run(),
            self._indexing.run(),
            self._sweeper.run(),
            self.learning.run(),
            self._keep_reads(),
            self._watch_loop(),
        ]

    def _work(self) -> None:
        self._ai = AIWorker(
            self.log,
            submit=self._submit,
            publish_delta=self._publish_delta,
            plan=self._current_plan,
            senses=self.mind,
            bot=self._find_bot,
            locale=self._locale_of,
        )
        self._answering = Dispatcher(Role.AI, self.queue, self._answer, self._config.ai.parallel)
        self._assigning = AssignmentWorker(
            self.log, self.fanout, self.presence, self.pipeline.submit, self._agents,
            self.index.assigned, wall_ms,
        )  # fmt: skip
        self._indexing = IndexWorker(
            self.log, self.queue, self.index, lambda: self.pipeline.is_busy
        )
        self._sweeper = Sweeper(self.log, self.queue, (Role.AI, Role.INDEX))

    async def _answer(self, conversation: int) -> bool:
        await self._ai.handle(conversation)
        head = await self.log.head(conversation)
        owes = head is not None and head.owes_bot
        if not owes and head is not None:
            await self.log.clear(Role.AI, [(conversation, head.last)])
        return owes

    async def _submit(self, intent: Outcome | Summary) -> Decision:
        return await self.pipeline.submit(intent)

    def _publish_delta(self, conversation: int, draft: int, offset: int, text: str) -> None:
        frame = MSGPACK.encode(Delta(conversation, draft, offset, text))
        self.fanout.publish(Whisper(conversation, frame))

    def _current_plan(self) -> Plan:
        if self._plan is None:
            raise StartError("No flow is published.")
        return self._plan

    async def _load_flow(self) -> None:
        row = await self.flows.published(AFTER_SALES)
        flow = (
            msgspec.convert(row.graph, Flow) if row is not None else read_sample_flow(AFTER_SALES)
        )
        self._plan = prepare(flow)

    def _find_bot(self, bot: str) -> BotService:
        if self._bot is None or bot not in ("", self._bot.name):
            raise BotMisconfigured(f"There is no bot called {bot}.")
        return self._bot

    async def _locale_of(self, visitor: str) -> str:
        found = await self.visitors.get(visitor)
        return found.locale if found is not None else ""

    async def _entries(self) -> list[Entry]:
        return [
            Entry(
                id=row.id, title=row.title, question=row.question, answer=row.answer,
                alternatives=row.alternatives, category=row.category,
            )
            for row in await self.knowledge.all()
        ]  # fmt: skip

    def _learnt(self, learnt: Built) -> None:
        self.mind.use(learnt)
        if self._bot is None:
            self._bot = LocalBot(learnt.retriever)
        else:
            self._bot.use(learnt.retriever)

    async def _agents(self) -> Sequence[Agent]:
        return [
            Agent(id=user.id, name=user.name, accepting=user.accepting)
            for user in await self.users.all()
            if not user.disabled
        ]

    async def _authenticate(self, token: str, about: dict[str, str]) -> Who | None:
        now = wall_ms()
        try:
            claim = self.signer.read_visitor(token, now)
            self._note_arrival(claim, about, now)
            return Who(visitor=claim.visitor, conversation=claim.conversation)
        except BadToken:
            pass
        try:
            ticket = self.signer.read_ticket(token, now)
        except BadToken:
            return None
        session = await self.sessions.get(ticket.session)
        user = await self.users.get(ticket.user) if session is not None else None
        if session is None or user is None or user.disabled or session.expires <= now:
            return None
        return Who(agent=user.id, name=user.name, session=session.id)

    def _note_arrival(self, claim: VisitorClaim, about: dict[str, str], now_ms: int) -> None:
        """What page a visitor is on: kept in memory until they are worth a row."""
        if about:
            told = {name: about.get(name, "")[:_ABOUT_CHARS] for name in _ABOUT}
            self.visitors.arrivals.note(
                Arrival(visitor=claim.visitor, conversation=claim.conversation, at=now_ms, **told)
            )

    def _gateway_services(self) -> GatewayServices:
        return GatewayServices(
            log=self.log, pipeline=self.pipeline, fanout=self.fanout, presence=self.presence,
            authenticate=self._authenticate, clock=wall_ms, config=self._config.gateway,
            wire=self._config.wire,
        )  # fmt: skip

    def _services(self) -> Services:
        api = self._config.api
        proxies = frozenset(p.strip() for p in api.trusted_proxies.split(",") if p.strip())
        per_visitor_s = api.visitors_per_minute / 60
        return Services(
            users=self.users,
            sessions=self.sessions,
            visitors=self.visitors,
            index=self.index,
            files=Files(self.database),
            knowledge=self.knowledge,
            site=self.site,
            blobs=self.blobs,
            conversation_numbers=IdRange(Ids(self.database), "conversation"),
            passwords=self.passwords,
            signer=self.signer,
            clock=wall_ms,
            presence=self.presence,
            heads=self.log.heads,
            rename=self._rename,
            ready=lambda: self.state,
            metrics=self.metrics.render,
            sign_in_limit=SignInLimit(clock=wall_ms),
            visitor_limit=RateLimit(
                per_s=per_visitor_s, burst=api.visitors_per_minute, clock=wall_ms
            ),
            upload_limit=RateLimit(
                per_s=api.uploads_per_minute / 60, burst=api.uploads_per_minute, clock=wall_ms
            ),
            version=__version__,
            web_root=Path(__file__).parent / "web",
            file_bytes=self._config.wire.file_bytes,
            trust=Trust(proxies=proxies, secure=self._config.public_url.startswith("https:")),
            on_signed_out=self._signed_out,
            on_user_changed=self._user_changed,
            on_knowledge_changed=self.learning.request,
        )

    async def _rename(self, conversation: int, name: str) -> None:
        await self.pipeline.submit(Rename(conversation, name))
        head = await self.log.head(conversation)
        if head is not None:
            frame = MSGPACK.encode(
                State(conversation, {"visitor": {"id": head.visitor, "name": name}})
            )
            self.fanout.publish(Whisper(conversation, frame, "agents", droppable=False, lists=True))
            self.queue.put(Role.INDEX, conversation)

    def _user_changed(self, user: User) -> None:
        is_here = self.presence.is_online(f"a:{user.id}")
        self.fanout.publish(Attendance(user.id, is_here, user.name))

    def _signed_out(self, _user: int, sessions: Sequence[str]) -> None:
        for session in sessions:
            self.fanout.publish(SignOut(session))

    async def _keep_reads(self) -> None:
        while True:
            await asyncio.sleep(_READS_S)
            try:
                await self.log.flush_reads()
                if self.state == "storage":
                    self.state = "ok"
            except StorageError as exc:
                self.state = "storage"
                _log.warning("reads_not_stored", reason=str(exc))

    async def _watch_loop(self) -> None:
        """How late the loop is: the one figure that shows all blocking."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.5)
            self._lag_ms = max(0.0, (time.perf_counter() - before - 0.5) * 1000)

    def _readings(self) -> Iterable[Reading]:
        yield "gauge", "loop_lag_ms", "How late the event loop was, last half second.", self._lag_ms
        used = resource.getrusage(resource.RUSAGE_SELF)
        yield "counter", "cpu_seconds", "CPU used by this process.", used.ru_utime + used.ru_stime


def _sample_knowledge() -> list[KnowledgeEntry]:
    entries = read_knowledge(samples.knowledge_file(), "sample.json").entries
    return [KnowledgeEntry(**msgspec.structs.asdict(entry)) for entry in entries]


def _sample_flow() -> FlowRow:
    flow = read_sample_flow(AFTER_SALES)
    graph = msgspec.to_builtins(flow)
    return FlowRow(id=AFTER_SALES, version=1, name="售后", status="published", graph=graph)


def _prepare_folder(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = data / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as exc:
        raise StartError(
            f"The data folder {data} cannot be written ({exc.strerror}). Make it writable for "
            "this user, free some space, or set QINGNIAO_DATA to another folder."
        ) from exc


def _raise_file_limit() -> None:
    """Every connection is a file: use what the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
