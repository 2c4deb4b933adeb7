"""The child process: `python -m qingniao.workers.heavy SOURCE TARGET`. Builds one version and ends.

Rule: it imports as little as possible (a start waits for it), takes what the sockets leave of the
CPU, and writes the manifest last: a folder without one is nothing.
"""

import os
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from qingniao import samples
from qingniao.knowledge.entries import Entry
from qingniao.knowledge.index import write_index
from qingniao.understanding.intent import Example, train

__all__ = ["INTENTS_FILE", "MANIFEST", "Manifest", "build", "main"]

INTENTS_FILE: Final = "intents.msgpack"
MANIFEST: Final = "manifest.json"


class Source(Struct, frozen=True):
    """What is to be learnt."""

    entries: tuple[Entry, ...]


class Manifest(Struct, frozen=True):
    """What a version holds and how long it took, in milliseconds."""

    entries: int
    wordings: int
    examples: int
    took_ms: int


def build(source: Path, target: Path) -> Manifest:
    """Index and train `source` into the folder `target`, which must not exist or be empty."""
    started = time.perf_counter()
    entries = msgspec.json.decode(source.read_bytes(), type=Source).entries
    target.mkdir(parents=True, exist_ok=True)
    wordings = write_index(target, entries)
    examples = [
        Example(text, label) for label, texts in samples.intents().items() for text in texts
    ]
    train(examples).save(target / INTENTS_FILE)
    took_ms = round((time.perf_counter() - started) * 1000)
    manifest = Manifest(len(entries), wordings, len(examples), took_ms)
    _write_last(target, msgspec.json.encode(manifest))
    return manifest


def _write_last(target: Path, manifest: bytes) -> None:
    fresh = target / (MANIFEST + ".new")
    with fresh.open("wb") as file:
        file.write(manifest)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(target / MANIFEST)


def main() -> None:
    """As a process of low priority."""
    os.nice(10)
    source, target = (Path(argument) for argument in sys.argv[1:3])
    build(source, target)


if __name__ == "__main__":
    main()
