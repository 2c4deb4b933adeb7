"""What stands around the AI worker: the flow it walks, and the ways in and out of it.

Owns the published flow and the dispatcher; refuses to know a bot. Rule: a conversation's mark is
cleared only when its head says that nothing is owed.
"""

import asyncio
from typing import Literal

from qingniao.bus.base import Fanout, Whisper, WorkQueue
from qingniao.chat.intake import Decision, Outcome, Reported, Summary
from qingniao.chat.ports import MessageLog, Role
from qingniao.clock import Clock, wall_ms
from qingniao.pipeline.pipeline import Pipeline
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.frames import Delta
from qingniao.runtime.flows import FlowShelf
from qingniao.storage.flows import Flows
from qingniao.storage.visitors import Visitors
from qingniao.workers.ai import AIWorker
from qingniao.workers.attachments import Attachments
from qingniao.workers.dispatch import Dispatcher
from qingniao.workers.ports import Bots, Outside, Senses, Teams
from qingniao.workers.ratings import Ratings
from qingniao.workers.waking import Timers

__all__ = ["Answering"]


class Answering:
    """The AI worker with everything it asks for."""

    def __init__(
        self,
        log: MessageLog,
        pipeline: Pipeline,
        fanout: Fanout,
        queue: WorkQueue,
        *,
        visitors: Visitors,
        senses: Senses,
        bot: Bots,
        teams: Teams,
        attachments: Attachments,
        hands: Outside | None = None,
        timers: Timers | None = None,
        clock: Clock = wall_ms,
        parallel: int,
        while_answering: Literal["queue", "cancel"] = "queue",
    ) -> None:
        self._log = log
        self._pipeline = pipeline
        self._fanout = fanout
        self._visitors = visitors
        self.flows = FlowShelf()
        self._worker = AIWorker(
            log,
            submit=self._submit,
            publish_delta=self._publish_delta,
            plan=self.flows,
            flows=self.flows,
            hands=hands,
            timers=timers,
            clock=clock,
            senses=senses,
            bot=bot,
            locale=self._locale_of,
            teams=teams,
            attachments=attachments,
            while_answering=while_answering,
        )
        self.ratings = Ratings(log, self._submit, bot)
        self.dispatcher = Dispatcher(Role.AI, queue, self._answer, parallel)

    async def load_flow(self, flows: Flows) -> None:
        """Walk what is published; before anything is, the sample. Call it before the first
        conversation."""
        await self.flows.load(flows)

    async def keep_flow(self, flows: Flows, released: asyncio.Event) -> None:
        """Load what is published later, when told and every few seconds, until cancelled."""
        await self.flows.keep(flows, released)

    async def _answer(self, conversation: int) -> bool:
        await self._worker.handle(conversation)
        head = await self._log.head(conversation)
        if head is None:
            return False
        if head.rated:
            # Beside the conversation, which goes on; the mark stays until they are told.
            self.ratings.begin(head)
        elif not head.owes_bot:
            await self._log.clear(Role.AI, [(conversation, head.last)])
        return head.owes_answer or head.owes_summary

    async def _submit(self, intent: Outcome | Reported | Summary) -> Decision:
        return await self._pipeline.submit(intent)

    def _publish_delta(self, conversation: int, draft: int, offset: int, text: str) -> None:
        frame = MSGPACK.encode(Delta(conversation, draft, offset, text))
        # A piece may be lost on its way to a slow reader; that it was taken back may not.
        self._fanout.publish(Whisper(conversation, frame, droppable=bool(text)))

    async def _locale_of(self, visitor: str) -> str:
        found = await self._visitors.get(visitor)
        return found.locale if found is not None else ""
