"""Counters and gauges in Prometheus's form. Rule: hot paths count in plain integers.

Rooms keep plain attributes and register a function that reads them; `render` asks all of them
when somebody scrapes, so that a message pays for an addition and nothing else.
"""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

__all__ = ["Metrics", "Reading"]

Reading = tuple[str, str, str, float]
"""(kind `counter` or `gauge`, name without prefix, help, value)"""


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
                family = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
                metric = family(f"qingniao_{name}", text)
                metric.add_metric([], value)
                yield metric

    def render(self) -> bytes:
        """The text a scrape gets."""
        return generate_latest(self._registry)
