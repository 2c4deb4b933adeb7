"""What a new installation starts with: a clothes shop's knowledge, site, intents and word list.

Owns the files beside it and their shape; refuses to store them anywhere. Rule: everything here was
written for this project, and is replaced by the shop's own as soon as there is any. The functions
read files: not on the event loop.
"""

from importlib.resources import files
from typing import Final

import msgspec
from msgspec import Struct

__all__ = ["SampleSite", "intents", "knowledge_file", "sensitive_lines", "site"]

_HERE: Final = files(__name__)


class SampleSite(Struct, frozen=True, kw_only=True):
    """What a visitor sees before anything is said. Keys of the maps are locales."""

    name: str
    greeting: dict[str, str]
    quick: dict[str, tuple[str, ...]]
    colour: str
    hours: str


def knowledge_file() -> bytes:
    """The knowledge base as a file to import (JSON)."""
    return (_HERE / "shop_after_sales.json").read_bytes()


def site() -> SampleSite:
    """The shop's name, greeting and quick replies."""
    return msgspec.json.decode((_HERE / "site.json").read_bytes(), type=SampleSite)


def intents() -> dict[str, tuple[str, ...]]:
    """Training examples: label → texts."""
    content = (_HERE / "intents.json").read_bytes()
    return msgspec.json.decode(content, type=dict[str, tuple[str, ...]])


def sensitive_lines() -> list[str]:
    """The word list, in lines of `category action word`."""
    return (_HERE / "sensitive.txt").read_text(encoding="utf-8").splitlines()
