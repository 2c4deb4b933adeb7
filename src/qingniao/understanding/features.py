"""What a classifier sees of a text. Owns folding and cutting; refuses weights. Rule:
deterministic.
"""

import re
import unicodedata
from typing import Final

__all__ = ["features", "fold"]

MAX_CHARS: Final = 300
"""An intent shows early; a pasted page must not cost more than a message does."""

_RUNS: Final = re.compile(r"[a-z']+|[0-9]+|[\u3400-\u9fff]+|[!?]+")
_LONG: Final = re.compile(r"(.)\1{2,}")


def fold(text: str) -> str:
    """One spelling for the same thing: width, case, and runs of one character cut to two."""
    return _LONG.sub(r"\1\1", unicodedata.normalize("NFKC", text[:MAX_CHARS]).casefold())


def features(text: str) -> list[str]:
    """The features of `text`, each once: Chinese n-grams of 1 to 3, words, pairs and pieces of
    words.
    """
    found: dict[str, None] = {}
    before = "^"
    for run in _RUNS.findall(fold(text)):
        if run[0] >= "\u3400":
            _add_chinese(found, run)
            before = run[-1]
        elif run[0] in "!?":
            found["!" if "!" in run else "?"] = None
        else:
            found[f"{before} {run}"] = None
            found[f"{run} "] = None
            padded = f"<{run}>"
            for start in range(len(padded) - 2):
                found[padded[start : start + 3]] = None
            before = run
    return list(found)


def _add_chinese(found: dict[str, None], run: str) -> None:
    marked = f"^{run}$"
    for size in (1, 2, 3):
        for start in range(len(marked) - size + 1):
            found[marked[start : start + size]] = None
