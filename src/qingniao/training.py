"""The heavy work behind the bots: a function for a child process, and one to open what it made.

Owns the folder of versions; refuses to start processes and to swap what is in use. A version is
named by its content, is complete or absent, and is never changed:

    target/current            the name of the newest version
    target/<version>/         index/  entries.msgpack  terms.msgpack  intents.msgpack  manifest.json

Rule: everything is written under a temporary name, the manifest last, and appears by renames.
"""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from itertools import islice, zip_longest
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from qingniao.errors import QingniaoError
from qingniao.knowledge.entries import Entry
from qingniao.knowledge.index import write_index
from qingniao.knowledge.retriever import KnowledgeRetriever
from qingniao.understanding.intent import Example, IntentModel, train

__all__ = [
    "BuildReport",
    "Built",
    "Corpus",
    "NotBuilt",
    "build",
    "current_version",
    "encode_corpus",
    "examples_of",
    "has_version",
    "open_current",
    "open_version",
    "prune",
    "version_of",
]

FORMAT: Final = "3"
"""Part of every version's name: raise it when the code makes different files of the same corpus."""

KEPT: Final = 2
"""Versions that stay: the one in use, and the one before it for whoever is still opening it."""

QUESTION: Final = "question"
"""The label of ordinary questions to the shop."""

MAX_QUESTIONS: Final = 300
"""So many of the knowledge base's questions serve as examples; training stays below a second."""

CURRENT: Final = "current"
MANIFEST: Final = "manifest.json"
INTENTS: Final = "intents.msgpack"


class NotBuilt(QingniaoError):
    """There is no trained knowledge yet, or it is damaged; train again."""

    code = "not_built"


class Corpus(Struct, frozen=True, kw_only=True):
    """Everything that is learnt from."""

    entries: tuple[Entry, ...]
    intents: dict[str, tuple[str, ...]]
    """Label → texts; at least two labels."""


class BuildReport(Struct, frozen=True, kw_only=True):
    """What a build made. Also the manifest of its folder."""

    version: str
    entries: int
    wordings: int
    examples: int
    took_ms: int
    is_new: bool
    """False when the same content had been built before and was taken as it was."""


class Built(Struct, frozen=True, kw_only=True):
    """An opened version, ready for use by several threads at once."""

    version: str
    retriever: KnowledgeRetriever
    intents: IntentModel


def encode_corpus(*, entries: Sequence[Entry], intents: Mapping[str, tuple[str, ...]]) -> bytes:
    """The content of the file that `build` reads."""
    return msgspec.json.encode(Corpus(entries=tuple(entries), intents=dict(intents)))


def version_of(content: bytes) -> str:
    """The name of the version that `build` makes of a corpus file with this content."""
    return blake2b(FORMAT.encode() + content, digest_size=8).hexdigest()


def current_version(target: Path) -> str:
    """The version that `open_current` opens; empty when nothing was built. Reads a file."""
    try:
        return (target / CURRENT).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def build(source: Path, target: Path) -> BuildReport:
    """Build the corpus in `source` into a version below `target` and make it the current one.

    A plain function of picklable arguments, for `multiprocessing` with spawn or a process pool.
    Raises `OSError`, `ValueError` (too few labels) or `msgspec.MsgspecError` (not a corpus); what
    was current then stays so.
    """
    started = time.perf_counter()
    content = source.read_bytes()
    version = version_of(content)
    corpus = msgspec.json.decode(content, type=Corpus)
    folder = target / version
    is_new = not (folder / MANIFEST).is_file()
    wordings = sum(1 for entry in corpus.entries for _ in entry.wordings())
    report = BuildReport(
        version=version,
        entries=len(corpus.entries),
        wordings=wordings,
        examples=sum(map(len, corpus.intents.values())),
        took_ms=0,
        is_new=is_new,
    )
    if is_new:
        _write_version(target, corpus, report)
    _replace(target / CURRENT, version.encode())
    prune(target, keep=version)
    return msgspec.structs.replace(report, took_ms=round((time.perf_counter() - started) * 1000))


def open_current(target: Path) -> Built:
    """Open the newest version. Reads files: not on the event loop. Raises `NotBuilt`."""
    return open_version(target, current_version(target))


def has_version(target: Path, version: str) -> bool:
    """Is that version here, and complete? Looks at a file."""
    return (target / version / MANIFEST).is_file()


def open_version(target: Path, version: str) -> Built:
    """Open that version. Reads files: not on the event loop. Raises `NotBuilt`."""
    try:
        if not version:
            raise NotBuilt
        return Built(
            version=version,
            retriever=KnowledgeRetriever.open(target / version, version=version),
            intents=IntentModel.load(target / version / INTENTS),
        )
    except (OSError, ValueError, QingniaoError) as exc:
        raise NotBuilt from exc


def _write_version(target: Path, corpus: Corpus, report: BuildReport) -> None:
    draft = target / f".{report.version}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        write_index(draft, corpus.entries)
        train(examples_of(corpus)).save(draft / INTENTS)
        (draft / MANIFEST).write_bytes(msgspec.json.encode(report))
        final = target / report.version
        shutil.rmtree(final, ignore_errors=True)  # a version without a manifest is a torn one
        draft.rename(final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def examples_of(corpus: Corpus) -> list[Example]:
    """The intent examples, and what the knowledge base is asked: the best examples of questions.

    Without them the classifier takes a short question it has never seen for anything at all.
    """
    examples = [Example(t, label) for label, texts in corpus.intents.items() for t in texts]
    if QUESTION in corpus.intents:
        known = {example.text for example in examples}
        turns = zip_longest(*(entry.wordings() for entry in corpus.entries))
        fresh = (text for turn in turns for text in turn if text and text not in known)
        examples += [Example(text, QUESTION) for text in islice(fresh, MAX_QUESTIONS)]
    return examples


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def prune(target: Path, *, keep: str) -> None:
    """Remove all versions but `keep` and the newest of the others."""
    versions = [path for path in target.iterdir() if (path / MANIFEST).is_file()]
    versions.sort(key=lambda path: (path.name == keep, path.stat().st_mtime_ns), reverse=True)
    for path in versions[KEPT:]:
        with suppress(OSError):
            shutil.rmtree(path)
