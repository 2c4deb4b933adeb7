"""Which language to answer in. Rule: what was just written wins over what the browser says."""

import re
from collections.abc import Awaitable, Callable
from typing import Final

from qingniao.flow.graph import DEFAULT_LOCALE

__all__ = ["locale_of"]

_HAN: Final = re.compile(r"[㐀-䶿一-鿿豈-﫿]")
_LATIN_WORD: Final = re.compile(r"[A-Za-z]{2,}")
SENTENCE_WORDS: Final = 3
"""Fewer Latin words can be a product's name in any language."""


async def locale_of(text: str, known: Callable[[], Awaitable[str]]) -> str:
    """The locale to answer `text` in; only when in doubt `known` is asked for the visitor's own."""
    if _HAN.search(text):
        return DEFAULT_LOCALE
    words = len(_LATIN_WORD.findall(text))
    if words >= SENTENCE_WORDS:
        return "en"
    return await known() or ("en" if words else DEFAULT_LOCALE)
