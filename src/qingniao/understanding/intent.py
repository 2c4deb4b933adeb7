"""A small text classifier in plain Python: TF-IDF and linear support vector machines, one per
label.

Owns training, prediction and its file; refuses to know what the labels mean. The machines are
trained by dual coordinate descent with squared hinge loss, which needs nothing but sparse dot
products: some hundred examples take well under a second, and no numeric library has to be shipped.
Rule: deterministic: the same examples give the same file, byte for byte.
"""

import math
import random
import sys
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from qingniao.errors import QingniaoError
from qingniao.understanding.features import features

__all__ = ["Example", "IntentModel", "ModelUnusable", "Ranking", "train"]

FORMAT: Final = 2
PASSES: Final = 30
TOLERANCE: Final = 0.1
COST: Final = 2.0
SHARPNESS: Final = 3.0
"""Turns margins into probabilities: at 3, a margin of 1 over every other label is about 0.9."""

_Vector = list[tuple[int, float]]


class ModelUnusable(QingniaoError):
    """The intent model is missing or damaged; it has to be trained again."""

    code = "intent_model"


class Example(Struct, frozen=True):
    """A text and what it means."""

    text: str
    label: str


class Ranking(Struct, frozen=True):
    """The labels of a text with their probabilities, the likeliest first; they add up to 1."""

    labels: tuple[tuple[str, float], ...]

    @property
    def label(self) -> str:
        return self.labels[0][0]

    @property
    def probability(self) -> float:
        return self.labels[0][1]

    def of(self, label: str) -> float:
        """The probability of `label`; 0 for one that the model does not know."""
        return next((p for name, p in self.labels if name == label), 0.0)


class _File(Struct, frozen=True):
    """What is on disk: a row of `weights` for each feature, its rarity and one weight per label,
    as little-endian 32-bit floats."""

    version: int
    labels: tuple[str, ...]
    bias: tuple[float, ...]
    unseen: float
    features: tuple[str, ...]
    weights: bytes


class IntentModel:
    """A trained classifier. Its numbers lie in one array: to open a new one and to let go of the
    old one, as both happen beside a busy event loop, takes about a millisecond.
    """

    def __init__(self, file: _File) -> None:
        """Raises `ModelUnusable` when its parts do not belong together."""
        weights = array("f", file.weights)
        if sys.byteorder == "big":
            weights.byteswap()
        self._file = file
        self._row = 1 + len(file.labels)
        self._weights = weights
        self._rows = {feature: number for number, feature in enumerate(file.features)}
        if len(weights) != self._row * len(self._rows) or len(file.bias) != len(file.labels):
            raise ModelUnusable

    @property
    def labels(self) -> tuple[str, ...]:
        """What texts can mean, sorted."""
        return self._file.labels

    def predict(self, text: str) -> Ranking:
        """Rank every label for `text`. Takes a fraction of a millisecond."""
        file, size = self._file, self._row
        scores = [0.0] * len(file.labels)
        norm = 0.0
        for feature in features(text):
            number = self._rows.get(feature)
            if number is None:
                norm += file.unseen * file.unseen
                continue
            rarity, *weights = self._weights[number * size : (number + 1) * size]
            norm += rarity * rarity
            scores = [s + rarity * w for s, w in zip(scores, weights, strict=True)]
        length = math.sqrt(norm) or 1.0
        margins = [s / length + b for s, b in zip(scores, file.bias, strict=True)]
        top = max(margins)
        powers = [math.exp(SHARPNESS * (margin - top)) for margin in margins]
        total = sum(powers)
        ranked = sorted(zip(file.labels, powers, strict=True), key=lambda pair: -pair[1])
        return Ranking(tuple((label, power / total) for label, power in ranked))

    def save(self, path: Path) -> None:
        """Write the model. Raises `OSError`."""
        path.write_bytes(msgspec.msgpack.encode(self._file))

    @classmethod
    def load(cls, path: Path) -> "IntentModel":
        """Read what `save` wrote. Reads a file: not on the event loop. Raises `ModelUnusable`."""
        try:
            file = msgspec.msgpack.decode(path.read_bytes(), type=_File)
            if file.version != FORMAT:
                raise ModelUnusable
            return cls(file)
        except (OSError, ValueError) as exc:  # also not a whole number of floats
            raise ModelUnusable from exc


def train(examples: Sequence[Example]) -> IntentModel:
    """Train on `examples`. Heavy work: for a child process. Raises `ValueError` without two
    labels.
    """
    labels = tuple(sorted({example.label for example in examples}))
    if len(labels) < 2:
        raise ValueError("Examples of at least two labels are needed.")
    texts = [features(example.text) for example in examples]
    rarity = _rarities(texts)
    numbers = {feature: number for number, feature in enumerate(rarity)}
    vectors = [_vector(text, rarity, numbers) for text in texts]
    columns = []
    for label in labels:
        signs = [1.0 if example.label == label else -1.0 for example in examples]
        columns.append(_separate(vectors, signs, size=len(numbers)))
    weights = array("f")
    for feature, number in numbers.items():
        weights.append(rarity[feature])
        weights.extend(round(column[number], 4) for column in columns)
    if sys.byteorder == "big":
        weights.byteswap()
    bias = tuple(round(column[-1], 4) for column in columns)
    unseen = math.log(1.0 + len(texts)) / 2.0
    return IntentModel(_File(FORMAT, labels, bias, unseen, tuple(numbers), weights.tobytes()))


def _rarities(texts: Sequence[Sequence[str]]) -> Mapping[str, float]:
    counts = Counter(feature for text in texts for feature in text)
    return {
        feature: round(1.0 + math.log((1.0 + len(texts)) / (1.0 + seen)), 4)
        for feature, seen in sorted(counts.items())
    }


def _vector(
    text: Sequence[str], rarity: Mapping[str, float], numbers: Mapping[str, int]
) -> _Vector:
    """The text as a vector of length 1, and a constant for the bias as its last part."""
    length = math.sqrt(sum(rarity[f] ** 2 for f in text)) or 1.0
    return [*((numbers[f], rarity[f] / length) for f in text), (len(numbers), 1.0)]


def _separate(vectors: Sequence[_Vector], signs: Sequence[float], *, size: int) -> list[float]:
    """Weights of the widest margin between the signs; the last one is the bias.

    Hsieh et al., "A dual coordinate descent method for large-scale linear SVM" (2008), algorithm 1
    with the L2 loss. The rare sign costs more, so that forty examples are not outvoted by
    four hundred.
    """
    share = sum(sign > 0 for sign in signs) / len(signs)
    cost = {1.0: COST * min(4.0, 0.5 / share), -1.0: COST}
    diagonal = {sign: 0.5 / value for sign, value in cost.items()}
    squares = [sum(v * v for _, v in vector) for vector in vectors]
    alphas = [0.0] * len(vectors)
    weights = [0.0] * (size + 1)
    order = list(range(len(vectors)))
    shuffle = random.Random(0).shuffle  # noqa: S311  repeatable, not secret
    for _ in range(PASSES):
        shuffle(order)
        worst = 0.0
        for n in order:
            sign, alpha = signs[n], alphas[n]
            dot = sum([weights[i] * v for i, v in vectors[n]])
            gradient = sign * dot - 1.0 + diagonal[sign] * alpha
            if alpha == 0.0 and gradient >= 0.0:
                continue
            worst = max(worst, abs(gradient))
            alphas[n] = max(0.0, alpha - gradient / (squares[n] + diagonal[sign]))
            step = (alphas[n] - alpha) * sign
            for i, v in vectors[n]:
                weights[i] += step * v
        if worst < TOLERANCE:
            break
    return weights
