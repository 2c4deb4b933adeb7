"""FastGPT's dataset: pushing lessons into it and searching it.

Rule: a call holds at most `ROWS` rows, as the platform wants it; a call that fails ends the push,
and the report is for what came before.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from qingniao.bots.base import BotUnavailable, Lesson, TrainingReport
from qingniao.bots.fields import as_count, as_dict, as_list, as_text
from qingniao.bots.http import Endpoint

__all__ = ["ROWS", "Dataset", "FoundRow"]

ROWS: Final = 200
SEARCH_TOKENS: Final = 5_000


class FoundRow(Struct, frozen=True, kw_only=True):
    """One row of a dataset and how well it fits, as FastGPT scores it (0 to 1)."""

    id: str
    question: str
    answer: str
    source: str
    score: float


class Dataset:
    """One dataset and one collection in it, with the account's key."""

    def __init__(self, endpoint: Endpoint, dataset: str, collection: str) -> None:
        self._endpoint = endpoint
        self._dataset = dataset
        self._collection = collection

    async def push(self, lessons: Sequence[Lesson]) -> TrainingReport:
        """Add rows: the question with its other wordings as indexes, and the answer."""
        started = time.perf_counter()
        taken = 0
        problems: list[str] = []
        for start in range(0, len(lessons), ROWS):
            part = lessons[start : start + ROWS]
            body = {
                "collectionId": self._collection,
                "trainingType": "chunk",
                "data": [_row(lesson) for lesson in part],
            }
            told = await self._endpoint.call("POST", "/core/dataset/data/pushData", body)
            data = as_dict(told.get("data"))
            if "insertLen" not in data:
                raise BotUnavailable("FastGPT did not say how many lessons it took.")
            taken += as_count(data["insertLen"])
            problems += _problems(data)
        return TrainingReport(
            version=f"{taken} lessons",
            lessons=taken,
            took_ms=round((time.perf_counter() - started) * 1000),
            problems=tuple(problems),
        )

    async def search(self, text: str) -> list[FoundRow]:
        """Best first; accepts the answer of old and new servers."""
        body = {
            "datasetId": self._dataset,
            "text": text,
            "limit": SEARCH_TOKENS,
            "similarity": 0,
            "searchMode": "mixedRecall",
            "usingReRank": False,
        }
        told = await self._endpoint.call("POST", "/core/dataset/searchTest", body)
        data = told.get("data")
        rows = as_list(data) or as_list(as_dict(data).get("list"))
        found = [_found(as_dict(row)) for row in rows]
        return sorted(found, key=lambda row: -row.score)


def _row(lesson: Lesson) -> dict[str, Any]:
    row: dict[str, Any] = {"q": lesson.question, "a": lesson.answer}
    if lesson.alternatives:
        row["indexes"] = [{"text": wording} for wording in lesson.alternatives]
    return row


def _problems(data: dict[str, Any]) -> list[str]:
    problems = []
    for name, sentence in (
        ("overToken", "too long"),
        ("repeat", "there already"),
        ("error", "refused"),
    ):
        for row in map(as_dict, as_list(data.get(name))):
            problems.append(f"Left out, {sentence}: {as_text(row.get('q'))[:80]}")
    return problems


def _found(row: dict[str, Any]) -> FoundRow:
    score = row.get("score")
    if isinstance(score, list):
        values = [as_dict(one).get("value") for one in score]
        score = max((v for v in values if isinstance(v, int | float)), default=0.0)
    return FoundRow(
        id=as_text(row.get("id")),
        question=as_text(row.get("q")),
        answer=as_text(row.get("a")),
        source=as_text(row.get("sourceName")),
        score=float(score) if isinstance(score, int | float) else 0.0,
    )
