"""`answer`: a bot writes and the visitor reads along. Owns what becomes of the bot's wishes.

Rule: what is not whole or not sure is not said. A bot that asks for a person gets one, drawn or
not; anything else that it wants and nobody here can do is written down and not done.
"""

from collections.abc import Iterator

from msgspec import Struct

from qingniao.chat.lifecycle import Why
from qingniao.flow.effects import AskBot, Say
from qingniao.flow.events import Answered, BotFailed, Event, Wish
from qingniao.flow.nodes.base import CALLED, TEAM, Act, Kind, Port, Scene, Value

__all__ = ["Answer", "AnswerSettings"]

MAX_OPTIONS = 3
MAX_DEADLINE_S = 120.0
HANDOFF = "handoff"


class AnswerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`bot`: which one, empty for the default. `floor`: the least confidence at which its answer is
    shown; a bot that cannot tell its confidence is trusted. `idle_s`: the longest silence,
    `deadline_s`: the longest reply, in seconds. `offers`: show what the bot suggests to ask."""

    bot: str = ""
    floor: float = 0.5
    idle_s: float = 25.0
    deadline_s: float = 60.0
    offers: bool = True


class Answer(Kind[AnswerSettings]):
    """Asks a bot and judges what comes back."""

    name = "answer"
    settings = AnswerSettings

    def ports(self, settings: AnswerSettings) -> tuple[Port, ...]:
        return (
            Port("answered", speaks=True),
            Port("unsure"),
            Port("failed"),
            Port("person", calls=Why.BOT_CALLED),
        )

    def faults(self, settings: AnswerSettings) -> Iterator[str]:
        if not 0.0 <= settings.floor <= 1.0:
            yield "The least confidence must be between 0 and 1."
        if not 0.0 < settings.idle_s <= settings.deadline_s <= MAX_DEADLINE_S:
            yield (
                "The longest silence must be above 0 and not above the longest reply, which is at"
                f" most {MAX_DEADLINE_S:.0f} seconds."
            )

    def enter(self, settings: AnswerSettings, scene: Scene) -> Act:
        ask = AskBot(
            text=scene.text,
            locale=scene.locale,
            floor=settings.floor,
            idle_s=settings.idle_s,
            deadline_s=settings.deadline_s,
            bot=settings.bot,
        )
        return Act(effects=(ask,), awaits="answered")

    def resume(self, settings: AnswerSettings, scene: Scene, event: Event) -> Act:
        if not isinstance(event, Answered):
            reason = event.reason if isinstance(event, BotFailed) else "It took too long."
            return Act(port="failed", note={"reason": reason})
        note: dict[str, Value] = {"bot": event.bot, "took_ms": event.took_ms}
        if event.version:
            note["version"] = event.version
        if event.confidence is not None:
            note["confidence"] = event.confidence
        call = next((wish for wish in event.wishes if wish.kind == HANDOFF), None)
        if ignored := [_written(wish) for wish in event.wishes if wish is not call]:
            note["ignored"] = ignored
        is_good = bool(event.text.strip()) and not _below(event.confidence, settings.floor)
        if call is not None:
            facts = _called(call, note)
            said = (_say(settings, event),) if is_good else ()
            return Act(effects=said, port="person", facts=facts, note=note)
        if not is_good:
            near = list(event.options) or list(scene.options())
            return Act(port="unsure", facts={"options": near}, note=note)
        note["cites"] = [cite.id for cite in event.cites]
        say = _say(settings, event)
        return Act(effects=(say,), port="answered", counters={"unsure": 0}, note=note)


def _say(settings: AnswerSettings, event: Answered) -> Say:
    return Say(
        text=event.text,
        options=event.options[:MAX_OPTIONS] if settings.offers else (),
        cites=event.cites,
        confidence=event.confidence,
        bot=event.bot,
        took_ms=event.took_ms,
        partial=event.partial,
        version=event.version,
    )


def _called(call: Wish, note: dict[str, Value]) -> dict[str, Value]:
    """What the nodes after this one are to know; what decided goes into `note`."""
    facts: dict[str, Value] = {CALLED: call.reason}
    if call.reason:
        note["reason"] = call.reason
    if call.team:
        facts[TEAM] = call.team
    elif call.name:
        note["unknown_team"] = call.name
    return facts


def _written(wish: Wish) -> str:
    return f"{wish.kind} {wish.name}".strip()


def _below(confidence: float | None, floor: float) -> bool:
    return confidence is not None and confidence < floor
