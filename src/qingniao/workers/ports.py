"""What the AI worker needs from others. Owns the ports; the composition root fills them.

Rule: everything here that waits may hang or fail; the worker bounds it and goes on.
"""

from collections.abc import Sequence
from typing import Protocol

from qingniao.bots.base import BotService
from qingniao.chat.head import Head
from qingniao.chat.intake import Decision, Outcome, Reported, Summary
from qingniao.flow.effects import Fetch, Remember
from qingniao.flow.events import (
    About,
    Classified,
    Fetched,
    Found,
    Moderated,
    Remembered,
    ServiceFailed,
    TimedOut,
    VisitorSaid,
)
from qingniao.flow.plan import Needs, Plan
from qingniao.protocol.frames import Entry
from qingniao.storage.rows import Team

__all__ = [
    "Bots",
    "Flows",
    "Locales",
    "Log",
    "Outside",
    "Plans",
    "PublishDelta",
    "Senses",
    "Submit",
    "Teams",
]


class Log(Protocol):
    """The part of `chat.ports.MessageLog` that is read here."""

    async def head(self, conversation: int) -> Head | None:
        """Where it stands, or `None` if nothing was ever said. Do not change it."""
        ...

    async def entries(self, conversation: int, after: int, limit: int) -> list[Entry]:
        """Up to `limit` entries with `seq` > `after`, ascending."""
        ...


class Senses(Protocol):
    """How the house understands a message. May raise anything."""

    async def moderate(self, text: str) -> Moderated:
        """Which sensitive words are in it."""
        ...

    async def classify(self, text: str) -> Classified:
        """What it is about and how it is meant."""
        ...

    async def search(self, text: str, limit: int) -> Found:
        """What the knowledge base holds on it, best first."""
        ...


class Bots(Protocol):
    """Finds a bot by its id; the empty id is the default bot."""

    def __call__(self, bot: str, /) -> BotService:
        """Raises `BotMisconfigured` if there is none of this id."""
        ...


class PublishDelta(Protocol):
    """A piece of an answer being written, to whoever is watching."""

    def __call__(self, conversation: int, draft: int, offset: int, text: str, /) -> None:
        """At most once, in order; never blocks. `offset` counts characters (code points)."""
        ...


class Submit(Protocol):
    """The one way in (`pipeline`)."""

    async def __call__(self, intent: Outcome | Reported | Summary, /) -> Decision:
        """On disk when it returns. Raises `Busy` or `StorageError`; then nothing was stored."""
        ...


class Plans(Protocol):
    """The flow that conversations run on."""

    def __call__(self) -> Plan:
        """The published one, ready to run."""
        ...


class Flows(Protocol):
    """All published flows, and the versions that conversations still wait in."""

    @property
    def needs(self) -> Needs:
        """What has to be known before `choose` can be asked."""
        ...

    def choose(self, said: VisitorSaid) -> Plan:
        """The flow that a message begins."""
        ...

    async def edition(self, edition: str) -> Plan | None:
        """The plan of these versions; `None` if one is gone or cannot be read any more. May raise
        anything."""
        ...


class Outside(Protocol):
    """What a flow has done outside of its conversation. Never raises, and never takes for ever."""

    async def about(self, visitor: str, needs: Needs, *, is_first: bool) -> About:
        """What is known as a turn begins."""
        ...

    async def fetch(self, fetch: Fetch) -> Fetched | ServiceFailed | TimedOut:
        """Ask another machine."""
        ...

    async def remember(
        self, visitor: str, conversation: int, remember: Remember
    ) -> Remembered | ServiceFailed | TimedOut:
        """Write on the visitor's record."""
        ...


class Locales(Protocol):
    """Which language a visitor reads."""

    async def __call__(self, visitor: str, /) -> str:
        """A locale such as `zh-CN`; empty when unknown."""
        ...


class Teams(Protocol):
    """The teams there are."""

    async def __call__(self) -> Sequence[Team]:
        """All of them, now. May raise `StorageError`."""
        ...
