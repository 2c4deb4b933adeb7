"""The messages that every engine of `disk_bytes` stores: the same ones, in the same order.

Customer service as it is: of 200,000 messages a thousand conversations go on at once (of 20,000 a
hundred), each of ten exchanges between a visitor and the agent who took it; one that ends makes
room for the next. Every text is 110 bytes of
Chinese, drawn word by word with the weights of a language (a few words often, thousands seldom).
Rule: the seed decides everything, so two engines cannot get different work.
"""

import itertools
import random
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

__all__ = ["CONTENT_BYTES", "Spoken", "batches", "packed_percent", "spoken"]

CONTENT_BYTES: Final = 110
_PER_PLACE: Final = 200
_TURNS: Final = 20
_AGENTS: Final = 40
_SEED: Final = 20_261_125
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_ID_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_HANZI: Final = 3_000
_WORDS: Final = 12_000
_CHARACTERS: Final = 36
"""Of three bytes each; a number of two digits makes them 110 bytes."""


class Spoken(Struct, frozen=True, gc=False):
    """One message. `seq` counts the messages of its conversation, from 1."""

    conversation: int
    seq: int
    visitor: str
    agent: int
    """0: the visitor says it."""
    device: str
    n: int
    text: str


class _Talk:
    def __init__(self, conversation: int, dice: random.Random, agents: dict[int, str]) -> None:
        self.conversation = conversation
        self.visitor = "".join(dice.choices(_ID_LETTERS, k=12))
        self.device = "".join(dice.choices(_LETTERS, k=16))
        self.agent = dice.choice(list(agents))
        self.agent_device = agents[self.agent]
        self.seq = 0

    def say(self, text: str) -> Spoken:
        self.seq += 1
        of_visitor = self.seq % 2 == 1
        return Spoken(
            self.conversation,
            self.seq,
            self.visitor,
            0 if of_visitor else self.agent,
            self.device if of_visitor else self.agent_device,
            (self.seq + 1) // 2,
            text,
        )


def spoken(count: int) -> Iterator[Spoken]:
    """`count` messages."""
    dice = random.Random(_SEED)
    agents = {a: "".join(dice.choices(_LETTERS, k=16)) for a in range(1, _AGENTS + 1)}
    texts = _texts(random.Random(_SEED + 1))
    numbers = itertools.count(1_041)
    at_once = max(1, count // _PER_PLACE)
    talks = [_Talk(next(numbers), dice, agents) for _ in range(at_once)]
    # The first ones are at different points, as at any moment of a day.
    left = [dice.randint(1, _TURNS) for _ in talks]
    for text in itertools.islice(texts, count):
        which = dice.randrange(at_once)
        yield talks[which].say(text)
        left[which] -= 1
        if not left[which]:
            talks[which] = _Talk(next(numbers), dice, agents)
            left[which] = _TURNS


def batches(count: int, size: int) -> Iterator[list[Spoken]]:
    """The same in groups of `size`, for one commit each."""
    messages = spoken(count)
    while batch := list(itertools.islice(messages, size)):
        yield batch


def packed_percent(texts: Iterable[str]) -> float:
    """What zlib makes of the texts in one stream, in percent of their size."""
    whole = "\n".join(texts).encode()
    return round(len(zlib.compress(whole, 6)) / len(whole) * 100, 1)


def _texts(dice: random.Random) -> Iterator[str]:
    """Sentences without end."""
    hanzi = dice.sample([chr(code) for code in range(0x4E00, 0x9FA6)], _HANZI)
    usual = [1 / (rank + 20) for rank in range(_HANZI)]
    words = [
        "".join(dice.choices(hanzi, usual, k=dice.choices((1, 2, 3), (3, 6, 1))[0]))
        for _ in range(_WORDS)
    ]
    weights = list(itertools.accumulate(1 / (rank + 15) for rank in range(_WORDS)))
    while True:
        drawn = dice.choices(words, cum_weights=weights, k=_CHARACTERS)
        for place in (dice.randint(3, 7), dice.randint(9, 14), dice.randint(16, 20)):
            drawn[place] += "，"
        text = "".join(drawn)[: _CHARACTERS - 1] + dice.choice("。？！")
        yield f"{text}{dice.randint(10, 99)}"
