"""Reads recorded dialogues. Rule: a file that cannot be read is a sentence, not a traceback.

Understood: CrossWOZ's files (github.com/thu-coai/CrossWOZ: a map of dialogues whose `messages` have
`role` `usr` or `sys` and `content`), as `.json` or inside `.zip`; and our own lines (`.jsonl`, one
`{"turns": [{"who": "visitor"|"agent", "text": …}]}` each).
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from qingniao.errors import ConfigError

__all__ = ["Dialogue", "Turn", "read_dialogues"]


class Turn(Struct, frozen=True):
    """What the visitor says, and what a person answered at that point ("" when nothing)."""

    says: str
    answered: str


class Dialogue(Struct, frozen=True):
    """One recorded conversation."""

    name: str
    turns: tuple[Turn, ...]


def read_dialogues(path: Path) -> list[Dialogue]:
    """Every dialogue in a file, or in all files of a folder. Raises `ConfigError`."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    dialogues: list[Dialogue] = []
    for file in files:
        if file.suffix in (".json", ".jsonl", ".zip"):
            for name, text in _texts(file):
                dialogues.extend(_parse(f"{file.name}:{name}" if name else file.name, text))
    if not dialogues:
        raise ConfigError(f"No dialogues in {path}: expected CrossWOZ's .json or .zip, or .jsonl.")
    return dialogues


def _texts(file: Path) -> Iterator[tuple[str, str]]:
    try:
        if file.suffix == ".zip":
            with zipfile.ZipFile(file) as archive:
                for name in archive.namelist():
                    if name.endswith((".json", ".jsonl")):
                        yield name, archive.read(name).decode("utf-8")
        else:
            yield "", file.read_text("utf-8")
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as exc:
        raise ConfigError(f"{file} cannot be read: {exc}.") from exc


def _parse(name: str, text: str) -> Iterator[Dialogue]:
    try:
        if name.endswith(".jsonl"):
            for number, line in enumerate(text.splitlines(), 1):
                if line.strip():
                    turns = [(t["who"] == "visitor", t["text"]) for t in json.loads(line)["turns"]]
                    yield from _dialogue(f"{name}:{number}", turns)
            return
        recorded: dict[str, Any] = json.loads(text)
        for key, dialogue in recorded.items():
            turns = [(m["role"] == "usr", m["content"]) for m in dialogue["messages"]]
            yield from _dialogue(f"{name}:{key}", turns)
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(f"{name} is not a file of recorded dialogues: {exc!r}.") from exc


def _dialogue(name: str, said: list[tuple[bool, str]]) -> Iterator[Dialogue]:
    turns: list[Turn] = []
    for by_visitor, text in said:
        if by_visitor and text.strip():
            turns.append(Turn(text, ""))
        elif turns and not turns[-1].answered:
            turns[-1] = Turn(turns[-1].says, text)
    if turns:
        yield Dialogue(name, tuple(turns))
