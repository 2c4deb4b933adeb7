"""What all roles of a process stand on: the engines, the tables over them, the one way into a log.

Owns what several rooms share; refuses to know what they do with it. Rule: nothing is opened here;
whatever has to be closed is an engine.
"""

from typing import TYPE_CHECKING, Final

from qingniao.auth.sealing import Sealer
from qingniao.config import Config
from qingniao.metrics import Metrics
from qingniao.outgoing.client import Outgoing
from qingniao.outgoing.guard import Guard
from qingniao.pipeline.pipeline import Pipeline
from qingniao.runtime.engines import Engines
from qingniao.runtime.health import Health
from qingniao.storage.bot_records import BotRecords
from qingniao.storage.bots import BotLedger, Bots
from qingniao.storage.conversations import ConversationIndex
from qingniao.storage.flow_secrets import FlowSecrets
from qingniao.storage.flows import Flows
from qingniao.storage.knowledge import KnowledgeEntries
from qingniao.storage.teams import Teams
from qingniao.storage.users import Sessions, Users
from qingniao.storage.visitors import Arrivals, Visitors

if TYPE_CHECKING:
    from qingniao.bots.base import BotService
    from qingniao.runtime.bot_watch import BotWatch
    from qingniao.runtime.bots import Shelf
    from qingniao.workers.ports import Bots as FindBot
    from qingniao.workers.ports import Senses

__all__ = ["Foundation"]


class Foundation:
    """Made once in a process, before its rooms."""

    def __init__(self, config: Config, engines: Engines) -> None:
        self.config: Final = config
        self.engines: Final = engines
        self.pipeline = Pipeline(
            engines.log, engines.bus.fanout, engines.bus.queue, engines.clock, config.pipeline
        )
        self.users = Users(engines.database)
        self.sessions = Sessions(engines.database)
        self.teams = Teams(engines.database)
        self.visitors = Visitors(engines.database, Arrivals())
        self.index = ConversationIndex(engines.database, self.visitors)
        self.knowledge = KnowledgeEntries(engines.database)
        self.bots = Bots(engines.database)
        self.bot_records = BotRecords(engines.database)
        self.local_bot: BotService | None = None
        """The bot of the house, if this process answers visitors."""
        self.sealer = Sealer(engines.keys)
        self.outgoing = Outgoing(
            Guard.of(config.outgoing.allow),
            connections=config.outgoing.connections,
            connections_each=config.outgoing.connections_each,
        )
        self.flows = Flows(engines.database)
        self.flow_secrets = FlowSecrets(engines.database)
        self.senses: Senses | None = None
        """How messages are understood in this process; `None` where nobody answers visitors."""
        self.find_bot: FindBot | None = None
        """Who answers in this process; the same."""
        self._shelf: Shelf | None = None
        self._bot_watch: BotWatch | None = None
        self.health = Health(engines.log, engines.bus.degraded)
        self.metrics = Metrics()
        for readings in (self.pipeline.readings, self.health.readings, *engines.readings):
            self.metrics.add(readings)

    async def close(self) -> None:
        """Break off what is asked of other machines."""
        if self._shelf is not None:
            await self._shelf.close()
        await self.outgoing.close()

    @property
    def shelf(self) -> "Shelf":
        """The bots of outside platforms; loaded by the roles that ask for it."""
        from qingniao.runtime.bots import Shelf

        if self._shelf is None:
            ledger = BotLedger(self.engines.database)
            self._shelf = Shelf(
                self.bots, self.sealer, self.outgoing, ledger, self.bot_records, self.bot_watch
            )
        return self._shelf

    @property
    def bot_watch(self) -> "BotWatch":
        """Takes note of what bots do for visitors."""
        from qingniao.runtime.bot_watch import BotWatch

        if self._bot_watch is None:
            self._bot_watch = BotWatch(self.bot_records, self.engines.clock)
        return self._bot_watch

    def proxies(self) -> frozenset[str]:
        """Addresses of proxies whose word about the caller is believed."""
        written = self.config.api.trusted_proxies.split(",")
        return frozenset(address.strip() for address in written if address.strip())
