"""The AI role: visitors are answered. Owns the bots of this process and what they have learnt."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Final

from qingniao.bots.base import BotMisconfigured, BotService
from qingniao.bots.local import LocalBot
from qingniao.bus.base import Gap, Published, Released
from qingniao.chat.ports import Role
from qingniao.knowledge.entries import Entry
from qingniao.metrics import Reading
from qingniao.runtime.answering import Answering
from qingniao.runtime.flow_hands import make_hands
from qingniao.runtime.foundation import Foundation
from qingniao.runtime.learning import make_learning
from qingniao.runtime.rooms.sweeping import own_sweeper
from qingniao.storage.files import Files
from qingniao.storage.timers import FlowTimers
from qingniao.training import Built
from qingniao.workers.attachments import Attachments
from qingniao.workers.senses import Mind
from qingniao.workers.waking import Waker

__all__ = ["AIRoom"]

_ENTRIES_AT_ONCE: Final = 500
"""Of the knowledge base in one turn of the loop: about a millisecond."""


class AIRoom:
    """`Room` of the role `worker:ai`."""

    def __init__(self, base: Foundation) -> None:
        engines, bus = base.engines, base.engines.bus
        self._fanout = bus.fanout
        self._flows = base.flows
        self._knowledge = base.knowledge
        self._flow_released = asyncio.Event()
        self._mind = Mind()
        self._base = base
        self._bot: LocalBot | None = None
        self._own: dict[str, BotService] = {}
        self._shelf = base.shelf
        self._default = base.config.ai.bot
        self._learning = make_learning(
            base.config, engines.database, engines.blobs, self._entries, self._learnt
        )
        base.senses, base.find_bot = self._mind, self._find_bot
        self._sweeper = own_sweeper(engines, Role.AI)
        self._waker = Waker(FlowTimers(engines.database), engines.log, bus.queue, engines.clock)
        self._answering = Answering(
            engines.log, base.pipeline, bus.fanout, bus.queue, visitors=base.visitors,
            senses=self._mind, bot=self._find_bot, parallel=base.config.ai.parallel,
            teams=base.teams.all, while_answering=base.config.ai.while_answering,
            attachments=Attachments(
                Files(engines.database), engines.blobs, public_url=base.config.public_url
            ),
            hands=make_hands(base), timers=self._waker, clock=engines.clock,
        )  # fmt: skip

    async def open(self) -> None:
        """Learn what is to be known, and read the published flow."""
        # First: what is released meanwhile is looked at afterwards.
        self._fanout.subscribe(self._hear)
        await self._learning.learn()
        await self._answering.load_flow(self._flows)
        await self._shelf.look()

    def jobs(self) -> list[Coroutine[None, None, None]]:
        """See `Room`."""
        return [
            self._answering.dispatcher.run(),
            self._answering.ratings.run(),
            self._answering.keep_flow(self._flows, self._flow_released),
            self._waker.run(),
            self._learning.run(),
            self._shelf.run(),
            self._base.bot_watch.run(),
            self._sweeper.run(),
        ]

    def readings(self) -> Iterable[Reading]:
        """See `Room`."""
        yield from self._answering.dispatcher.readings()
        yield from self._waker.readings()
        yield from self._answering.ratings.readings()
        yield from self._shelf.figures.readings()

    async def drain(self, within_s: float) -> None:
        """Answer those who are being answered; the others keep their mark."""
        await self._answering.dispatcher.drain(within_s)
        await self._base.bot_watch.flush()

    def _hear(self, item: Published) -> None:
        """A hint that there is something new, or that one may have been lost."""
        is_lost = type(item) is Gap and not item.conversations
        what = item.what if type(item) is Released else ""
        if is_lost or what == "knowledge":
            self._learning.request()
        if is_lost or what == "bots":
            self._shelf.release()
        if is_lost or what == "flow":
            self._flow_released.set()

    def _find_bot(self, bot: str) -> BotService:
        bot = bot or self._shelf.first or self._default
        if self._bot is not None and bot in ("", self._bot.name):
            return self._own[self._bot.name]
        found = self._shelf.answering(bot, self._own)
        if found is None:
            raise BotMisconfigured(f"There is no bot called {bot}.")
        return found

    def _learnt(self, learnt: Built) -> None:
        self._mind.use(learnt)
        if self._bot is None:
            self._bot = self._base.local_bot = LocalBot(learnt.retriever)
            self._own[self._bot.name] = self._shelf.figures.measured(self._bot)
        else:
            self._bot.use(learnt.retriever)

    async def _entries(self) -> list[Entry]:
        entries = []
        for number, row in enumerate(await self._knowledge.all(), 1):
            entry = Entry(
                id=row.id, title=row.title, question=row.question, answer=row.answer,
                alternatives=row.alternatives, category=row.category,
            )  # fmt: skip
            entries.append(entry)
            if number % _ENTRIES_AT_ONCE == 0:
                await asyncio.sleep(0)
        return entries
