"""How a bot is doing, as sums: answers, failures, seconds, tokens, money. Owns their names.

Rule: everything is a sum, so that the figures of any number of processes and hours can be added; a
share of answers by a time is therefore read from buckets and is as exact as these are.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from msgspec import Struct, field

from qingniao.bots.base import Usage

__all__ = ["BUCKETS_MS", "BotFigures", "of_answer", "of_failure", "read_figures"]

BUCKETS_MS: Final = (
    10, 25, 50, 100, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000,
    20_000, 30_000, 60_000,
)  # fmt: skip
"""The upper ends, in milliseconds; what took longer counts as the last."""

_ANSWERS: Final = "bot_answers"
_FAILED: Final = "bot_failed"
_TOOK: Final = "bot_took_ms"
_TOKENS: Final = "bot_tokens"
_FIRST: Final = "bot_first_ms_"
_COST: Final = "bot_cost_"


class BotFigures(Struct, frozen=True, kw_only=True):
    """What a bot did in a while. Times are in milliseconds; zero where nothing is known."""

    answers: int = 0
    failures: int = 0
    first_p50_ms: int = 0
    """Until the first word, for half of the answers."""
    first_p95_ms: int = 0
    took_ms: int = 0
    """On average, until the whole answer."""
    tokens: int = 0
    cost: dict[str, float] = field(default_factory=dict)
    """By currency, as platforms told or as prices say; the empty one where none was named."""


def of_answer(usage: Usage, first_ms: float, took_ms: float) -> Counter[str]:
    """One answer that was whole."""
    sums: Counter[str] = Counter({_ANSWERS: 1})
    number = min(bisect_left(BUCKETS_MS, first_ms), len(BUCKETS_MS) - 1)
    sums[f"{_FIRST}{BUCKETS_MS[number]}"] = 1
    sums[_TOOK] = max(0, round(took_ms))
    if tokens := usage.prompt_tokens + usage.completion_tokens:
        sums[_TOKENS] = tokens
    if usage.cost:
        sums[f"{_COST}{usage.currency[:8]}"] = usage.cost  # type: ignore[assignment]
    return sums


def of_failure() -> Counter[str]:
    """One question that was not answered."""
    return Counter({_FAILED: 1})


def read_figures(sums: Mapping[str, float]) -> BotFigures:
    """What the sums say."""
    answers = int(sums.get(_ANSWERS, 0))
    counts = [int(sums.get(f"{_FIRST}{end}", 0)) for end in BUCKETS_MS]
    cost = {
        name.removeprefix(_COST): value for name, value in sums.items() if name.startswith(_COST)
    }
    return BotFigures(
        answers=answers,
        failures=int(sums.get(_FAILED, 0)),
        first_p50_ms=_share(counts, 0.5),
        first_p95_ms=_share(counts, 0.95),
        took_ms=round(sums.get(_TOOK, 0) / answers) if answers else 0,
        tokens=int(sums.get(_TOKENS, 0)),
        cost=cost,
    )


def _share(counts: list[int], share: float) -> int:
    """Under which time that share of them was, by straight lines within a bucket."""
    wanted = share * sum(counts)
    seen = 0
    for count, (low, high) in zip(counts, pairwise((0, *BUCKETS_MS)), strict=True):
        if count and seen + count >= wanted:
            return round(low + (high - low) * (wanted - seen) / count)
        seen += count
    return 0
