"""`start`: where a new message enters. Rule: a message without words goes by `file`, if drawn."""

from qingniao.flow.nodes.base import Act, Kind, NoSettings, Port, Scene

__all__ = ["Start"]


class Start(Kind[NoSettings]):
    """Tells words from files."""

    name = "start"
    settings = NoSettings

    def ports(self, settings: NoSettings) -> tuple[Port, ...]:
        return (Port("asked"), Port("file", otherwise="asked"))

    def enter(self, settings: NoSettings, scene: Scene) -> Act:
        wordless = bool(scene.files) and not scene.text.strip()
        note = {"files": scene.files} if scene.files else {}
        return Act(port="file" if wordless else "asked", note=note)
