"""`buttons`: one of several, and a way for each. Rule: what is typed counts like what is clicked,
by its words or its number; anything else leaves by `other` and is never lost.
"""

from collections.abc import Iterator

from msgspec import Struct

from qingniao.flow.capture import choose
from qingniao.flow.effects import Say
from qingniao.flow.events import Elapsed, Event
from qingniao.flow.graph import Texts
from qingniao.flow.nodes.base import FAILED, Act, Fault, Kind, Port, Scene, Value, text_faults
from qingniao.flow.nodes.waiting import (
    SILENT,
    choice_faults,
    kept,
    name_faults,
    silent_port,
    timeout_faults,
    timer,
    wordless,
)

__all__ = ["Button", "Buttons", "ButtonsSettings"]

_FIXED = frozenset({"other", "file", SILENT, FAILED})


class Button(Struct, frozen=True, forbid_unknown_fields=True):
    """`label` is what the visitor sees; whoever chooses it leaves by `port`."""

    port: str
    label: Texts


class ButtonsSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`text` stands above the `buttons`. `into`: the variable that keeps the label that was chosen.
    `timeout_s`: after this silence it leaves by `silent`; 0: it waits for ever."""

    text: Texts
    buttons: tuple[Button, ...]
    into: str = ""
    timeout_s: float = 0.0


class Buttons(Kind[ButtonsSettings]):
    """Offers and waits."""

    name = "buttons"
    settings = ButtonsSettings

    def ports(self, settings: ButtonsSettings) -> tuple[Port, ...]:
        return (
            *(Port(button.port, waits=True) for button in settings.buttons),
            Port("other", waits=True),
            Port("file", otherwise="other", waits=True),
            *silent_port(settings.timeout_s),
        )

    def faults(self, settings: ButtonsSettings) -> Iterator[str]:
        yield from text_faults(settings.text, "The text")
        yield from choice_faults(tuple(button.label for button in settings.buttons))
        names = [button.port for button in settings.buttons]
        if len(set(names)) < len(names) or _FIXED & set(names) or not all(names):
            yield Fault(
                "Each button needs a way out with a name of its own.",
                code="port_names",
                mend="Name them differently, and not other, file, silent or failed.",
            )
        if settings.into:
            yield from name_faults(settings.into)
        yield from timeout_faults(settings.timeout_s)

    def sets(self, settings: ButtonsSettings) -> Iterator[str]:
        if settings.into:
            yield settings.into

    def enter(self, settings: ButtonsSettings, scene: Scene) -> Act:
        say = Say(text=scene.say(settings.text), options=self._labels(settings, scene))
        return Act(effects=(say, *timer(settings.timeout_s)), awaits="said")

    def resume(self, settings: ButtonsSettings, scene: Scene, event: Event) -> Act:
        if isinstance(event, Elapsed):
            return Act(port=SILENT)
        if wordless(scene):
            return Act(port="file")
        labels = self._labels(settings, scene)
        index = choose(scene.text, labels)
        if index is None:
            return Act(port="other")
        variables: dict[str, Value] = {settings.into: kept(labels[index])} if settings.into else {}
        return Act(
            port=settings.buttons[index].port,
            text=labels[index],
            variables=variables,
            note={"chose": labels[index]},
        )

    @staticmethod
    def _labels(settings: ButtonsSettings, scene: Scene) -> tuple[str, ...]:
        return tuple(scene.say(button.label) for button in settings.buttons)
