"""`knowledge`: is there an answer in the knowledge base? Rule: it looks and never speaks.

What was near is remembered as `options`, for a node that asks back.
"""

from collections.abc import Iterator

from msgspec import Struct

from qingniao.flow.effects import Search
from qingniao.flow.events import Event, Found
from qingniao.flow.nodes.base import Act, Kind, Port, Scene
from qingniao.flow.nodes.looking import look_faults

__all__ = ["Knowledge", "KnowledgeSettings"]

MAX_LIMIT = 10


class KnowledgeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`sure_at`: the least confidence at which an entry counts as the answer; `near_at`: at which
    its question is worth offering. `limit`: how many entries to look at. `timeout_s`: how long the
    look may take, in seconds; 0: as long as the house lets it."""

    sure_at: float = 0.5
    near_at: float = 0.2
    limit: int = 4
    timeout_s: float = 0.0


class Knowledge(Kind[KnowledgeSettings]):
    """Searches, and tells a sure hit from a near one."""

    name = "knowledge"
    settings = KnowledgeSettings

    def ports(self, settings: KnowledgeSettings) -> tuple[Port, ...]:
        return (Port("sure"), Port("unsure"), Port("failed", otherwise="unsure"))

    def faults(self, settings: KnowledgeSettings) -> Iterator[str]:
        if not 0.0 <= settings.near_at <= settings.sure_at <= 1.0:
            yield "The thresholds must be between 0 and 1, the one for offering below the other."
        if not 1 <= settings.limit <= MAX_LIMIT:
            yield f"Between 1 and {MAX_LIMIT} entries can be looked at."
        yield from look_faults(settings.timeout_s)

    def enter(self, settings: KnowledgeSettings, scene: Scene) -> Act:
        search = Search(text=scene.text, limit=settings.limit, within_s=settings.timeout_s)
        return Act(effects=(search,), awaits="found")

    def resume(self, settings: KnowledgeSettings, scene: Scene, event: Event) -> Act:
        if not isinstance(event, Found):
            return Act(port="failed")
        best = event.hits[0].confidence if event.hits else 0.0
        near = [hit.question for hit in event.hits if hit.confidence >= settings.near_at]
        return Act(
            port="sure" if event.hits and best >= settings.sure_at else "unsure",
            facts={"options": near, "confidence": best},
            note={"confidence": best, "hits": [hit.id for hit in event.hits]},
        )
