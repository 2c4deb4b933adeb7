"""Every room with its engine: the only file that names one. Owns the order of their opening.

Rule: what is opened here is put on the stack at once, so that it is closed in reverse order.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import qingniao
from qingniao.api.app import create_app
from qingniao.api.services import Services, Trust
from qingniao.auth import Passwords, RateLimit, Signer, SignInLimit
from qingniao.bots.base import BotMisconfigured, BotService
from qingniao.bots.local import LocalBot
from qingniao.bus.memory import MemoryFanout, MemoryPresence, MemoryWorkQueue
from qingniao.chat.ports import Role
from qingniao.clock import wall_ms
from qingniao.config import Config
from qingniao.gateway.ports import GatewayServices
from qingniao.gateway.server import GatewayServer
from qingniao.knowledge.entries import Entry
from qingniao.metrics import Metrics
from qingniao.pipeline.pipeline import Pipeline
from qingniao.runtime.answering import Answering
from qingniao.runtime.changes import Changes
from qingniao.runtime.door import Door
from qingniao.runtime.furnishing import furnish
from qingniao.runtime.health import Health
from qingniao.runtime.standstill import Standstill, refuse_if_moved
from qingniao.runtime.stores import make_learning, open_blobs, open_database, open_keys
from qingniao.storage.conversations import ConversationIndex
from qingniao.storage.files import Files
from qingniao.storage.first_run import FirstRun
from qingniao.storage.flows import Flows
from qingniao.storage.ids import IdRange, Ids
from qingniao.storage.knowledge import KnowledgeEntries
from qingniao.storage.messages_rocksdb import RocksMessageLog
from qingniao.storage.site import SiteSettings
from qingniao.storage.users import Sessions, Users
from qingniao.storage.visitors import Arrivals, Visitors
from qingniao.training import Built
from qingniao.workers.assignment import Agent, AssignmentWorker
from qingniao.workers.dispatch import Sweeper
from qingniao.workers.index import IndexWorker
from qingniao.workers.senses import Mind

__all__ = ["House"]

_ENTRIES_AT_ONCE: Final = 500
"""Of the knowledge base in one turn of the loop: about a millisecond."""
_WEB_ROOT: Final = Path(qingniao.__file__).parent / "web"


class House:
    """The rooms, in the order in which they depend on each other."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._bot: LocalBot | None = None

    async def open(self, stack: AsyncExitStack) -> FirstRun | None:
        """Open the stores, make the first run if it is one, learn what is to be known. The data
        folder is there and can be written. Raises `StartError`."""
        config = self._config
        data = Path(config.data)
        if not config.database.url:
            await asyncio.to_thread(refuse_if_moved, data)
        self.log = await asyncio.to_thread(
            RocksMessageLog, data / "messages", heads=config.storage.heads
        )
        stack.push_async_callback(self.log.close)
        self.database = await open_database(config)
        stack.push_async_callback(self.database.close)
        keys, self._shared_keys = await open_keys(config, self.database)
        self.signer = Signer(keys)
        self.blobs = await open_blobs(config, self.database)
        stack.push_async_callback(self.blobs.close)
        self.fanout, self.presence = MemoryFanout(), MemoryPresence()
        self.queue = MemoryWorkQueue(config.workers.waiting)
        self.pipeline = Pipeline(self.log, self.fanout, self.queue, wall_ms, config.pipeline)
        self.users, self.sessions = Users(self.database), Sessions(self.database)
        self.visitors = Visitors(self.database, Arrivals())
        self.index = ConversationIndex(self.database, self.visitors)
        self.knowledge = KnowledgeEntries(self.database)
        self.passwords = Passwords()
        self.health = Health(self.log)
        self.standstill = Standstill(data, self.pipeline, self.log, self.database)
        self.metrics = Metrics()
        self.mind = Mind()
        self.learning = make_learning(
            config, self.database, self.blobs, self._entries, self._learnt
        )
        first = await furnish(self.database, self.passwords, now_ms=wall_ms())
        await self.learning.learn()
        await self._work()
        self.gateway = GatewayServer(self._gateway_services(), create_app(self._services()))
        for source in (
            self.pipeline, self.gateway, self.log, self.queue, self._answering.dispatcher,
            self.health, self.database, self.standstill,
        ):  # fmt: skip
            self.metrics.add(source.readings)
        return first

    async def listen(self) -> str:
        """Open the port; the URL to reach it."""
        config = self._config
        port = await self.gateway.start(config.host, config.port)
        self.health.state = "ok"
        host = "127.0.0.1" if config.host in ("0.0.0.0", "::") else config.host  # noqa: S104
        return config.public_url or f"http://{host}:{port}"

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """Everything that runs until the end."""
        shared = [] if self._shared_keys is None else [self._shared_keys.run()]
        return [
            *shared,
            self.pipeline.run(),
            self._answering.dispatcher.run(),
            self._assigning.run(),
            self._indexing.run(),
            self._sweeper.run(),
            self.learning.run(),
            self.standstill.run(),
            self.health.keep_reads(),
            self.health.watch_loop(),
        ]

    async def drain(self) -> None:
        """Take nobody in any more, and send those away who are here."""
        self.health.state = "draining"
        await self.gateway.close()

    async def _work(self) -> None:
        self._answering = Answering(
            self.log, self.pipeline, self.fanout, self.queue, visitors=self.visitors,
            senses=self.mind, bot=self._find_bot, parallel=self._config.ai.parallel,
        )  # fmt: skip
        await self._answering.load_flow(Flows(self.database))
        self._assigning = AssignmentWorker(
            self.log, self.fanout, self.presence, self.pipeline.submit, self._agents,
            self.index.assigned, wall_ms,
        )  # fmt: skip
        self._indexing = IndexWorker(
            self.log, self.queue, self.index, lambda: self.pipeline.is_busy
        )
        self._sweeper = Sweeper(self.log, self.queue, (Role.AI, Role.INDEX))

    def _find_bot(self, bot: str) -> BotService:
        if self._bot is None or bot not in ("", self._bot.name):
            raise BotMisconfigured(f"There is no bot called {bot}.")
        return self._bot

    def _learnt(self, learnt: Built) -> None:
        self.mind.use(learnt)
        if self._bot is None:
            self._bot = LocalBot(learnt.retriever)
        else:
            self._bot.use(learnt.retriever)

    async def _entries(self) -> list[Entry]:
        entries = []
        for number, row in enumerate(await self.knowledge.all(), 1):
            entry = Entry(
                id=row.id, title=row.title, question=row.question, answer=row.answer,
                alternatives=row.alternatives, category=row.category,
            )  # fmt: skip
            entries.append(entry)
            if number % _ENTRIES_AT_ONCE == 0:
                await asyncio.sleep(0)
        return entries

    async def _agents(self) -> Sequence[Agent]:
        return [
            Agent(id=user.id, name=user.name, accepting=user.accepting)
            for user in await self.users.all()
            if not user.disabled
        ]

    def _gateway_services(self) -> GatewayServices:
        door = Door(self.signer, self.users, self.sessions, self.visitors, wall_ms)
        return GatewayServices(
            log=self.log, pipeline=self.pipeline, fanout=self.fanout, presence=self.presence,
            authenticate=door.authenticate, clock=wall_ms, config=self._config.gateway,
            wire=self._config.wire, proxies=self._proxies(),
        )  # fmt: skip

    def _proxies(self) -> frozenset[str]:
        written = self._config.api.trusted_proxies.split(",")
        return frozenset(address.strip() for address in written if address.strip())

    def _services(self) -> Services:
        api = self._config.api
        changes = Changes(self.log, self.pipeline, self.fanout, self.queue, self.presence)
        return Services(
            users=self.users,
            sessions=self.sessions,
            visitors=self.visitors,
            index=self.index,
            files=Files(self.database),
            knowledge=self.knowledge,
            site=SiteSettings(self.database),
            blobs=self.blobs,
            conversation_numbers=IdRange(Ids(self.database), "conversation"),
            passwords=self.passwords,
            signer=self.signer,
            clock=wall_ms,
            presence=self.presence,
            heads=self.log.heads,
            rename=changes.rename,
            ready=lambda: self.health.state,
            metrics=self.metrics.render,
            sign_in_limit=SignInLimit(clock=wall_ms),
            visitor_limit=_per_minute(api.visitors_per_minute),
            upload_limit=_per_minute(api.uploads_per_minute),
            version=qingniao.__version__,
            web_root=_WEB_ROOT,
            file_bytes=self._config.wire.file_bytes,
            trust=Trust(
                proxies=self._proxies(), secure=self._config.public_url.startswith("https:")
            ),
            on_signed_out=changes.signed_out,
            on_user_changed=changes.user_changed,
            on_knowledge_changed=self.learning.request,
        )


def _per_minute(times: int) -> RateLimit:
    return RateLimit(per_s=times / 60, burst=times, clock=wall_ms)
