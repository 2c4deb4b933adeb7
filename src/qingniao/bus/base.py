"""The three ports of the bus. Engines beside it: `memory.py`.

Rule: everything here is a hint. The message log is the truth; whoever misses a hint finds the same
news there (clients by `seq`, workers by their marks).
"""

from collections.abc import Callable
from typing import Literal, Protocol

from msgspec import Struct

__all__ = [
    "Attendance",
    "Audience",
    "Fanout",
    "News",
    "Presence",
    "Published",
    "Returned",
    "SignOut",
    "Told",
    "Whisper",
    "WorkQueue",
]

Audience = Literal["all", "agents", "visitor"]


class Told(Struct, frozen=True, gc=False):
    """One stored entry: its frame in MessagePack, and what a gateway must know to route it."""

    seq: int
    type: int
    frame: bytes
    device: str = ""
    """The sender's `sender/device`; that connection has its ack instead."""


class News(Struct, frozen=True):
    """New entries of one conversation, ascending. `moved`: it changed hands."""

    conversation: int
    entries: tuple[Told, ...]
    moved: bool = False


class Whisper(Struct, frozen=True, gc=False):
    """Something that is never stored (typing, delta, read marks): an encoded frame.

    `droppable` ones are the first to go when a reader is slow.
    """

    conversation: int
    frame: bytes
    audience: Audience = "all"
    droppable: bool = True
    device: str = ""
    """The connection that caused it, which is not told."""
    lists: bool = False
    """Does it change what the agents' list shows?"""


class SignOut(Struct, frozen=True, gc=False):
    """Close every connection of this agent's session."""

    session: str


class Attendance(Struct, frozen=True, gc=False):
    """An agent came (first connection), left (last one), or changed: a name, `accepting`."""

    agent: int
    is_here: bool
    name: str = ""
    """The agent's name, when it may have changed."""


class Returned(Struct, frozen=True, gc=False):
    """A visitor whose conversation waits has connected: they want to hear their place."""

    conversation: int


Published = News | Whisper | SignOut | Attendance | Returned


class Fanout(Protocol):
    """To every gateway. At most once; in order per conversation and publisher; never blocks."""

    def publish(self, item: Published) -> None:
        """Hand it to every subscriber. Bounded: an engine that is behind drops whispers first."""
        ...

    def subscribe(self, deliver: Callable[[Published], None]) -> Callable[[], None]:
        """Call `deliver` for everything published from now on; returns the way to stop."""
        ...


class WorkQueue(Protocol):
    """ "Conversation X has news" for a role. At least once or not at all: workers must not mind."""

    def put(self, role: str, conversation: int) -> None:
        """Never blocks. A conversation that waits already is not queued twice."""
        ...

    async def take(self, role: str) -> int:
        """The next conversation, waiting for one. Each goes to one taker."""
        ...


class Presence(Protocol):
    """Who is connected, counted by connections (`"v:<id>"`, `"a:<id>"`)."""

    def enter(self, who: str) -> bool:
        """One more connection. True if it is the first."""
        ...

    def leave(self, who: str) -> bool:
        """One connection less. True if it was the last."""
        ...

    def is_online(self, who: str) -> bool:
        """Is at least one connection up?"""
        ...

    def online(self, prefix: str) -> list[str]:
        """Everyone online whose name starts so."""
        ...
