"""What can be told of a text from its characters: its language, and where its clauses end.

Rule: what was just written wins over what the browser says.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Final

from qingniao.flow.graph import DEFAULT_LOCALE

__all__ = ["MAX_CLAUSES", "clauses", "locale_of"]

MAX_CLAUSES: Final = 6
"""Of a longer text the beginning is taken as one: a question follows its pleasantries."""

_CLAUSE: Final = re.compile(
    r"[^。！？!?；;，,~～\n]*[^\W_][^。！？!?；;，,~～\n]*[。！？!?；;，,~～\n]*"
)

_HAN: Final = re.compile(r"[㐀-䶿一-鿿豈-﫿]")
_LATIN_WORD: Final = re.compile(r"[A-Za-z]{2,}")
SENTENCE_WORDS: Final = 3
"""Fewer Latin words can be a product's name in any language."""


def clauses(text: str) -> tuple[str, ...]:
    """The clauses of `text` with what ends them, at most `MAX_CLAUSES`; none without a letter."""
    found = _CLAUSE.findall(text)
    early = len(found) - MAX_CLAUSES + 1
    if early > 1:
        return ("".join(found[:early]), *found[early:])
    return tuple(found)


async def locale_of(text: str, known: Callable[[], Awaitable[str]]) -> str:
    """The locale to answer `text` in; only when in doubt `known` is asked for the visitor's own."""
    if _HAN.search(text):
        return DEFAULT_LOCALE
    words = len(_LATIN_WORD.findall(text))
    if words >= SENTENCE_WORDS:
        return "en"
    return await known() or ("en" if words else DEFAULT_LOCALE)
