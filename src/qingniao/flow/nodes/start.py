"""`start`: where a new message enters, and why this flow begins. Owns what a trigger matches.

Rule: triggers are tried in their order and the first that matches decides; a message that none
matches goes by `asked`, one without words by `file`, if those are drawn.
"""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final, Literal

from msgspec import Struct

from qingniao.flow.clockwork import MAX_OFFSET_MIN, Hours, hours_faults, is_within
from qingniao.flow.events import Elapsed, Event
from qingniao.flow.nodes.base import FAILED, Act, Fault, Kind, Port, Scene, Value

__all__ = ["MAX_TRIGGERS", "Start", "StartSettings", "Trigger", "trigger_of"]

MAX_TRIGGERS: Final = 20
MIN_IDLE_S: Final = 10.0
MAX_IDLE_S: Final = 86_400.0
_FIXED: Final = frozenset({"asked", "file", FAILED})

On = Literal["conversation", "keyword", "page", "schedule", "idle"]


class Trigger(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Leave by `port` when it matches.

    `conversation`: the first message of a session. `keyword`: one of `words` is in the message;
    with `is_whole` it is all of it. `page`: it was written on a page like one of `pages`, where `*`
    stands for anything. `schedule`: it was written within `hours`. `idle`: nobody has written for
    `idle_s` seconds since the flow's last word; this one is not about a message.
    """

    port: str
    on: On
    words: tuple[str, ...] = ()
    is_whole: bool = False
    pages: tuple[str, ...] = ()
    hours: tuple[Hours, ...] = ()
    idle_s: float = 60.0


class StartSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`triggers`: in order, why and by which way this flow begins. `catches`: also take what no
    trigger of any flow matches; of several such flows the one published last does. Without both,
    the flow begins only where another calls it. `utc_offset_min`: whose clock `schedule` reads."""

    triggers: tuple[Trigger, ...] = ()
    catches: bool = True
    utc_offset_min: int = 480

    def idle_s(self) -> float:
        """The silence after which this flow speaks; 0: it does not."""
        return next((t.idle_s for t in self.triggers if t.on == "idle"), 0.0)


class Start(Kind[StartSettings]):
    """Tells words from files, and a reason to begin from another."""

    name = "start"
    settings = StartSettings

    def ports(self, settings: StartSettings) -> tuple[Port, ...]:
        drawn = tuple(
            Port(t.port, speaks=True, wakes=True)
            if t.on == "idle"
            else Port(t.port, otherwise="asked")
            for t in settings.triggers
        )
        return (*drawn, Port("asked"), Port("file", otherwise="asked"))

    def faults(self, settings: StartSettings) -> Iterator[str]:
        if len(settings.triggers) > MAX_TRIGGERS:
            yield Fault(
                f"A start has at most {MAX_TRIGGERS} triggers.",
                code="too_many_triggers",
                mend="Join triggers that lead to the same node.",
                most=MAX_TRIGGERS,
            )
        if abs(settings.utc_offset_min) > MAX_OFFSET_MIN:
            yield Fault(
                "The clock is set to a zone that does not exist.",
                code="utc_offset",
                mend="Give the minutes ahead of UTC, such as 480 for Beijing.",
            )
        names = [trigger.port for trigger in settings.triggers]
        if len(set(names)) < len(names) or _FIXED & set(names) or not all(names):
            yield Fault(
                "Each trigger needs a way out with a name of its own.",
                code="port_names",
                mend="Name them differently, and not asked, file or failed.",
            )
        if sum(trigger.on == "idle" for trigger in settings.triggers) > 1:
            yield Fault(
                "A flow can notice a silence once.",
                code="two_idle",
                mend="Keep one trigger for silence; a wait node can come after it.",
            )
        for trigger in settings.triggers:
            yield from _trigger_faults(trigger)

    def reads(self, settings: StartSettings) -> Iterator[str]:
        if any(trigger.on == "page" for trigger in settings.triggers):
            yield "visitor.page"

    def enter(self, settings: StartSettings, scene: Scene) -> Act:
        note: dict[str, Value] = {"files": scene.files} if scene.files else {}
        trigger = trigger_of(settings, scene)
        if trigger is not None:
            return Act(port=trigger.port, note=note | {"trigger": trigger.on})
        wordless = bool(scene.files) and not scene.text.strip()
        return Act(port="file" if wordless else "asked", note=note)

    def resume(self, settings: StartSettings, scene: Scene, event: Event) -> Act:
        idle = next((t for t in settings.triggers if t.on == "idle"), None)
        if idle is None or not isinstance(event, Elapsed):
            return Act(port=FAILED)
        return Act(port=idle.port, note={"trigger": "idle"})


def trigger_of(settings: StartSettings, scene: Scene) -> Trigger | None:
    """The first trigger that the message at hand matches."""
    for trigger in settings.triggers:
        if _matches(trigger, settings, scene):
            return trigger
    return None


def _matches(trigger: Trigger, settings: StartSettings, scene: Scene) -> bool:
    match trigger.on:
        case "conversation":
            return scene.about.is_first
        case "keyword":
            return _has_word(trigger, scene.text.casefold().strip())
        case "page":
            page = str(scene.lookup("visitor.page") or "")
            return any(fnmatchcase(page, pattern) for pattern in trigger.pages)
        case "schedule":
            now_ms = scene.about.now_ms
            return any(is_within(h, now_ms, settings.utc_offset_min) for h in trigger.hours)
        case "idle":
            return False


def _has_word(trigger: Trigger, text: str) -> bool:
    for word in map(str.casefold, trigger.words):
        if trigger.is_whole:
            if text == word:
                return True
        elif word.isascii():
            # "return" is not in "returned": Latin words have an end, Chinese ones do not.
            if re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", text):
                return True
        elif word in text:
            return True
    return False


def _trigger_faults(trigger: Trigger) -> Iterator[Fault]:
    given = {
        "keyword": bool(trigger.words) and all(word.strip() for word in trigger.words),
        "page": bool(trigger.pages) and all(page.strip() for page in trigger.pages),
        "schedule": bool(trigger.hours),
        "idle": MIN_IDLE_S <= trigger.idle_s <= MAX_IDLE_S,
    }.get(trigger.on, True)
    if not given:
        yield Fault(
            f"The trigger {trigger.port!r} says nothing that could match.",
            code="empty_trigger",
            mend=(
                "Give words, pages or hours; a silence lasts between"
                f" {MIN_IDLE_S:.0f} and {MAX_IDLE_S:.0f} seconds."
            ),
            port=trigger.port,
        )
    for hours in trigger.hours:
        for text in hours_faults(hours):
            yield Fault(
                f"The trigger {trigger.port!r}: {text}",
                code="hours",
                mend="Write times such as 09:00 and days from 1 (Monday) to 7.",
                port=trigger.port,
            )
