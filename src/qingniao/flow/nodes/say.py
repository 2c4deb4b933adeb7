"""`say`: a fixed sentence. Rule: the words are settings; there are none in the code."""

from collections.abc import Iterator

from msgspec import Struct

from qingniao.flow.effects import Say as SayEffect
from qingniao.flow.graph import DEFAULT_LOCALE, Texts, pick
from qingniao.flow.nodes.base import Act, Kind, Port, Scene, text_faults

__all__ = ["Say", "SaySettings"]

MAX_OPTIONS = 6


class SaySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`options`: by locale, what to offer as buttons below the text."""

    text: Texts
    options: dict[str, tuple[str, ...]] = {}


class Say(Kind[SaySettings]):
    """Says it and goes on."""

    name = "say"
    settings = SaySettings

    def ports(self, settings: SaySettings) -> tuple[Port, ...]:
        return (Port("next", speaks=True),)

    def faults(self, settings: SaySettings) -> Iterator[str]:
        yield from text_faults(settings.text, "The text")
        if any(len(options) > MAX_OPTIONS for options in settings.options.values()):
            yield f"At most {MAX_OPTIONS} buttons can be offered."

    def enter(self, settings: SaySettings, scene: Scene) -> Act:
        options = settings.options.get(scene.locale, settings.options.get(DEFAULT_LOCALE, ()))
        return Act(
            effects=(SayEffect(text=pick(settings.text, scene.locale), options=options),),
            port="next",
        )
