"""`rating`: how satisfied somebody is, from 1 to 5. Rule: a verdict is counted once, and a reply
that is none leaves by `other` with its words.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from qingniao.flow.capture import choose, read_score
from qingniao.flow.effects import Rate, Say
from qingniao.flow.events import Elapsed, Event
from qingniao.flow.graph import Texts
from qingniao.flow.nodes.base import Act, Fault, Kind, Port, Scene, text_faults
from qingniao.flow.nodes.waiting import SILENT, name_faults, silent_port, timeout_faults, timer

__all__ = ["Rating", "RatingSettings"]

SCORES: Final = (5, 4, 3, 2, 1)


class RatingSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`text` asks. `labels`: what the buttons from 5 down to 1 say; none: the numbers. `low_at`: at
    this score and below it leaves by `low`, if that is drawn. `into`: the variable that keeps the
    score. `timeout_s`: after this silence it leaves by `silent`; 0: it waits for ever."""

    text: Texts
    labels: tuple[Texts, ...] = ()
    low_at: int = 2
    into: str = ""
    timeout_s: float = 0.0


class Rating(Kind[RatingSettings]):
    """Asks for a verdict and waits."""

    name = "rating"
    settings = RatingSettings

    def ports(self, settings: RatingSettings) -> tuple[Port, ...]:
        return (
            Port("rated", waits=True),
            Port("low", otherwise="rated", waits=True),
            Port("other", waits=True),
            *silent_port(settings.timeout_s),
        )

    def faults(self, settings: RatingSettings) -> Iterator[str]:
        yield from text_faults(settings.text, "The question")
        if len(settings.labels) not in (0, len(SCORES)):
            yield Fault(
                "There is a label for each of the five scores, or none.",
                code="labels",
                mend="Write five labels, the best first.",
            )
        for label in settings.labels:
            yield from text_faults(label, "A label")
        if not 0 <= settings.low_at < max(SCORES):
            yield Fault(
                "A low score is between 1 and 4; 0: none is.",
                code="low_at",
                mend="Give a number in that range.",
            )
        if settings.into:
            yield from name_faults(settings.into)
        yield from timeout_faults(settings.timeout_s)

    def sets(self, settings: RatingSettings) -> Iterator[str]:
        if settings.into:
            yield settings.into

    def enter(self, settings: RatingSettings, scene: Scene) -> Act:
        say = Say(text=scene.say(settings.text), options=self._labels(settings, scene))
        return Act(effects=(say, *timer(settings.timeout_s)), awaits="said")

    def resume(self, settings: RatingSettings, scene: Scene, event: Event) -> Act:
        if isinstance(event, Elapsed):
            return Act(port=SILENT)
        score = self._score(settings, scene)
        if score is None:
            return Act(port="other")
        return Act(
            effects=(Rate(score=score),),
            port="low" if score <= settings.low_at else "rated",
            facts={"rating": score},
            variables={settings.into: score} if settings.into else {},
            note={"score": score},
        )

    def _score(self, settings: RatingSettings, scene: Scene) -> int | None:
        if settings.labels:
            said = scene.text.strip().casefold()
            for score, label in zip(SCORES, self._labels(settings, scene), strict=True):
                if said == label.strip().casefold():
                    return score
        told = read_score(scene.text)
        if told is None and settings.labels:
            index = choose(scene.text, self._labels(settings, scene))
            return SCORES[index] if index is not None else None
        return told

    @staticmethod
    def _labels(settings: RatingSettings, scene: Scene) -> tuple[str, ...]:
        if not settings.labels:
            return tuple(str(score) for score in SCORES)
        return tuple(scene.say(label) for label in settings.labels)
