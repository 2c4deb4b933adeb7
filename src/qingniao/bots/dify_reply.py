"""What one stream of Dify has told so far. Owns its events; refuses to ask.

Rule: a whole answer ends with `message_end` (chat) or a `workflow_finished` that did not fail
(workflow); everything else that ends a stream is a failure.
"""

from collections.abc import Sequence
from typing import Any, Final

from qingniao.bots.base import (
    BotMisconfigured,
    BotOverQuota,
    BotUnavailable,
    InputRequired,
    ReplyEvent,
    ReplyTruncated,
    Working,
)
from qingniao.bots.dify_faults import stream_fault
from qingniao.bots.fields import as_count, as_dict, as_list, as_text, decoded, has_words, says
from qingniao.bots.writing import Writing
from qingniao.outgoing.sse import ServerEvent

__all__ = ["DifyReply"]

_ANSWERS: Final = ("text", "answer", "result", "output")
"""Names that people give to a workflow's output, if none was set."""


class DifyReply:
    """What one stream has told so far."""

    def __init__(self, is_workflow: bool, answer: str) -> None:
        self._is_workflow = is_workflow
        self._answer = answer
        self._is_agent = False
        self.writing = Writing()
        self.task = ""
        self.has_begun = False
        self.is_whole = False
        self.has_ended = False
        """Nothing is under way there any more."""

    def take(self, event: ServerEvent) -> Sequence[ReplyEvent]:
        """The events that one of theirs becomes."""
        body = decoded(event.data)
        if body is None:
            # A ping, or a line that nobody can read: a sign of life, and no part of an answer.
            return (Working(),)
        if task := as_text(body.get("task_id")):
            self.task = task
        if (conversation := as_text(body.get("conversation_id"))) and not self._is_workflow:
            self.writing.remote = conversation
        return self._take(as_text(body.get("event")), body)

    def _take(self, kind: str, body: dict[str, Any]) -> Sequence[ReplyEvent]:
        writing = self.writing
        match kind:
            case "message" | "agent_message":
                writing.message = as_text(body.get("message_id")) or as_text(body.get("id"))
                self._is_agent = self._is_agent or kind == "agent_message"
                if self._is_agent and kind == "message":
                    # After an agent's pieces this is the whole answer once more.
                    return writing.replace(as_text(body.get("answer")))
                return writing.add(as_text(body.get("answer")))
            case "text_chunk":
                return writing.add(as_text(as_dict(body.get("data")).get("text")))
            case "message_replace":
                return writing.replace(as_text(body.get("answer")))
            case "text_replace":
                return writing.replace(as_text(as_dict(body.get("data")).get("text")))
            case "message_file":
                return self._file(body)
            case "message_end":
                self._end(as_dict(body.get("metadata")), body)
                return ()
            case "workflow_finished":
                return self._finished(as_dict(body.get("data")))
            case "human_input_required" | "workflow_paused":
                self.has_ended = True
                raise InputRequired
            case "error":
                self.has_ended = True
                raise stream_fault(body)
            case "node_started":
                return (Working(step=as_text(as_dict(body.get("data")).get("title"))),)
        return (Working(),)

    def _file(self, body: dict[str, Any]) -> Sequence[ReplyEvent]:
        url = as_text(body.get("url"))
        if as_text(body.get("belongs_to")) != "assistant" or not url.startswith("http"):
            return ()
        return self.writing.add(f"\n{url}\n")

    def _end(self, metadata: dict[str, Any], body: dict[str, Any]) -> None:
        writing = self.writing
        writing.message = (
            as_text(body.get("message_id")) or as_text(body.get("id")) or writing.message
        )
        usage = as_dict(metadata.get("usage"))
        writing.prompt_tokens = as_count(usage.get("prompt_tokens"))
        writing.completion_tokens = as_count(usage.get("completion_tokens"))
        writing.cost = _price(usage.get("total_price"))
        writing.currency = as_text(usage.get("currency")) if writing.cost else ""
        for source in map(as_dict, as_list(metadata.get("retriever_resources"))):
            writing.cite(
                as_text(source.get("segment_id")) or as_text(source.get("document_id")),
                as_text(source.get("document_name")) or as_text(source.get("dataset_name")),
                as_text(source.get("content")),
            )
        self.is_whole = self.has_ended = True

    def _finished(self, data: dict[str, Any]) -> Sequence[ReplyEvent]:
        status = as_text(data.get("status"))
        if status == "stopped":
            self.has_ended = True
            raise ReplyTruncated("The workflow was stopped before it had an answer.")
        if not self._is_workflow:
            # A chatflow's answer ends with `message_end`; if it failed, an `error` follows.
            return ()
        self.has_ended = True
        if status == "failed":
            said = as_text(data.get("error"))
            if has_words(said, "quota", "insufficient", "balance"):
                raise BotOverQuota(
                    f"The account of the workflow's model has nothing left.{says(said)}"
                )
            raise BotUnavailable(f"The workflow failed.{says(said)}")
        self.writing.completion_tokens = as_count(data.get("total_tokens"))
        told = self._output(as_dict(data.get("outputs")))
        self.is_whole = True
        return told

    def _output(self, outputs: dict[str, Any]) -> Sequence[ReplyEvent]:
        if self._answer:
            if self._answer not in outputs:
                raise BotMisconfigured(
                    f"The workflow has no output called {self._answer}; it has: "
                    f"{', '.join(sorted(outputs)) or 'none'}."
                )
            return self.writing.replace(as_text(outputs[self._answer]))
        texts = {key: value for key, value in outputs.items() if isinstance(value, str) and value}
        named = next((texts[name] for name in _ANSWERS if name in texts), None)
        if named is not None:
            return self.writing.replace(named)
        if len(texts) == 1:
            return self.writing.replace(next(iter(texts.values())))
        if self.writing.text or not texts:
            return ()
        raise BotMisconfigured(
            f"The workflow has several outputs ({', '.join(sorted(texts))}): choose the answer."
        )


def _price(value: object) -> float:
    try:
        return max(0.0, float(as_text(value) or 0))
    except ValueError:
        return 0.0
