"""The events of one Dify answer, in the order of each kind of app.

Owns event names, fields and order; refuses to remember anything. Rule: a stream that is not broken
by a script ends as documented for its app: `message_end`, `workflow_finished`, a pause or an
`error`.
"""

import msgspec

from qingniao.doubles.dify_faults import fault_body
from qingniao.doubles.dify_store import App
from qingniao.doubles.double import Json, Said
from qingniao.doubles.faq import made_id, tokens
from qingniao.doubles.scenario import Script

__all__ = [
    "ACTIONS",
    "DOCUMENT",
    "PING",
    "WORKFLOW",
    "Telling",
    "event",
    "form_of",
    "resources",
    "usage",
]

DOCUMENT = "8dd1ad74-0b5f-4175-b735-7d98bbbb4e00"
PING = b"event: ping\n\n"
WORKFLOW = "7c3e33d4-2a8b-4e5f-9b1a-d3c6e8f12345"
_NODES = (
    ("start", "start", "开始"),
    ("search", "knowledge-retrieval", "知识检索"),
    ("llm", "llm", "LLM"),
)
_RETRACTED = "抱歉，这个问题我不能回答。"
_THOUGHTS = ("顾客问的是店里的规则。", "资料里有这一条。")
ACTIONS = {"approve": "确认", "reject": "取消"}
"""The buttons of a form."""
_EXPIRES_S = 86_400
"""How long a form may wait for somebody to fill it in."""


def event(content: Json) -> bytes:
    """One event: the type is in the JSON, there is no `event:` line."""
    return b"data: " + msgspec.json.encode(content) + b"\n\n"


