"""The ports of the bus. Engines beside it: `memory.py`, and Redis's in `redis.py`.

Rule: everything here is a hint. The message log is the truth; whoever misses a hint finds the same
news there (clients by `seq`, workers by their marks), and whoever may have missed one is told so
(`Gap`).
"""

from collections.abc import Callable, Iterable
from typing import Literal, Protocol

from msgspec import Struct

__all__ = [
    "Attendance",
    "Audience",
    "Fanout",
    "Gap",
    "Moved",
    "News",
    "Presence",
    "Published",
    "RateLimits",
    "Released",
    "Returned",
    "SignInLimits",
    "SignOut",
    "Told",
    "Touched",
    "Whisper",
    "WorkQueue",
]

Audience = Literal["all", "agents", "visitor"]


class Told(Struct, frozen=True, array_like=True, gc=False):
    """One stored entry: its frame in MessagePack, and what a gateway must know to route it."""

    seq: int
    type: int
    frame: bytes
    device: str = ""
    """The sender's `sender/device`; that connection has its ack instead."""


class News(Struct, frozen=True, array_like=True, tag=1):
    """New entries of one conversation, ascending. `moved`: it changed hands."""

    conversation: int
    entries: tuple[Told, ...]
    moved: bool = False


class Whisper(Struct, frozen=True, array_like=True, gc=False, tag=2):
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


class SignOut(Struct, frozen=True, array_like=True, gc=False, tag=3):
    """Close every connection of this agent's session."""

    session: str


class Attendance(Struct, frozen=True, array_like=True, gc=False, tag=4):
    """An agent came (first connection), left (last one), or changed: a name, `accepting`."""

    agent: int
    is_here: bool
    name: str = ""
    """The agent's name, when it may have changed."""


class Returned(Struct, frozen=True, array_like=True, gc=False, tag=5):
    """A visitor whose conversation waits has connected: they want to hear their place."""

    conversation: int


class Moved(Struct, frozen=True, array_like=True, gc=False, tag=6):
    """A conversation changed hands: its head says to whom."""

    conversation: int


class Released(Struct, frozen=True, array_like=True, gc=False, tag=7):
    """There is a new version of what everybody works with. After a `Gap` ask which one it is."""

    what: Literal["flow", "knowledge", "settings", "bots"]
    version: str = ""


class Touched(Struct, frozen=True, array_like=True, tag=8):
    """What a list shows of these conversations has changed. Engines make it of News and whispers
    that are not delivered here; nobody publishes it."""

    conversations: tuple[int, ...]


class Gap(Struct, frozen=True, array_like=True, tag=9):
    """Something may have been lost: of these conversations, or (none named) of anything. Engines
    deliver it once what comes from now on arrives; nobody else publishes it."""

    conversations: tuple[int, ...] = ()


Published = News | Whisper | SignOut | Attendance | Returned | Moved | Released | Touched | Gap


class Fanout(Protocol):
    """To everybody who asked. At most once; in order per conversation and publisher; never blocks.

    News and whispers go to those who follow their conversation. SignOut, Attendance, Returned,
    Moved and Released go to every subscriber: there are few of them. A subscriber may hear more
    than it asked for.
    """

    @property
    def is_whole(self) -> bool:
        """False while something that is published may not arrive here: then ask the log every now
        and then. A `Gap` is delivered when it is over."""
        ...

    def publish(self, item: Published) -> None:
        """Hand it to every subscriber; those of this process have it when this returns. Bounded: an
        engine that is behind drops whispers first."""
        ...

    def subscribe(self, deliver: Callable[[Published], None]) -> Callable[[], None]:
        """Call `deliver` for what is published from now on; returns the way to stop."""
        ...

    async def follow(self, conversation: int) -> None:
        """Have its news and whispers (of 0, the lists: `Touched` for every conversation that
        changes, a few times a second). When it returns, everything published later arrives; or the
        bus is away, and a `Gap` will say when it is back. Following twice is following once."""
        ...

    def unfollow(self, conversation: int) -> None:
        """Have them no more."""
        ...


class WorkQueue(Protocol):
    """ "Conversation X has news" for a role. At least once or not at all: workers must not mind.

    What was taken belongs to the taker until it is `done`. If the taker's process dies or stands
    still before that, it is given to another.
    """

    def put(self, role: str, conversation: int) -> None:
        """Never blocks. A conversation that waits already is not queued twice, within reason."""
        ...

    async def take(self, role: str, most: int = 1) -> list[int]:
        """The next conversations, one to `most` of them, waiting for the first. Each goes to one
        taker; none is given to another process as long as this one has it, within reason."""
        ...

    def done(self, role: str, conversation: int) -> None:
        """It was dealt with, or given up: the mark in the log says whether more is owed."""
        ...


class Presence(Protocol):
    """Who is connected, counted by connections (`"v:<id>"`, `"a:<id>"`)."""

    def enter(self, who: str) -> bool:
        """One more connection. True if it is the first of this process."""
        ...

    def leave(self, who: str) -> bool:
        """One connection less. True if it was the last of this process."""
        ...

    async def online(self, whos: Iterable[str]) -> set[str]:
        """Which of them have a connection anywhere. Answers within a deadline; while the bus is
        away, what was known last."""
        ...


class RateLimits(Protocol):
    """How often somebody may, whichever process they come to. While the bus is away each process
    counts for itself."""

    async def take(self, key: str) -> int:
        """Count one. 0: go ahead. Otherwise: not now, and in how many milliseconds."""
        ...


class SignInLimits(Protocol):
    """How often somebody may try a password; see `auth.SignInLimit`."""

    async def attempt(self, address: str, login: str) -> int:
        """Count a try. 0: go ahead. Otherwise: refused, try again in that many milliseconds."""
        ...

    async def succeeded(self, address: str, login: str) -> None:
        """The password was right: the login's tries are forgiven, and this one of the origin."""
        ...
