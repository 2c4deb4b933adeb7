"""An answer while it is being written. Owns how often pieces are sent.

The first piece goes out at once; later ones are joined until `EVERY_S` has passed, or `EVERY_CHARS`
have gathered and `APART_S` has passed. Rule: a draft is only a picture of what may come; the stored
entry is the answer.
"""

from typing import Final

from qingniao.workers.ports import PublishDelta

__all__ = ["Draft"]

EVERY_S: Final = 0.03
EVERY_CHARS: Final = 24
APART_S: Final = 0.01
"""A bot that writes faster than this is done before anybody could read along: spare the frames."""


class Draft:
    """The draft `number` of one conversation. Times are seconds of the caller's timer."""

    __slots__ = ("_conversation", "_gathered", "_last_s", "_number", "_offset", "_publish", "_size")

    def __init__(self, publish: PublishDelta, conversation: int, number: int) -> None:
        self._publish = publish
        self._conversation = conversation
        self._number = number
        self._gathered: list[str] = []
        self._size = 0
        self._offset = 0
        self._last_s = float("-inf")

    def add(self, text: str) -> None:
        """Gather a piece."""
        self._gathered.append(text)
        self._size += len(text)

    def due_in_s(self, now_s: float) -> float:
        """Seconds until `flush` should be called: 0 for now, infinity when nothing is gathered."""
        if not self._size:
            return float("inf")
        apart_s = APART_S if self._size >= EVERY_CHARS else EVERY_S
        return max(0.0, self._last_s + apart_s - now_s)

    def flush(self, now_s: float) -> None:
        """Send what was gathered as one piece; there must be something."""
        text = "".join(self._gathered)
        self._forget()
        self._publish(self._conversation, self._number, self._offset, text)
        self._offset += len(text)
        self._last_s = now_s

    def take_back(self) -> None:
        """Clear it from the visitor's screen; a new text may follow."""
        self._forget()
        if self._offset:
            self._publish(self._conversation, self._number, 0, "")
            self._offset = 0

    def _forget(self) -> None:
        self._gathered.clear()
        self._size = 0
