"""`cards`: things to look at, each with a picture, a link and buttons. Rule: whoever cannot see
cards reads the same as text.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from qingniao.flow.effects import Card, Say
from qingniao.flow.graph import Texts
from qingniao.flow.nodes.base import Act, Fault, Kind, Port, Scene, text_faults, texts_in
from qingniao.flow.templates import render_url, url_faults

__all__ = ["MAX_CARDS", "Cards", "CardsSettings", "Drawn"]

MAX_CARDS: Final = 6
MAX_CARD_BUTTONS: Final = 3
MAX_URL_CHARS: Final = 1_024


class Drawn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One card. `image` and `link` are addresses, `buttons` labels that are sent as the visitor's
    words when they are clicked."""

    title: Texts
    text: Texts = {}
    image: str = ""
    link: str = ""
    buttons: tuple[Texts, ...] = ()


class CardsSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`text` stands above the `cards`."""

    text: Texts
    cards: tuple[Drawn, ...]


class Cards(Kind[CardsSettings]):
    """Shows them and goes on."""

    name = "cards"
    settings = CardsSettings

    def ports(self, settings: CardsSettings) -> tuple[Port, ...]:
        return (Port("next", speaks=True),)

    def faults(self, settings: CardsSettings) -> Iterator[str]:
        yield from text_faults(settings.text, "The text")
        if not 1 <= len(settings.cards) <= MAX_CARDS:
            yield Fault(
                f"Between 1 and {MAX_CARDS} cards can be shown.",
                code="cards",
                mend="Add or remove some.",
                most=MAX_CARDS,
            )
        for number, card in enumerate(settings.cards, 1):
            yield from _card_faults(number, card)

    def templates(self, settings: CardsSettings) -> Iterator[str]:
        for texts in texts_in(settings):
            yield from texts.values()
        for card in settings.cards:
            yield from (card.image, card.link)

    def enter(self, settings: CardsSettings, scene: Scene) -> Act:
        cards = tuple(
            Card(
                title=scene.say(card.title),
                text=scene.say(card.text),
                image=render_url(card.image, scene.lookup)[:MAX_URL_CHARS],
                link=render_url(card.link, scene.lookup)[:MAX_URL_CHARS],
                options=tuple(scene.say(label) for label in card.buttons),
            )
            for card in settings.cards
        )
        return Act(effects=(Say(text=_plain(scene.say(settings.text), cards), cards=cards),),
                   port="next")  # fmt: skip


def _plain(text: str, cards: tuple[Card, ...]) -> str:
    lines = [text]
    for card in cards:
        lines.append("\n".join(part for part in (card.title, card.text, card.link) if part))
    return "\n\n".join(lines)


def _card_faults(number: int, card: Drawn) -> Iterator[Fault]:
    yield from text_faults(card.title, f"The title of card {number}")
    if card.text:
        yield from text_faults(card.text, f"The text of card {number}")
    for label in card.buttons:
        yield from text_faults(label, f"A button of card {number}")
    if len(card.buttons) > MAX_CARD_BUTTONS:
        yield Fault(
            f"Card {number} has more than {MAX_CARD_BUTTONS} buttons.",
            code="too_many_buttons",
            mend="Remove some.",
            most=MAX_CARD_BUTTONS,
        )
    for url in (card.image, card.link):
        for text in url_faults(url) if url else ():
            yield Fault(
                f"Card {number}: {text}",
                code="url",
                mend="Give an address that begins with https://.",
                number=number,
            )
