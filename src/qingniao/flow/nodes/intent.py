"""`intent`: what a message is about. Owns the order of its ways out.

Rule: a wish for a person comes first, anger second, topics last: "how long does a refund take? get
me a person" is a wish for a person.
"""

from collections.abc import Iterator

from msgspec import Struct

from qingniao.flow.effects import Classify
from qingniao.flow.events import Classified, Event
from qingniao.flow.nodes.base import Act, Kind, Port, Scene, Value

__all__ = ["Intent", "IntentSettings", "Route"]

LIKELY = 0.5
"""The confidence from which a clause is believed to be about its likeliest intent."""

FIXED = ("person", "angry", "other", "failed")


class Route(Struct, frozen=True, forbid_unknown_fields=True):
    """Messages with one of `intents` leave by `port`, if it is at least `at` sure (0 to 1).

    Below the node's threshold nothing leaves by a route, whatever its `at`. `alone`: only if
    nothing else was said: "thanks, and who pays the postage?" is more than thanks.
    """

    port: str
    intents: tuple[str, ...]
    at: float = 0.0
    alone: bool = False


class IntentSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`threshold`: the least confidence, 0 to 1, at which a topic decides the way.

    `judge`: a bot that says which intent it is, in place of the house's own classifier; `explains`:
    it is told the intents, as a plain model needs it, and not only given the message.
    """

    threshold: float = 0.6
    routes: tuple[Route, ...] = ()
    judge: str = ""
    explains: bool = True


class Intent(Kind[IntentSettings]):
    """Asks the classifier and chooses a way."""

    name = "intent"
    settings = IntentSettings

    def ports(self, settings: IntentSettings) -> tuple[Port, ...]:
        routes = tuple(Port(route.port) for route in settings.routes)
        return (
            Port("person"),
            Port("angry"),
            *routes,
            Port("other"),
            Port("failed", otherwise="other"),
        )

    def faults(self, settings: IntentSettings) -> Iterator[str]:
        if not all(
            0.0 <= at <= 1.0 for at in (settings.threshold, *(r.at for r in settings.routes))
        ):
            yield "A threshold must be between 0 and 1."
        names = [*FIXED, *(route.port for route in settings.routes)]
        if len(set(names)) < len(names):
            yield "Two ways out have the same name."
        if any(not route.port or not route.intents for route in settings.routes):
            yield "A way out needs a name and at least one intent."
        routed = [intent for route in settings.routes for intent in route.intents]
        if len(set(routed)) < len(routed):
            yield "An intent can take only one way out."
        if settings.judge and not routed:
            yield "A bot that judges needs intents to choose from."

    def enter(self, settings: IntentSettings, scene: Scene) -> Act:
        by_clause = any(route.alone for route in settings.routes)
        labels = tuple(intent for route in settings.routes for intent in route.intents)
        classify = Classify(
            text=scene.text,
            by_clause=by_clause,
            judge=settings.judge,
            labels=labels if settings.judge else (),
            explains=settings.explains,
        )
        return Act(effects=(classify,), awaits="classified")

    def resume(self, settings: IntentSettings, scene: Scene, event: Event) -> Act:
        if not isinstance(event, Classified):
            return Act(port="failed")
        facts: dict[str, Value] = {"intent": event.intent, "angry": event.angry}
        note: dict[str, Value] = {"intent": event.intent, "confidence": event.confidence}
        if event.why:
            note["why"] = list(event.why)
        if event.clauses:
            note["clauses"] = [clause.intent for clause in event.clauses]
        port = _way(settings, event)
        text = _matter(settings, event) if port == "other" else None
        return Act(port=port, facts=facts, note=note, text=text)


def _way(settings: IntentSettings, event: Classified) -> str:
    if event.wants_person:
        return "person"
    if event.angry:
        return "angry"
    for route in settings.routes:
        is_sure = event.confidence >= max(settings.threshold, route.at)
        if event.intent in route.intents and is_sure:
            return "other" if route.alone and _says_more(settings, event) else route.port
    return "other"


def _small(settings: IntentSettings) -> set[str]:
    """The intents that want to be alone."""
    return {intent for route in settings.routes if route.alone for intent in route.intents}


def _says_more(settings: IntentSettings, event: Classified) -> bool:
    small = _small(settings)
    return any(c.intent not in small for c in event.clauses if c.confidence >= LIKELY)


def _matter(settings: IntentSettings, event: Classified) -> str | None:
    """The message without its pleasantries, which only mislead a search; `None`: leave it so."""
    small = _small(settings)
    rest = [c.text for c in event.clauses if c.intent not in small or c.confidence < LIKELY]
    if not rest or len(rest) == len(event.clauses):
        return None
    return "".join(rest).strip()
