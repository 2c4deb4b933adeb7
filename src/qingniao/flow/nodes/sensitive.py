"""`sensitive`: what may not be talked about. Owns where a verdict leads, not what is said then.

Rule: a failed look goes on: nobody is turned away because a word list could not be read.
"""

from collections.abc import Iterator

from msgspec import Struct

from qingniao.flow.effects import Moderate
from qingniao.flow.events import Event, Moderated
from qingniao.flow.nodes.base import Act, Kind, Port, Scene, Value
from qingniao.flow.nodes.looking import look_faults

__all__ = ["Sensitive", "SensitiveSettings"]


class SensitiveSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`timeout_s`: how long the look may take, in seconds; 0: as long as the house lets it."""

    timeout_s: float = 0.0


class Sensitive(Kind[SensitiveSettings]):
    """Asks the word lists; `flagged` goes on as `passed` unless it is drawn."""

    name = "sensitive"
    settings = SensitiveSettings

    def ports(self, settings: SensitiveSettings) -> tuple[Port, ...]:
        return (
            Port("passed"),
            Port("blocked"),
            Port("flagged", otherwise="passed"),
            Port("failed", otherwise="passed"),
        )

    def faults(self, settings: SensitiveSettings) -> Iterator[str]:
        yield from look_faults(settings.timeout_s)

    def enter(self, settings: SensitiveSettings, scene: Scene) -> Act:
        moderate = Moderate(text=scene.text, within_s=settings.timeout_s)
        return Act(effects=(moderate,), awaits="moderated")

    def resume(self, settings: SensitiveSettings, scene: Scene, event: Event) -> Act:
        if not isinstance(event, Moderated):
            return Act(port="failed")
        port = "passed" if event.verdict == "clean" else event.verdict
        note: dict[str, Value] = {"verdict": event.verdict}
        if event.words:
            note["words"] = list(event.words)
        return Act(port=port, note=note)
