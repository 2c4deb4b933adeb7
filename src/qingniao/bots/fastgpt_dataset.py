"""FastGPT's dataset: making a collection hold exactly the lessons, and searching it.

The collection is ours alone: a row in it that is no lesson is an old one, and goes. Rule: what is
new is there before what is old is deleted, so that a failure in between leaves too much, never too
little; the next training makes it good.
"""

import re
import time
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct, structs

from qingniao.bots.base import BotMisconfigured, BotUnavailable, Lesson, TrainingReport
from qingniao.bots.fields import as_count, as_dict, as_list, as_text
from qingniao.bots.http import Endpoint

__all__ = ["ROWS", "Dataset", "FoundRow"]

ROWS: Final = 200
"""In one push."""
PAGE: Final = 30
"""In one list: the platform gives no more, whatever is asked for."""
MOST_ROWS: Final = 50_000
"""Looked at in a collection; it is taken for somebody else's beyond that."""
SEARCH_TOKENS: Final = 5_000
_BLANK: Final = re.compile(r"[\s\x00-\x1f]+")


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

    async def replace(self, lessons: Sequence[Lesson]) -> TrainingReport:
        """Push the lessons, then delete what was there before and is none of them.

        Other wordings of a question alone are no reason to the platform to take a row again.
        """
        started = time.perf_counter()
        held = await self._held()
        report = await self.push(lessons)
        wanted = {_meant(lesson.question, lesson.answer) for lesson in lessons}
        for row, meant in held.items():
            if meant not in wanted:
                await self._endpoint.call("DELETE", "/core/dataset/data/delete", params={"id": row})
        took_ms = round((time.perf_counter() - started) * 1000)
        return structs.replace(report, took_ms=took_ms)

    async def _held(self) -> dict[str, tuple[str, str]]:
        """Every row of the collection by its id."""
        held: dict[str, tuple[str, str]] = {}
        at = 0
        while at < MOST_ROWS:
            body = {"collectionId": self._collection, "offset": at, "pageSize": PAGE}
            told = await self._endpoint.call("POST", "/core/dataset/data/v2/list", body)
            data = as_dict(told.get("data"))
            if "list" not in data:
                raise BotUnavailable("FastGPT did not say what the collection holds.")
            page = [as_dict(row) for row in as_list(data["list"])]
            for row in page:
                if name := as_text(row.get("_id")):
                    held[name] = _meant(as_text(row.get("q")), as_text(row.get("a")))
            at += len(page)
            if not page or at >= as_count(data.get("total")):
                return held
        raise BotMisconfigured(
            f"The collection holds more than {MOST_ROWS} rows: enter one of its own for lessons."
        )

    async def push(self, lessons: Sequence[Lesson]) -> TrainingReport:
        """Add rows: the question with its other wordings as indexes, and the answer. One that is
        there already is learnt, too."""
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
            taken += as_count(data["insertLen"]) + len(as_list(data.get("repeat")))
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


def _meant(question: str, answer: str) -> tuple[str, str]:
    """A row without blanks and control characters, which the platform changes as it likes."""
    return _BLANK.sub("", question), _BLANK.sub("", answer)


def _row(lesson: Lesson) -> dict[str, Any]:
    row: dict[str, Any] = {"q": lesson.question, "a": lesson.answer}
    if lesson.alternatives:
        row["indexes"] = [{"text": wording} for wording in lesson.alternatives]
    return row


def _problems(data: dict[str, Any]) -> list[str]:
    problems = []
    for name, sentence in (
        ("overToken", "too long"),
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
