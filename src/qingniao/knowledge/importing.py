"""Knowledge from files. Owns the two formats, JSON and CSV; refuses to store what it reads.

Rule: a bad row becomes a `Problem` with its line and the rest is still read; only a file that is
none at all is refused, and that too as a problem. Pure functions of bytes: for a thread when they
are many.
"""

import csv
import io
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct, structs

from qingniao.knowledge.entries import Entry, derive_id, fault_of

__all__ = ["MAX_FILE_BYTES", "MAX_PROBLEMS", "MAX_ROWS", "Imported", "Problem", "read_knowledge"]

MAX_FILE_BYTES: Final = 20 * 1024 * 1024
MAX_ROWS: Final = 100_000
MAX_PROBLEMS: Final = 200

# What people call the columns, in the order of `Entry`'s fields.
_COLUMNS: Final = {
    "id": ("id", "编号"),
    "title": ("title", "标题"),
    "question": ("question", "问题", "标准问题"),
    "alternatives": ("alternatives", "相似问", "相似问法"),
    "answer": ("answer", "答案", "回答"),
    "category": ("category", "分类", "类别"),
}
_FIELD_OF: Final = {name: field for field, names in _COLUMNS.items() for name in names}


class Problem(Struct, frozen=True):
    """Why a row was left out. `line` counts from 1; 0 is the file as a whole."""

    line: int
    text: str


class Imported(Struct, frozen=True, kw_only=True):
    """What a file held. Of several entries with one id the last one counts."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = ()


_Row = tuple[int, Entry | str]
"""The line and what it holds: an entry, or a sentence that says why not."""


def read_knowledge(content: bytes, name: str = "") -> Imported:
    """Read our JSON or a CSV; told apart by `name`'s ending, else by the first character."""
    if len(content) > MAX_FILE_BYTES:
        limit = MAX_FILE_BYTES // 1024 // 1024
        return Imported(problems=(Problem(0, f"The file is larger than {limit} MB."),))
    is_json = name.lower().endswith(".json") or content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in b"{["
    return _gather(_json_rows(content) if is_json and content else _csv_rows(content))


def _gather(rows: Iterator[_Row]) -> Imported:
    entries: dict[str, Entry] = {}
    problems: list[Problem] = []
    for count, (line, row) in enumerate(rows):
        if count >= MAX_ROWS:
            problems.append(Problem(line, f"Only the first {MAX_ROWS} rows are read."))
            break
        fault = row if isinstance(row, str) else fault_of(row)
        if fault:
            problems.append(Problem(line, fault))
            if len(problems) >= MAX_PROBLEMS:
                problems.append(Problem(line, "There are too many problems; the rest is not read."))
                break
        elif isinstance(row, Entry):
            entry = _tidy(row)
            entries[entry.id] = entry
    if not entries and not problems:
        problems.append(Problem(0, "The file holds no questions."))
    return Imported(entries=tuple(entries.values()), problems=tuple(problems))


def _tidy(entry: Entry) -> Entry:
    question = entry.question.strip()
    others = (wording.strip() for wording in entry.alternatives)
    return structs.replace(
        entry,
        id=entry.id.strip() or derive_id(question),
        title=entry.title.strip(),
        question=question,
        alternatives=tuple(dict.fromkeys(w for w in others if w and w != question)),
        answer=entry.answer.strip(),
        category=entry.category.strip(),
    )


def _json_rows(content: bytes) -> Iterator[_Row]:
    try:
        text = content.decode("utf-8-sig")
        raws = _raw_entries(text)
    except UnicodeDecodeError:
        yield 0, "The file is not in UTF-8."
        return
    except msgspec.MsgspecError as exc:
        yield 0, f"The file is not JSON of the expected shape: {exc}."
        return
    encoded = text.encode()
    position = line_start = 0
    line = 1
    for raw in raws:
        piece = bytes(raw)
        position = encoded.index(piece, position)
        line += encoded.count(b"\n", line_start, position)
        line_start = position
        position += len(piece)
        try:
            yield line, msgspec.json.decode(piece, type=Entry)
        except msgspec.MsgspecError as exc:
            yield line, f"{exc}."


class _File(Struct):
    entries: list[msgspec.Raw]


def _raw_entries(text: str) -> list[msgspec.Raw]:
    if text.lstrip().startswith("["):
        return msgspec.json.decode(text, type=list[msgspec.Raw])
    return msgspec.json.decode(text, type=_File).entries


def _csv_rows(content: bytes) -> Iterator[_Row]:
    text = _decode(content)
    if text is None:
        yield 0, "The file is neither in UTF-8 nor in GB 18030."
        return
    reader = csv.reader(io.StringIO(text.replace("\0", ""), newline=""), strict=True)
    fields: list[str] = []
    started = 1
    while True:
        started = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            yield started, f"The row cannot be read: {exc}."
            return
        if not any(cell.strip() for cell in cells):
            continue
        if fields:
            yield started, _csv_entry(fields, cells)
            continue
        fields = [_FIELD_OF.get(cell.strip().lower(), "") for cell in cells]
        if not {"question", "answer"} <= set(fields):
            yield started, "The first row must name the columns: question, answer, category."
            return


def _csv_entry(fields: list[str], cells: list[str]) -> Entry | str:
    if len(cells) > len(fields):
        return f"The row has {len(cells)} cells, but there are {len(fields)} columns."
    row = {field: cell for field, cell in zip(fields, cells, strict=False) if field}
    return Entry(
        id=row.get("id", ""),
        title=row.get("title", ""),
        question=row.get("question", ""),
        alternatives=tuple(row.get("alternatives", "").replace("\n", "|").split("|")),
        answer=row.get("answer", ""),
        category=row.get("category", ""),
    )


def _decode(content: bytes) -> str | None:
    for encoding in ("utf-8-sig", "gb18030"):  # the second is what Excel writes in China
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None
