"""Hours of a week. Owns what "on weekdays from nine to six" means; refuses to know the time.

Rule: a time of day is read on the clock of a fixed offset from UTC; the moment comes in as
milliseconds.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

__all__ = ["MAX_OFFSET_MIN", "Hours", "hours_faults", "is_within", "local"]

MAX_OFFSET_MIN: Final = 14 * 60
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")


class Hours(Struct, frozen=True, forbid_unknown_fields=True):
    """On `days` (1 is Monday, none: every day) from `begins` to `ends`, such as `09:00` and
    `18:00`; hours that end before they begin last beyond midnight."""

    begins: str = "00:00"
    ends: str = "24:00"
    days: tuple[int, ...] = ()


def local(now_ms: int, utc_offset_min: int) -> datetime:
    """The moment on that clock."""
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    return (moment + timedelta(minutes=utc_offset_min)).replace(tzinfo=None)


def is_within(hours: Hours, now_ms: int, utc_offset_min: int) -> bool:
    """Is the moment within these hours?"""
    here = local(now_ms, utc_offset_min)
    at_min = here.hour * 60 + here.minute
    begins, ends = _minutes(hours.begins), _minutes(hours.ends)
    today, yesterday = here.isoweekday(), (here - timedelta(days=1)).isoweekday()
    if begins <= ends:
        return begins <= at_min < ends and _is_on(hours, today)
    # After midnight the hours are still those of the day on which they began.
    return (at_min >= begins and _is_on(hours, today)) or (
        at_min < ends and _is_on(hours, yesterday)
    )


def hours_faults(hours: Hours) -> Iterator[str]:
    """Say what is wrong with them."""
    for time in (hours.begins, hours.ends):
        if not _TIME.fullmatch(time):
            yield f"“{time[:20]}” is not a time of day."
    if hours.begins == hours.ends:
        yield "Hours that end when they begin are none."
    for day in hours.days:
        if not 1 <= day <= 7:
            yield f"There is no day {day} in a week."


def _is_on(hours: Hours, day: int) -> bool:
    return not hours.days or day in hours.days


def _minutes(time: str) -> int:
    hour, _, minute = time.partition(":")
    return int(hour) * 60 + int(minute or 0)
