"""What waits to be stored. Owns two lines, each bounded in messages and bytes (policy: refuse).

Agents and workers have a line of their own, so that a flood of visitors cannot keep those out who
work it off; they go first, and a part of every batch stays the visitors'. Rule: a device is always
in the same line, in its order.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from qingniao.chat.intake import Decision, Intent, Message
from qingniao.config import PipelineConfig
from qingniao.errors import StorageError

__all__ = ["Lanes", "Reply", "Waiting"]

Reply = Callable[[Decision | StorageError], None]
"""Called on the loop once the intent's fate is known; must not raise."""

Waiting = tuple[Intent, Reply | None, int]
"""An intent, who wants to hear of its fate, and how many bytes it came in."""

_VISITORS_SHARE: Final = 4
"""One in so many of a full batch is a visitor's, however much the agents have to say."""


class Lane:
    """One line. Bounded; what does not fit is not taken."""

    __slots__ = ("_most_bytes", "items", "most", "size")

    def __init__(self, most: int, most_bytes: int) -> None:
        self.most, self._most_bytes = most, most_bytes
        self.items: deque[Waiting] = deque()
        self.size = 0

    def put(self, item: Waiting) -> bool:
        """At the end; False when there is no room."""
        items = self.items
        # Whatever its size, one message fits into an empty line.
        if items and (len(items) >= self.most or self.size + item[2] > self._most_bytes):
            return False
        items.append(item)
        self.size += item[2]
        return True

    def take(self, most: int, most_bytes: int) -> list[Waiting]:
        """Items from the front, within both bounds."""
        items, size = self.items, 0
        taken: list[Waiting] = []
        while items and len(taken) < most:
            size += items[0][2]
            if size > most_bytes:
                size -= items[0][2]
                break
            taken.append(items.popleft())
        self.size -= size
        return taken

    def put_back(self, item: Waiting) -> None:
        """At the front, whether there is room or not: it had some before."""
        self.items.appendleft(item)
        self.size += item[2]

    def clear(self) -> None:
        """Forget everything."""
        self.items.clear()
        self.size = 0


class Lanes:
    """Everything that was taken and is not being stored yet."""

    def __init__(self, config: PipelineConfig) -> None:
        self._config = config
        self.visitors = Lane(config.waiting, config.waiting_bytes)
        self.staff = Lane(config.waiting_staff, config.waiting_bytes)

    def __len__(self) -> int:
        return len(self.visitors.items) + len(self.staff.items)

    @property
    def room(self) -> int:
        """Messages that may come before a line is half full; below 0 when one is."""
        visitors, staff = self.visitors, self.staff
        return min(
            visitors.most // 2 - len(visitors.items), staff.most // 2 - len(staff.items)
        )  # fmt: skip

    @property
    def size(self) -> int:
        """Bytes of all that waits."""
        return self.visitors.size + self.staff.size

    def put(self, item: Waiting) -> bool:
        """Take it, or say that there is no room in its line."""
        return self._lane(item[0]).put(item)

    def take(self, most: int) -> list[Waiting]:
        """The next batch: at most so many (two or more), within the bytes of a batch."""
        visitors, most_bytes = self.visitors, self._config.batch_bytes
        kept = min(len(visitors.items), most // _VISITORS_SHARE or 1)
        kept_bytes = min(visitors.size, most_bytes // _VISITORS_SHARE)
        taken = self.staff.take(most - kept, most_bytes - kept_bytes)
        if not taken:
            return visitors.take(most, most_bytes)
        size = sum(item[2] for item in taken)
        return taken + visitors.take(most - len(taken), most_bytes - size)

    def put_back(self, taken: Iterable[Waiting]) -> None:
        """What `take` gave was not stored and still waits, before all else."""
        for item in reversed(list(taken)):
            self._lane(item[0]).put_back(item)

    def clear(self) -> list[Waiting]:
        """Take everything out."""
        everything = [*self.staff.items, *self.visitors.items]
        self.staff.clear()
        self.visitors.clear()
        return everything

    def _lane(self, intent: Intent) -> Lane:
        if type(intent) is Message and not intent.agent:
            return self.visitors
        return self.staff
