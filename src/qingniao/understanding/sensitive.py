"""Words that must not pass as they are. Owns the automaton, the folding and the masks;
refuses policy.

An Aho-Corasick automaton finds every listed word in one pass, however many there are. Between two
letters of a word, spaces and separators are skipped ("加-微 信"); width and case do not count.
Rule: positions are those in the text as it was written, so masking never shifts anything.
"""

import unicodedata
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, Literal, get_args

from msgspec import Struct

__all__ = ["Action", "Found", "SensitiveFilter", "Word", "read_words"]

Action = Literal["block", "mask", "flag"]
"""`block`: the message must not be shown; `mask`: stars instead; `flag`: show, and tell an
agent.
"""

MAX_WORD_CHARS: Final = 64
MAX_GAP: Final = 3
"""So many separators in a row are skipped between two letters of a word; more divide words."""

MASK: Final = "*"


class Word(Struct, frozen=True, kw_only=True):
    """A listed word."""

    text: str
    category: str
    action: Action = "mask"


class Found(Struct, frozen=True, kw_only=True):
    """A listed word in a text: `text[start:end]`, separators inside included."""

    start: int
    end: int
    word: Word


class _Letter(Struct, frozen=True, gc=False):
    """A letter after folding, and where it stood. Not for the collector: there are thousands."""

    char: str
    start: int
    end: int
    gap: int
    """How many separators stood before it."""
    opens: bool
    """A Latin word or number begins here."""


class SensitiveFilter:
    """Finds the given words. Immutable, so one object serves everything at once."""

    def __init__(self, words: Iterable[Word]) -> None:
        self._words: list[Word] = []
        self._next: list[dict[str, int]] = [{}]
        self._ends: list[list[tuple[int, int]]] = [[]]
        self._fail: list[int] = [0]
        for word in words:
            self._add(word)
        self._link()

    def find(self, text: str) -> list[Found]:
        """Every listed word in `text`, overlapping ones too, by start and then end.

        Takes time in proportion to the text and to what is found. A Latin word or a number only
        counts as a whole: "ass" is not found in "class".
        """
        letters = _letters(text)
        found = []
        state = 0
        for n, letter in enumerate(letters):
            if letter.gap > MAX_GAP:
                state = 0
            while state and letter.char not in self._next[state]:
                state = self._fail[state]
            state = self._next[state].get(letter.char, 0)
            for number, length in self._ends[state]:
                if _stands_alone(letters, n - length + 1, n):
                    start = letters[n - length + 1].start
                    found.append(Found(start=start, end=letter.end, word=self._words[number]))
        found.sort(key=lambda one: (one.start, one.end, one.word.text))
        return found

    def mask(self, text: str, *, actions: Sequence[Action] = ("block", "mask")) -> str:
        """`text` with stars over the words of these actions; of the same length."""
        chars = list(text)
        for one in self.find(text):
            if one.word.action in actions:
                chars[one.start : one.end] = MASK * (one.end - one.start)
        return "".join(chars)

    def _add(self, word: Word) -> None:
        folded = [letter.char for letter in _letters(word.text)]
        if not folded or len(folded) > MAX_WORD_CHARS:
            raise ValueError(f"A word needs 1 to {MAX_WORD_CHARS} letters, got {len(folded)}.")
        state = 0
        for char in folded:
            if char not in self._next[state]:
                self._next[state][char] = len(self._next)
                self._next.append({})
                self._ends.append([])
                self._fail.append(0)
            state = self._next[state][char]
        self._ends[state].append((len(self._words), len(folded)))
        self._words.append(word)

    def _link(self) -> None:
        queue = deque(self._next[0].values())
        while queue:
            state = queue.popleft()
            for char, child in self._next[state].items():
                back = self._fail[state]
                while back and char not in self._next[back]:
                    back = self._fail[back]
                self._fail[child] = self._next[back].get(char, 0)
                # A copy, so that a match costs no walk along the links.
                self._ends[child] = self._ends[child] + self._ends[self._fail[child]]
                queue.append(child)


def read_words(lines: Iterable[str]) -> list[Word]:
    """Read `category action word` lines; blank ones and those after `#` are left out.

    Raises `ValueError` with the number of the line.
    """
    words = []
    for number, line in enumerate(lines, start=1):
        parts = line.split("#", 1)[0].split(None, 2)
        if not parts:
            continue
        if len(parts) != 3 or parts[1] not in get_args(Action):
            raise ValueError(f"Line {number}: expected `category block|mask|flag word`.")
        category, action, text = parts
        if action == "block":
            words.append(Word(text=text.strip(), category=category, action="block"))
        else:
            kept: Action = "mask" if action == "mask" else "flag"
            words.append(Word(text=text.strip(), category=category, action=kept))
    return words


def _letters(text: str) -> list[_Letter]:
    letters: list[_Letter] = []
    gap = 0
    kind = ""
    for place, written in enumerate(text):
        # Character by character, so that every letter knows where it stood.
        for char in unicodedata.normalize("NFKC", written).casefold():
            if not char.isalnum():
                gap += 1
                kind = ""
                continue
            before, kind = kind, "latin" if char.isascii() else "other"
            letters.append(_Letter(char, place, place + 1, gap, kind == "latin" and before != kind))
            gap = 0
    return letters


def _stands_alone(letters: Sequence[_Letter], first: int, last: int) -> bool:
    """Does the match cut no Latin word or number in two."""
    head, after = letters[first], letters[last + 1] if last + 1 < len(letters) else None
    if head.char.isascii() and not head.opens:
        return False
    tail_is_cut = (
        after is not None
        and letters[last].char.isascii()
        and after.char.isascii()
        and not after.opens
    )
    return not tail_is_cut
