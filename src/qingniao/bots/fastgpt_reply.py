"""What one stream of FastGPT has told so far. Owns its events; refuses to ask.

Rule: an answer is whole when the stream said so by `[DONE]` or a finish reason, or when it offers a
choice, on which the application rests until somebody chooses.
"""

from collections.abc import Sequence
from typing import Any, Final

from qingniao.bots.base import BotUnavailable, InputRequired, ReplyEvent, Working
from qingniao.bots.fastgpt_faults import read_fault
from qingniao.bots.fields import as_count, as_dict, as_list, as_text, decoded
from qingniao.bots.http import JSON_EVENT
from qingniao.bots.writing import Writing
from qingniao.outgoing.sse import ServerEvent

__all__ = ["FastGPTReply"]

_ANSWERS: Final = frozenset({"", "answer", "fastAnswer", JSON_EVENT})


class FastGPTReply:
    """What one stream has told so far."""

    def __init__(self) -> None:
        self.writing = Writing()
        self.is_whole = False

    def take(self, event: ServerEvent) -> Sequence[ReplyEvent]:
        """The events that one of theirs becomes."""
        if event.data.strip() == "[DONE]":
            self.is_whole = True
            return ()
        if event.name in ("flowResponses", "flowNodeResponse"):
            self._sources(event.data)
            return ()
        body = decoded(event.data)
        if body is None:
            return (Working(),)
        if event.name in _ANSWERS:
            return self._answer(body)
        match event.name:
            case "error":
                raise read_fault(500, body, 0.0) or BotUnavailable("FastGPT failed inside.")
            case "interactive":
                return self._ask(as_dict(body.get("interactive")))
            case "flowNodeStatus":
                return (Working(step=as_text(body.get("name"))),)
        return (Working(),)

    def _answer(self, body: dict[str, Any]) -> Sequence[ReplyEvent]:
        if "choices" not in body and (fault := read_fault(200, body, 0.0)):
            raise fault
        if "error" in body:
            raise read_fault(500, as_dict(body["error"]), 0.0) or BotUnavailable()
        told: list[ReplyEvent] = []
        for choice in map(as_dict, as_list(body.get("choices"))[:1]):
            delta = as_dict(choice.get("delta")) or as_dict(choice.get("message"))
            content = delta.get("content")
            if isinstance(content, list):
                told += self._parts(content)
            else:
                told += self.writing.add(as_text(content))
            if choice.get("finish_reason"):
                self.is_whole = True
                self.writing.partial |= choice["finish_reason"] == "length"
        self._cite(as_list(body.get("responseData")))
        return told or (Working(),)

    def _parts(self, parts: list[Any]) -> Sequence[ReplyEvent]:
        told: list[ReplyEvent] = []
        for part in map(as_dict, parts):
            if part.get("type") == "interactive":
                told += self._ask(as_dict(part.get("interactive")))
            else:
                text = part.get("text")
                told += self.writing.add(
                    as_text(as_dict(text).get("content")) if isinstance(text, dict)
                    else as_text(text)
                )  # fmt: skip
        return told

    def _ask(self, interactive: dict[str, Any]) -> Sequence[ReplyEvent]:
        """A choice is offered as buttons, and what the visitor says next goes on from there. A form
        of several fields is beyond a chat."""
        params = as_dict(interactive.get("params"))
        options = [
            as_text(as_dict(o).get("value")) for o in as_list(params.get("userSelectOptions"))
        ]
        if interactive.get("type") != "userSelect" or not any(options):
            raise InputRequired
        self.writing.options += options
        self.is_whole = True
        described = as_text(params.get("description"))
        # The stream ends here as a whole: the application rests until somebody chooses.
        between = "\n\n" if self.writing.text and described else ""
        return self.writing.add(between + described)

    def _sources(self, data: str) -> None:
        if data.lstrip().startswith("["):
            wrapped = decoded(f'{{"all":{data}}}') or {}
            self._cite(as_list(wrapped.get("all")))
        else:
            self._cite([decoded(data) or {}])

    def _cite(self, modules: list[Any]) -> None:
        for module in map(as_dict, modules):
            for quote in map(as_dict, as_list(module.get("quoteList"))):
                asked, answer = as_text(quote.get("q")), as_text(quote.get("a"))
                self.writing.cite(
                    as_text(quote.get("id")),
                    as_text(quote.get("sourceName")) or asked[:40],
                    answer or asked,
                )
            self.writing.prompt_tokens += as_count(module.get("inputTokens"))
            self.writing.completion_tokens += as_count(module.get("outputTokens"))
            if "inputTokens" not in module:
                self.writing.completion_tokens += as_count(module.get("tokens"))
            self._cite(as_list(module.get("pluginDetail")) + as_list(module.get("toolDetail")))
