"""What can be asked of a double beside an answer: a script of one or more scenarios.

Owns their names and the one spelling, `name` or `name:argument`, several separated by blanks. It
stands in double brackets in a question (`怎么退货？ [[truncate]]`) or is set from outside for the
next requests. Refuses to act: `disturbance.py` and `wire.py` do, and the platforms their own.
Rule: a word that no double knows is said to be so, never ignored.
"""

import re
from typing import Final

from msgspec import Struct

__all__ = ["COMMON", "LINE", "Script", "parse", "taken_out"]

LINE: Final = {
    "slow": "waits before the first byte; `slow:500` for half a second (2,000 ms)",
    "wait": "begins at once, but its first event comes late; `wait:500` (2,000 ms); pings go on",
    "hang": "takes the request and never answers",
    "hang-midway": "says half of the answer, then nothing, with the connection open",
    "stall": "the same, but the platform's pings go on",
    "reset": "resets the connection before the first byte",
    "reset-midway": "says half of the answer, then resets the connection",
    "cut": "closes the connection in the middle of an event",
    "truncate": "ends properly after half of the events: no end of the answer is told",
    "again": "everything once more after its end, the end included",
    "drip": "waits after every piece; `drip:20` for 20 ms (200 ms)",
    "split": "tears the bytes apart, in the middle of every character",
    "crlf": "lines end with CR LF",
    "garbage": "HTTP 200 and bytes that mean nothing",
    "garbage-midway": "a piece of nonsense between two events",
    "html": "a web page instead of the interface; `html:502` with that status (200)",
    "redirect": "sends to an address inside the network; `redirect:URL` elsewhere",
    "status": "a bare HTTP status with a line of text; `status:503` (500)",
}
"""Faults of the line, the same for every platform."""
COMMON: Final = {
    "unauthorized": "the key is wrong",
    "quota": "the account has no money or quota left: asking again is of no use",
    "rate": "too many requests: asking again later helps",
    "error": "a failure of the platform; `error:NAME` a documented one",
    "error-midway": "the platform fails after half of the answer",
    "empty": "a whole answer without a word",
    "repeat": "the answer twice, one after the other",
    "loop": "the same sentence a thousand times",
    "form": "asks the visitor to fill in a form or to choose, where the platform can",
    "reasoning": "thinks aloud first, where the platform can",
    "odd": "spacing, comments and events that the platform may use and clients must bear",
}
"""What every platform has, each in its own words."""

_WRITTEN: Final = re.compile(r"\[\[([^\[\]]{1,200})\]\]")


class Script(Struct, frozen=True):
    """Scenarios by name, each with its argument or an empty one."""

    scenarios: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.scenarios

    @property
    def names(self) -> set[str]:
        """Without arguments."""
        return set(self.scenarios)

    def argument(self, name: str, default: str = "") -> str:
        """What follows the colon."""
        return self.scenarios.get(name, "") or default

    def seconds(self, name: str, default_s: float) -> float:
        """The argument, which is in milliseconds, in seconds."""
        text = self.scenarios.get(name, "")
        return float(text) / 1_000 if text.replace(".", "", 1).isdecimal() else default_s

    def without(self, name: str) -> "Script":
        """All the others."""
        return Script({one: said for one, said in self.scenarios.items() if one != name})

    def joined(self, other: "Script") -> "Script":
        """Both; what the other says wins."""
        return Script({**self.scenarios, **other.scenarios})


def parse(words: str) -> Script:
    """`drip:20 truncate` → a script. Any names: the double checks them against its own."""
    found = {}
    for word in words.split():
        name, _, argument = word.partition(":")
        found[name] = argument
    return Script(found)


def taken_out(text: str) -> tuple[str, Script]:
    """The question without what stands in double brackets, and that as a script."""
    words = " ".join(_WRITTEN.findall(text))
    return _WRITTEN.sub("", text).strip(), parse(words)
