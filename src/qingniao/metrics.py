"""Counters and gauges in Prometheus's form. Rule: hot paths count in plain integers.

Rooms keep plain attributes and register a function that reads them; `render` asks all of them
when somebody scrapes, so that a message pays for an addition and nothing else.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

__all__ = ["Histogram", "Labelled", "Metrics", "Reading"]


class Histogram:
    """How often a value was at most each of `bounds`, and the sum of all. For what happens a few
    hundred times a second, not for every message."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, *bounds: float) -> None:
        if not bounds or list(bounds) != sorted(set(bounds)):
            raise ValueError("the bounds of a histogram ascend")
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """(upper bound, how many were at most that), as Prometheus wants them."""
        names = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self._counts)), strict=True))


class Labelled:
    """One value for each combination of labels. Whoever makes it bounds how many there can be."""

    __slots__ = ("names", "values")

    def __init__(
        self, names: tuple[str, ...], values: Mapping[tuple[str, ...], float | Histogram]
    ) -> None:
        self.names = names
        self.values = values


Reading = tuple[str, str, str, float | Histogram | Labelled]
"""(kind `counter`, `gauge` or `histogram`, name without prefix, help, value)"""


class Metrics:
    """Everything that can be scraped from one process."""

    def __init__(self) -> None:
        self._sources: list[Callable[[], Iterable[Reading]]] = []
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def add(self, source: Callable[[], Iterable[Reading]]) -> None:
        """Ask `source` at every scrape. Names must not repeat between sources."""
        self._sources.append(source)

    def collect(self) -> Iterator[Metric]:
        """For prometheus_client's registry."""
        for source in self._sources:
            for kind, name, text, value in source():
                name = f"qingniao_{name}"
                labelled = value if isinstance(value, Labelled) else Labelled((), {(): value})
                yield _family(kind, name, text, labelled)

    def render(self) -> bytes:
        """The text a scrape gets."""
        return generate_latest(self._registry)


def _family(kind: str, name: str, text: str, value: Labelled) -> Metric:
    if kind == "histogram":
        spread = HistogramMetricFamily(name, text, labels=value.names)
        for labels, one in value.values.items():
            if isinstance(one, Histogram):
                spread.add_metric(labels, one.buckets(), one.total)
        return spread
    kinds = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
    family = kinds(name, text, labels=value.names)
    for labels, one in value.values.items():
        if not isinstance(one, Histogram):
            family.add_metric(labels, one)
    return family
