"""A node on its own: enter it, resume it, and see what it finds wrong with its settings."""

from typing import Any

import msgspec

from qingniao.flow.events import Event
from qingniao.flow.nodes import KINDS
from qingniao.flow.nodes.base import Act, Scene


def scene(text: str = "好", **changes: Any) -> Scene:
    plain = {"locale": "zh-CN", "files": 0, "facts": {}, "variables": {}, "counters": {}}
    return Scene(text=text, **(plain | changes))


class Alone:
    """One kind with settings."""

    def __init__(self, kind: str, **settings: Any) -> None:
        self.kind = KINDS[kind]
        self.plain = settings
        self.settings: msgspec.Struct = msgspec.convert(settings, self.kind.settings)

    def but(self, **changes: Any) -> "Alone":
        return Alone(self.kind.name, **(self.plain | changes))

    def enter(self, here: Scene | None = None) -> Act:
        return self.kind.enter(self.settings, here or scene())

    def resume(self, event: Event, here: Scene | None = None) -> Act:
        return self.kind.resume(self.settings, here or scene(), event)

    def ports(self) -> dict[str, str]:
        """By name what stands in."""
        return {port.name: port.otherwise for port in self.kind.ports(self.settings)}

    def faults(self) -> set[str]:
        """Codes."""
        found = list(self.kind.faults(self.settings))
        assert all(text.endswith(".") and text.mend.endswith(".") for text in found)  # type: ignore[attr-defined]
        return {text.code for text in found}  # type: ignore[attr-defined]
