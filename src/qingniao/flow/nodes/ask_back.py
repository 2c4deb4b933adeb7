"""`ask_back`: "did you mean …?" Owns the count of unsure turns in a row.

Rule: it asks at most `limit - 1` times in a row, then gives up: being asked again and again is
worse than waiting for a person. An answer in between sets the count back (`answer` does).
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from qingniao.flow.effects import Say
from qingniao.flow.events import Event
from qingniao.flow.graph import Texts
from qingniao.flow.nodes.base import Act, Kind, Port, Scene, Value, text_faults

__all__ = ["AskBack", "AskBackSettings"]

MAX_OPTIONS = 3
OFFERED: Final = "offered"
"""The variable that holds what was offered, so that a reply "2" can be understood."""

MAX_OFFERED_CHARS: Final = 120
"""Of each question offered, what is remembered: the state of a conversation is small."""

NUMERALS: Final = {"1": 0, "2": 1, "3": 2, "一": 0, "二": 1, "三": 2}


class AskBackSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`text` introduces the options, `text_alone` is said when there is nothing to offer. `limit`:
    which unsure turn in a row gives up. `none_of_these`: replies that turn all options down."""

    text: Texts
    text_alone: Texts
    none_of_these: tuple[str, ...] = ()
    limit: int = 2
    most: int = MAX_OPTIONS


class AskBack(Kind[AskBackSettings]):
    """Offers the nearest questions and waits for the visitor."""

    name = "ask_back"
    settings = AskBackSettings

    def ports(self, settings: AskBackSettings) -> tuple[Port, ...]:
        return (
            Port("replied", waits=True),
            Port("file", otherwise="replied", waits=True),
            Port("given_up"),
            Port("none", otherwise="given_up", waits=True),
        )

    def faults(self, settings: AskBackSettings) -> Iterator[str]:
        yield from text_faults(settings.text, "The question with options")
        yield from text_faults(settings.text_alone, "The question without options")
        if not 2 <= settings.limit <= 5:
            yield "It can give up at the second to fifth time in a row."
        if not 1 <= settings.most <= MAX_OPTIONS:
            yield f"Between 1 and {MAX_OPTIONS} questions can be offered."

    def enter(self, settings: AskBackSettings, scene: Scene) -> Act:
        unsure = scene.counters.get("unsure", 0) + 1
        note: dict[str, Value] = {"unsure": unsure}
        if unsure >= settings.limit:
            return Act(port="given_up", counters={"unsure": unsure}, note=note)
        offered = scene.options()[: settings.most]
        say = Say(
            text=scene.say(settings.text if offered else settings.text_alone),
            options=offered,
        )
        note["options"] = list(offered)
        return Act(
            effects=(say,),
            awaits="said",
            counters={"unsure": unsure},
            variables={OFFERED: [text[:MAX_OFFERED_CHARS] for text in offered]},
            note=note,
        )

    def resume(self, settings: AskBackSettings, scene: Scene, event: Event) -> Act:
        offered = scene.variables.get(OFFERED, [])
        chosen = None
        port = "replied"
        if scene.files and not scene.text.strip():
            port = "file"
        elif offered and isinstance(offered, list):
            chosen = _chosen(scene.text, offered)
            if chosen is None and _bare(scene.text) in settings.none_of_these:
                port = "none"
        note: dict[str, Value] = {"chose": chosen} if chosen is not None else {}
        return Act(port=port, text=chosen, variables={OFFERED: []}, note=note)


def _bare(text: str) -> str:
    """A short reply without what goes around it."""
    return text.casefold().strip(" .。、，,!！~～\n")


def _chosen(text: str, offered: list[str]) -> str | None:
    """The offered question that a bare number such as "2", "第二个" or "2." stands for."""
    bare = _bare(text).removeprefix("第").rstrip("个条项")
    index = NUMERALS.get(bare)
    return offered[index] if index is not None and index < len(offered) else None
