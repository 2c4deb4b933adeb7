"""Coze's workflows: run at once, as a stream, interrupted and resumed.

Owns their lines, which have an `id` and a blank after each colon, unlike the chat's. Rule: the id
counts from zero.
"""

from typing import Final

from msgspec import Struct

from qingniao.doubles.coze_faults import FAULTS, fine
from qingniao.doubles.coze_records import CozeRecords
from qingniao.doubles.coze_stream import encoded
from qingniao.doubles.double import Answer, Call, Json, Said, labels_of
from qingniao.doubles.faq import pieces
from qingniao.doubles.messages import Reply

__all__ = ["WORKFLOW", "CozeWorkflows"]

WORKFLOW: Final = "7480000000000000001"
_EVENT: Final = "7404830425073352713/2769808280134765896"


class _Run(Struct):
    workflow_id: str
    parameters: Json = {}
    bot_id: str = ""
    app_id: str = ""
    is_async: bool = False


class _Resume(Struct):
    workflow_id: str
    event_id: str
    resume_data: str
    interrupt_type: int = 2


class CozeWorkflows(CozeRecords):
    """Workflows, on top of what is kept."""

    def routes(self) -> dict[str, Answer]:
        return {
            "POST /v1/workflow/run": self._run,
            "POST /v1/workflow/stream_run": self._stream_run,
            "POST /v1/workflow/stream_resume": self._resume,
            **super().routes(),
        }

    def _asked(self, call: Call, body: _Run) -> Said:
        """The input is `input`, `query` or the first text."""
        texts = [value for value in body.parameters.values() if isinstance(value, str)]
        named = [body.parameters[name] for name in ("input", "query") if name in body.parameters]
        question = call.question(str((named or texts or [""])[0]))
        self.admit(call)
        self.known(body.workflow_id)
        return self.said(call, question, labels_of(body.parameters.get("labels")))

    def known(self, workflow: str) -> None:
        """Raises a refusal for another."""
        if workflow != WORKFLOW:
            text = f"Requested resource workflow_id={workflow} does not exist."
            raise self.refuse("4200", text)

    def _run(self, call: Call) -> Reply:
        body = call.body(_Run)
        said = self._asked(call, body)
        if "error-midway" in call.script:
            raise self.refuse(call.script.argument("error-midway", "5000"))
        execution = self.new_id("execution", digits=19)
        told: dict[str, object] = {"debug_url": _debug_url(execution), "execute_id": execution}
        if body.is_async:
            return fine(None, self.log(), **told)
        output = encoded({"output": said.text}).decode()
        return fine(output, self.log(), token=98, cost="0", **told)

    def _stream_run(self, call: Call) -> Reply:
        said = self._asked(call, call.body(_Run))
        lines = [_node("Message", piece, number) for number, piece in enumerate(said.pieces)]
        if "form" in call.script:
            asked = {"event_id": _EVENT, "type": 2, "data": ""}
            pause: Json = {"interrupt_data": asked, "node_title": "问答"}
            return self._lines([_node("Message", "请填写您的订单号", 0), ("Interrupt", pause)])
        if "error-midway" in call.script:
            code, text = FAULTS["4000"]
            failure: Json = {"error_code": code, "error_message": text}
            return self._lines([*lines[: len(lines) // 2], ("Error", failure)])
        end = _node("End", encoded({"output": said.text}).decode(), 0, is_last=True)
        return self._lines([*lines, end, ("Done", {})])

    def _resume(self, call: Call) -> Reply:
        body = call.body(_Resume)
        self.admit(call)
        self.known(body.workflow_id)
        if body.event_id != _EVENT:
            raise self.refuse("4000", "the event does not exist")
        said = pieces(f"好的，已为您登记：{body.resume_data}。")
        lines = [_node("Message", piece, number) for number, piece in enumerate(said)]
        return self._lines([*lines, ("Done", {})])

    def _lines(self, events: list[tuple[str, Json]]) -> Reply:
        coded = [
            b"id: %d\nevent: %b\ndata: %b\n\n" % (number, name.encode(), encoded(data))
            for number, (name, data) in enumerate(events)
        ]
        return Reply(
            content_type="text/event-stream", headers={"x-tt-logid": self.log()}, is_stream=True,
            events=coded, pace_s=self.pace_s,
        )  # fmt: skip


def _node(title: str, content: str, number: int, *, is_last: bool = False) -> tuple[str, Json]:
    data: Json = {
        "content": content, "content_type": "text", "node_is_finish": is_last,
        "node_seq_id": str(number), "node_title": title,
    }  # fmt: skip
    return "Message", data


def _debug_url(execution: str) -> str:
    return f"https://www.coze.cn/work_flow?execute_id={execution}&workflow_id={WORKFLOW}"
