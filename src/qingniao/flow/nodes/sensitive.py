"""`sensitive`: what may not be talked about. Owns where a verdict leads, not what is said then.

Rule: a failed look goes on: nobody is turned away because a word list could not be read.
"""

from qingniao.flow.effects import Moderate
from qingniao.flow.events import Event, Moderated
from qingniao.flow.nodes.base import Act, Kind, NoSettings, Port, Scene, Value

__all__ = ["Sensitive"]


class Sensitive(Kind[NoSettings]):
    """Asks the word lists; `flagged` goes on as `passed` unless it is drawn."""

    name = "sensitive"
    settings = NoSettings

    def ports(self, settings: NoSettings) -> tuple[Port, ...]:
        return (
            Port("passed"),
            Port("blocked"),
            Port("flagged", otherwise="passed"),
            Port("failed", otherwise="passed"),
        )

    def enter(self, settings: NoSettings, scene: Scene) -> Act:
        return Act(effects=(Moderate(text=scene.text),), awaits="moderated")

    def resume(self, settings: NoSettings, scene: Scene, event: Event) -> Act:
        if not isinstance(event, Moderated):
            return Act(port="failed")
        port = "passed" if event.verdict == "clean" else event.verdict
        note: dict[str, Value] = {"verdict": event.verdict}
        if event.words:
            note["words"] = list(event.words)
        return Act(port=port, note=note)
