"""A message as OpenAI has it and others took it over: words, or parts of which some are words."""

from msgspec import Struct

__all__ = ["Message"]


class _Part(Struct):
    type: str
    text: str = ""


class Message(Struct):
    """One of a request's `messages`; a platform adds fields of its own."""

    role: str
    content: str | list[_Part] | None = None

    @property
    def text(self) -> str:
        """All of its words."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""