class Telling:
    """One answer as it is told. Ids are given; times are those of its beginning."""

    def __init__(
        self, *, app: App, said: Said, script: Script, task: str, message: str, conversation: str,
        run: str, query: str, inputs: Json, now: int,
    ) -> None:  # fmt: skip
        self._app, self._said, self._script = app, said, script
        self._ids: Json = {"conversation_id": conversation, "message_id": message}
        self._task: Json = {"created_at": now, "task_id": task}
        if app.mode == "workflow":
            self._ids, self._task = {}, {"task_id": task}
        self._message, self._run, self._now = message, run, now
        self._query, self._inputs = query, inputs

    @property
    def answer(self) -> str:
        """What is kept: with a retraction the words that replace it."""
        return _RETRACTED if "retract" in self._script else self._said.text

    @property
    def failure(self) -> Json | None:
        """The error it ends with, if it fails while the answer is made."""
        if "quota" in self._script:
            return fault_body("provider_quota_exceeded")
        for word in ("error-midway", "error"):
            if word in self._script:
                return fault_body(self._script.argument(word, "completion_request_error"))
        return None

    @property
    def pauses(self) -> bool:
        """It asks for a form, and ends there for the time being."""
        return "form" in self._script and self._app.is_graph

    def events(self) -> list[bytes]:
        """Everything, up to the end or the pause."""
        failure = self.failure
        if failure is not None:
            said = [] if {"error", "quota"} & self._script.names else self._words()
            return self._failed(said[: len(said) // 2], failure)
        if self.pauses:
            return self._opening() + self.paused()
        events = [*self._opening(), *self._words(), *self.closing()]
        return self._odd(events) if "odd" in self._script else events

    def stopped(self) -> list[bytes]:
        """The end after a stop."""
        if self._app.is_graph:
            return [self._finished("stopped", {})]
        return [self._end()]

    def resumed(self, action: str, values: Json) -> list[bytes]:
        """What follows a form: the note that it was filled in, the answer, the end."""
        filled: Json = {
            "node_id": "approval_node", "node_title": "确认", "rendered_content": "请确认",
            "action_id": action, "action_text": ACTIONS[action], "submitted_data": values,
        }  # fmt: skip
        return [self._of_run("human_input_form_filled", filled), *self._words(), *self.closing()]

    def _said_by(self, name: str, **fields: object) -> bytes:
        return event({"event": name, **self._ids, **self._task, **fields})

    def _of_run(self, name: str, data: Json) -> bytes:
        return self._said_by(name, workflow_run_id=self._run, data=data)

    def _opening(self) -> list[bytes]:
        if not self._app.is_graph:
            return []
        start = {
            "id": self._run,
            "workflow_id": WORKFLOW,
            "inputs": self._inputs,
            "created_at": self._now,
            "reason": "initial",
        }
        events = [self._of_run("workflow_started", start)]
        for number, node in enumerate(_NODES):
            events.append(self._node("node_started", number, node))
            if node[0] != "llm":
                events.append(self._node("node_finished", number, node))
        return events

    def _node(self, name: str, number: int, node: tuple[str, str, str]) -> bytes:
        id, kind, title = node
        data: Json = {
            "id": f"{self._run[:-2]}{number:02}", "node_id": id, "node_type": kind, "title": title,
            "index": number + 1, "predecessor_node_id": _NODES[number - 1][0] if number else None,
            "inputs": None, "created_at": self._now,
        }  # fmt: skip
        if name == "node_finished":
            data |= {
                "status": "succeeded", "outputs": {}, "error": None, "elapsed_time": 0.1,
                "execution_metadata": {"total_tokens": 0, "total_price": 0.0, "currency": "USD"},
                "finished_at": self._now,
            }  # fmt: skip
        return self._of_run(name, data)

    def _words(self) -> list[bytes]:
        events = self._thoughts()
        spoken = [self._word(piece) for piece in self._said.pieces]
        if "retract" in self._script:
            spoken = spoken[: len(spoken) // 2]
            if self._app.mode == "workflow":
                spoken.append(self._of_run("text_replace", {"text": _RETRACTED}))
            else:
                spoken.append(
                    self._said_by("message_replace", answer=_RETRACTED, reason="output_moderation")
                )
        events += spoken
        if "file" in self._script:
            url = "https://files.example.com/size-chart.png?sign=double"
            file = made_id("file", self._run)
            events.append(self._said_by(
                "message_file", id=file, type="image", belongs_to="assistant", url=url
            ))  # fmt: skip
        if self._app.is_graph:
            events.append(self._node("node_finished", 2, _NODES[2]))
        if self._app.mode == "agent":
            # The closing message has the whole answer once more; it is not to be appended.
            events.append(self._said_by("message", id=self._message, answer=self.answer))
        return events

    def _word(self, piece: str) -> bytes:
        if self._app.mode == "workflow":
            data: Json = {"text": piece, "from_variable_selector": ["llm", "text"]}
            return self._of_run("text_chunk", data)
        name = "agent_message" if self._app.is_agent else "message"
        return self._said_by(name, id=self._message, answer=piece)

    def _thoughts(self) -> list[bytes]:
        if self._app.is_agent:
            return [
                self._said_by(
                    "agent_thought", id=f"{self._message[:-1]}{number}", position=number + 1,
                    thought=thought if "reasoning" in self._script else "",
                    observation="" if not number else "1 条资料",
                    tool="" if not number else "dataset_search",
                    tool_labels={}, tool_input="" if not number else '{"query": "…"}',
                    message_files=[],
                )
                for number, thought in enumerate(_THOUGHTS)
            ]  # fmt: skip
        if "reasoning" not in self._script:
            return []
        if not self._app.is_graph:
            # Models that think aloud do so inside the answer here.
            return [
                self._word("<think>\n"),
                *map(self._word, _THOUGHTS),
                self._word("\n</think>\n\n"),
            ]
        data = [(thought, False) for thought in _THOUGHTS] + [("", True)]
        return [
            self._of_run("reasoning_chunk", {
                "message_id": self._message, "reasoning": text, "node_id": "llm", "is_final": last,
            })
            for text, last in data
        ]  # fmt: skip

    def closing(self) -> list[bytes]:
        """From the last word to the end."""
        if self._app.mode == "workflow":
            return [self._finished("succeeded", {"text": self.answer})]
        if self._app.is_graph:
            return [self._end(), self._finished("succeeded", {"answer": self.answer})]
        return [self._end()]

    def _end(self) -> bytes:
        metadata: Json = {"usage": usage(self._query, self.answer)}
        if self._said.sources and self._app.mode != "agent":
            metadata["retriever_resources"] = resources(self._said)
        return self._said_by("message_end", id=self._message, metadata=metadata, files=[])

    def _finished(self, status: str, outputs: Json, error: str | None = None) -> bytes:
        data: Json = {
            "id": self._run, "workflow_id": WORKFLOW, "status": status, "outputs": outputs,
            "error": error, "elapsed_time": 0.5, "total_tokens": tokens(self.answer),
            "total_steps": len(_NODES), "created_at": self._now, "finished_at": self._now,
            "exceptions_count": 0, "files": [],
        }  # fmt: skip
        return self._of_run("workflow_finished", data)

    def _failed(self, said: list[bytes], body: Json) -> list[bytes]:
        if self._app.is_graph:
            said = [*self._opening(), *said, self._finished("failed", {}, str(body["message"]))]
            if self._app.mode == "workflow":
                return said
        # An error has no task.
        told = {key: value for key, value in self._task.items() if key != "task_id"}
        return [*said, event({"event": "error", **self._ids, **told, **body})]

    def paused(self) -> list[bytes]:
        """A form, and the end of this stream."""
        form = form_of(self._run, self._now)
        reason = {"TYPE": "human_input_required", **form}
        pause: Json = {
            "workflow_run_id": self._run, "paused_nodes": ["approval_node"], "outputs": {},
            "reasons": [reason], "status": "paused", "created_at": self._now, "elapsed_time": 0.5,
            "total_tokens": 0, "total_steps": 1,
        }  # fmt: skip
        return [self._of_run("human_input_required", form), self._of_run("workflow_paused", pause)]

    def _odd(self, events: list[bytes]) -> list[bytes]:
        """Everything that may stand between two events."""
        log = {"label": "step", "status": "success", "data": {}}
        between = [
            PING,
            self._of_run("node_retry", {"node_id": "llm", "retry_index": 1}),
            self._said_by("agent_log", data=log),
            self._said_by("tts_message", audio="//uQxAAA"),
            b": comment\n\n",
            b"event: something_new\ndata: {}\n\n",
        ]
        mixed = [one.replace(b"data: ", b"data:", 1) for one in events[:2]] + events[2:]
        for number, one in enumerate(between):
            mixed.insert(min(1 + 2 * number, len(mixed) - 1), one)
        trailing = (
            [] if self._app.mode == "workflow" else [self._said_by("tts_message_end", audio="")]
        )
        return [PING, *mixed, *trailing]


def form_of(run: str, now: int) -> Json:
    """What a paused run asks: one sentence, one field, two ways on."""
    return {
        "form_id": run, "form_token": f"tok_{run[:8]}", "node_id": "approval_node",
        "node_title": "确认", "form_content": "请填写您的订单号，然后确认。",
        "inputs": [{"type": "paragraph", "output_variable_name": "order", "default": None}],
        "actions": [
            {"id": name, "title": title, "button_style": style}
            for (name, title), style in zip(ACTIONS.items(), ("primary", "default"), strict=True)
        ],
        "display_in_ui": False, "resolved_default_values": {"order": ""},
        "expiration_time": now + _EXPIRES_S,
    }  # fmt: skip


def usage(query: str, answer: str) -> Json:
    """Tokens and prices, prices as text."""
    asked, told = tokens(query) + 900, tokens(answer)
    return {
        "prompt_tokens": asked, "prompt_unit_price": "0.001", "prompt_price_unit": "0.001",
        "prompt_price": f"{asked / 1_000_000:.7f}", "completion_tokens": told,
        "completion_unit_price": "0.002", "completion_price_unit": "0.001",
        "completion_price": f"{told * 2 / 1_000_000:.7f}", "total_tokens": asked + told,
        "total_price": f"{(asked + told * 2) / 1_000_000:.7f}", "currency": "USD", "latency": 0.5,
    }  # fmt: skip


def resources(said: Said) -> list[Json]:
    """The sources of an answer."""
    return [
        {
            "position": position, "dataset_id": "101b4c97-fc2e-463c-90b1-5261a4cdcafb",
            "dataset_name": "山雀衣社售后资料",
            "document_id": DOCUMENT,
            "document_name": entry.title or entry.question,
            "data_source_type": "upload_file",
            "segment_id": made_id("segment", entry.id), "retriever_from": "api", "score": score,
            "content": f"{entry.question}\n{entry.answer}",
        }
        for position, (entry, score) in enumerate(said.sources, start=1)
    ]  # fmt: skip
