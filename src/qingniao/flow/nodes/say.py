"""`say`: a fixed message. Rule: the words are settings; there are none in the code."""

from collections.abc import Iterator

from msgspec import Struct

from qingniao.flow.effects import Say as SayEffect
from qingniao.flow.graph import DEFAULT_LOCALE, Texts
from qingniao.flow.nodes.base import Act, Fault, Kind, Port, Scene, text_faults
from qingniao.flow.templates import render, template_faults

__all__ = ["Say", "SaySettings"]

MAX_OPTIONS = 6


class SaySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`text`: what is said, by locale. `options`: by locale, what to offer as buttons below it."""

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
            yield Fault(
                f"At most {MAX_OPTIONS} buttons can be offered.",
                code="too_many_buttons",
                mend="Remove some, or use a buttons node, which waits for the choice.",
                most=MAX_OPTIONS,
            )
        for option in self._options(settings):
            for text in template_faults(option):
                yield Fault(text, code="template", mend="Leave only a name between the braces.")

    def templates(self, settings: SaySettings) -> Iterator[str]:
        yield from settings.text.values()
        yield from self._options(settings)

    def enter(self, settings: SaySettings, scene: Scene) -> Act:
        options = settings.options.get(scene.locale, settings.options.get(DEFAULT_LOCALE, ()))
        say = SayEffect(
            text=scene.say(settings.text),
            options=tuple(render(option, scene.lookup) for option in options),
        )
        return Act(effects=(say,), port="next")

    @staticmethod
    def _options(settings: SaySettings) -> Iterator[str]:
        for options in settings.options.values():
            yield from options
