"""What is counted while a load runs. Owns histograms of microseconds and the tallies of a process.

Rule: everything here adds up: what several processes counted, merged, is what one would have
counted. A histogram keeps whole numbers up to 255 exactly and larger ones to one part in 128,
upwards, so that it never says that something was faster than it was.
"""

from typing import Any, Final, Self

from msgspec import Struct, field

__all__ = ["Histogram", "Tally", "Way"]

_EXACT: Final = 256
_STEPS: Final = 128
"""Buckets for each power of two above `_EXACT`."""


class Histogram(Struct):
    """How often each latency came, in buckets that widen with the value."""

    counts: dict[int, int] = field(default_factory=dict)
    """Bucket → times."""
    highest_us: int = 0

    def record(self, us: int) -> None:
        """One more latency; what lies before its own beginning counts as 0."""
        if us < _EXACT:
            bucket = us if us > 0 else 0
        else:
            shift = us.bit_length() - 8
            bucket = shift * _STEPS + (us >> shift)
        counts = self.counts
        counts[bucket] = counts.get(bucket, 0) + 1
        if us > self.highest_us:
            self.highest_us = us

    @property
    def total(self) -> int:
        """How many were recorded."""
        return sum(self.counts.values())

    def at(self, share: float) -> int:
        """The latency in µs that `share` of them do not exceed; 0 for none."""
        wanted = share * self.total
        passed = 0
        for bucket in sorted(self.counts):
            passed += self.counts[bucket]
            if passed >= wanted:
                return min(_top(bucket), self.highest_us)
        return self.highest_us

    def merge(self, other: "Histogram") -> None:
        """Add what another one recorded."""
        for bucket, times in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + times
        self.highest_us = max(self.highest_us, other.highest_us)

    def take(self) -> "Histogram":
        """What was recorded so far; begins anew."""
        taken = Histogram(dict(self.counts), self.highest_us)
        self.counts.clear()
        self.highest_us = 0
        return taken


def _top(bucket: int) -> int:
    """The largest value that falls into a bucket."""
    if bucket < _EXACT:
        return bucket
    shift = bucket // _STEPS - 1
    return ((bucket - shift * _STEPS + 1) << shift) - 1


class _Sum(Struct):
    """Figures that add up, field by field."""

    def merge(self, other: Any) -> None:
        """Add another one's figures."""
        for name in self.__struct_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, int):
                setattr(self, name, mine + theirs)
            elif isinstance(mine, dict):
                for key, times in theirs.items():
                    mine[key] = mine.get(key, 0) + times
            else:
                mine.merge(theirs)

    def take(self) -> Self:
        """What was counted so far; begins anew, in place: others hold on to the parts."""
        taken = type(self)()
        for name in self.__struct_fields__:
            mine = getattr(self, name)
            if isinstance(mine, int):
                setattr(taken, name, mine)
                setattr(self, name, 0)
            elif isinstance(mine, dict):
                setattr(taken, name, dict(mine))
                mine.clear()
            else:
                setattr(taken, name, mine.take())
        return taken


class Way(_Sum):
    """Messages of one direction. Times count from when the schedule wanted each one sent."""

    sent: int = 0
    """Put on the wire, each once however often it had to be said again."""
    acked: int = 0
    delivered: int = 0
    """Arrived at the other side."""
    busy: int = 0
    """Times the server said `busy`."""
    refused: int = 0
    """Answered with an error: never stored."""
    repeated: int = 0
    """Arrived more than once."""
    lost: int = 0
    """Acked, never delivered, and the other side was there all the time."""
    cut_off: int = 0
    """Acked and not delivered because the other side's connection had ended."""
    unacked: int = 0
    """Sent and still without an answer when the run ended."""
    unsent: int = 0
    """Wanted by the schedule and never sent: no connection, or too many waiting already."""
    ack: Histogram = field(default_factory=Histogram)
    delivery: Histogram = field(default_factory=Histogram)


class Tally(_Sum):
    """Everything that one process counts."""

    connected: int = 0
    failed: int = 0
    """Attempts to connect that came to nothing."""
    given_up: int = 0
    """Connections that did not come about after several attempts."""
    left: int = 0
    """Visitors who had said what they wanted and went."""
    slow_closed: int = 0
    """Connections that stopped reading and were closed for it."""
    heartbeats: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    """Close code → connections that ended although nobody here wanted it."""
    errors: dict[str, int] = field(default_factory=dict)
    """Code of `error` frames → times."""
    asks: Way = field(default_factory=Way)
    """Visitors to agents."""
    answers: Way = field(default_factory=Way)
    """Agents to visitors."""
    bot: Histogram = field(default_factory=Histogram)
    """From a question that the bot has not answered until its next answer."""
    connect: Histogram = field(default_factory=Histogram)
    """From the wish to connect until `welcome`."""
    late: Histogram = field(default_factory=Histogram)
    """How late this tool itself was: from the schedule until it turned to the message."""
