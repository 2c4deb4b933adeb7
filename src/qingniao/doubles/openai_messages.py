"""What OpenAI's chat is asked with. Owns the shape of a request, whose messages others took over.

Rule: only what a double looks at; everything else may be there and is passed over.
"""

from msgspec import Struct

from qingniao.doubles.openai_tools import Tool, ToolChoice

__all__ = ["Chat", "Message"]


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


class _StreamOptions(Struct):
    include_usage: bool = False


class _Schema(Struct):
    schema: dict[str, object] = {}


class _Format(Struct):
    type: str
    json_schema: _Schema | None = None


class Chat(Struct):
    """The body of `/chat/completions`."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    tools: list[Tool] | None = None
    tool_choice: str | ToolChoice | None = None
    response_format: _Format | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
