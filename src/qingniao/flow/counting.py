"""How often each way of a flow was taken: what the sums are called.

Rule: the same words for whoever counts and whoever asks, short enough for a column.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

__all__ = ["counted", "label_of", "metric_of"]

MAX_CHARS: Final = 64
_HASH_BYTES: Final = 8


def metric_of(flow: str, version: int) -> str:
    """The name of a version's sums."""
    return _short(f"flow {flow}@{version}")


def label_of(node: str, port: str) -> str:
    """One way out of one node; without a port: it was rested or ended there."""
    return _short(f"{node} {port}")


def counted(step: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Metric and label of everything that a step entry counts; nothing for what is no such step."""
    edition, trace = step.get("flow"), step.get("trace")
    if not isinstance(edition, str) or not isinstance(trace, list) or "dropped" in step:
        return
    metric = _short(f"flow {edition.partition(',')[0]}")
    for passed in trace:
        if isinstance(passed, Mapping) and "node" in passed:
            yield metric, label_of(str(passed["node"]), str(passed.get("port", "")))


def _short(text: str) -> str:
    if len(text) <= MAX_CHARS:
        return text
    digest = blake2b(text.encode(), digest_size=_HASH_BYTES).hexdigest()
    return f"{text[: MAX_CHARS - len(digest) - 1]}~{digest}"
