"""`ask`: a question whose answer is kept. Owns the tries and what happens when they are used up.

Rule: nobody is asked for ever: after `tries` replies that hold no answer it leaves by `given_up`,
and whoever does not want to say it leaves by `declined` at once.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from qingniao.flow.capture import (
    Form,
    bare,
    choose,
    read_date,
    read_email,
    read_number,
    read_phone,
)
from qingniao.flow.effects import Remember, Say
from qingniao.flow.events import Elapsed, Event, Remembered, VisitorSaid
from qingniao.flow.graph import Texts
from qingniao.flow.nodes.base import FAILED, Act, Fault, Kind, Port, Scene, Value, text_faults
from qingniao.flow.nodes.remembering import attribute_faults, reason_of
from qingniao.flow.nodes.waiting import (
    SILENT,
    Choice,
    choice_faults,
    kept,
    name_faults,
    silent_port,
    timeout_faults,
    timer,
    wordless,
)
from qingniao.flow.templates import shown

__all__ = ["Ask", "AskSettings"]

MAX_TRIES: Final = 5
TRIES: Final = "tries"
_PERSON: Final = ("转人工", "人工", "人工客服", "talk to a person")


class AskSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`text` asks; what is found in the reply is kept in the variable `into`.

    `form`: what counts as an answer; `choices` for the form `choice`, `least` and `most` for
    `number`. `retry` is said after a reply that holds none, or `text` again, up to `tries` replies.
    `declines`: replies that refuse to say it. `attribute`: what it is of the visitor, to be written
    on record as well. `timeout_s`: after this silence it leaves by `silent`; 0: it waits for ever.
    `utc_offset_min`: on whose clock "tomorrow" is read.
    """

    text: Texts
    into: str
    form: Form = "any"
    choices: tuple[Choice, ...] = ()
    least: float | None = None
    most: float | None = None
    retry: Texts = {}
    tries: int = 3
    declines: tuple[str, ...] = _PERSON
    attribute: str = ""
    timeout_s: float = 0.0
    utc_offset_min: int = 480


class Ask(Kind[AskSettings]):
    """Asks, reads, and asks again."""

    name = "ask"
    settings = AskSettings

    def ports(self, settings: AskSettings) -> tuple[Port, ...]:
        return (
            Port("captured", waits=True),
            Port("given_up", waits=True),
            Port("declined", otherwise="given_up", waits=True),
            Port("file", otherwise="given_up", waits=True),
            *silent_port(settings.timeout_s),
            Port(FAILED, otherwise="captured", waits=True),
        )

    def faults(self, settings: AskSettings) -> Iterator[str]:
        yield from text_faults(settings.text, "The question")
        if settings.retry:
            yield from text_faults(settings.retry, "The question asked again")
        yield from name_faults(settings.into)
        if not 1 <= settings.tries <= MAX_TRIES:
            yield Fault(
                f"It can be asked between 1 and {MAX_TRIES} times.",
                code="tries",
                mend="Give a number in that range.",
                most=MAX_TRIES,
            )
        if settings.form == "choice":
            yield from choice_faults(tuple(choice.label for choice in settings.choices))
        least, most = settings.least, settings.most
        if least is not None and most is not None and least > most:
            yield Fault(
                "The least number is above the most.",
                code="range",
                mend="Swap them.",
            )
        if settings.attribute:
            yield from attribute_faults(settings.attribute)
        yield from timeout_faults(settings.timeout_s)

    def sets(self, settings: AskSettings) -> Iterator[str]:
        yield settings.into

    def enter(self, settings: AskSettings, scene: Scene) -> Act:
        return self._asking(settings, scene, settings.text, 0)

    def resume(self, settings: AskSettings, scene: Scene, event: Event) -> Act:
        if isinstance(event, Elapsed):
            return Act(port=SILENT)
        if not isinstance(event, VisitorSaid):
            return self._written(event)
        if wordless(scene):
            return Act(port="file")
        tried = scene.counters.get(TRIES, 0) + 1
        declines = {bare(text) for text in settings.declines}
        if bare(scene.text) in declines:
            return Act(port="declined", counters={TRIES: 0})
        value = _read(settings, scene)
        if value is not None:
            return self._kept(settings, value)
        if tried >= settings.tries:
            return Act(port="given_up", counters={TRIES: 0}, note={"tries": tried})
        return self._asking(settings, scene, settings.retry or settings.text, tried)

    @staticmethod
    def _asking(settings: AskSettings, scene: Scene, text: Texts, tried: int) -> Act:
        options: tuple[str, ...] = ()
        if settings.form == "choice":
            options = tuple(scene.say(choice.label) for choice in settings.choices)
        say = Say(text=scene.say(text), options=options)
        return Act(
            effects=(say, *timer(settings.timeout_s)),
            awaits="said",
            counters={TRIES: tried},
            note={"tries": tried} if tried else {},
        )

    @staticmethod
    def _kept(settings: AskSettings, value: Value) -> Act:
        value = kept(value)
        variables = {settings.into: value}
        if not settings.attribute:
            return Act(port="captured", variables=variables, counters={TRIES: 0})
        text = shown(value)
        return Act(
            effects=(Remember(attributes={settings.attribute: text}),),
            awaits="remembered",
            variables=variables,
            facts={f"visitor.{settings.attribute}": text},
            counters={TRIES: 0},
        )

    @staticmethod
    def _written(event: Event) -> Act:
        if isinstance(event, Remembered):
            return Act(port="captured")
        return Act(port=FAILED, note={"reason": reason_of(event)})


def _read(settings: AskSettings, scene: Scene) -> Value | None:
    text = scene.text
    match settings.form:
        case "any":
            return text.strip() or None
        case "phone":
            return read_phone(text)
        case "email":
            return read_email(text)
        case "number":
            number = read_number(text)
            least, most = settings.least, settings.most
            if number is None or (least is not None and number < least):
                return None
            return None if most is not None and number > most else number
        case "date":
            return read_date(text, scene.about.now_ms, settings.utc_offset_min)
        case "choice":
            index = choose(text, [scene.say(choice.label) for choice in settings.choices])
            if index is None:
                return None
            choice = settings.choices[index]
            return choice.value or scene.say(choice.label)
