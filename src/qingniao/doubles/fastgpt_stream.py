"""The events of one FastGPT answer, by name with `detail`, and bare without.

Owns event names, order and the nodes' own reports. Rule: `[DONE]` comes before `flowResponses`, and
without `detail` everything but the text is left out, failures too.
"""

from typing import Final

import msgspec

from qingniao.doubles.double import Json, Said
from qingniao.doubles.fastgpt_faults import fault_body
from qingniao.doubles.scenario import Script

__all__ = ["THOUGHTS", "Flow", "interactive_of", "score_of"]

THOUGHTS: Final = ("先看看顾客问的是什么。", "资料里有这一条。")
_HIDDEN: Final = frozenset({
    "error", "flowNodeStatus", "flowResponses", "interactive", "toolCall", "toolParams",
    "toolResponse", "updateVariables", "flowNodeResponse", "workflowDuration",
})  # fmt: skip
"""What only `detail` shows."""


class Flow:
    """One answer as it is told."""

    def __init__(
        self, *, said: Said, script: Script, chat: str, query: str, detail: bool, is_v2: bool,
        labels: tuple[str, ...], variables: Json,
    ) -> None:  # fmt: skip
        self._said, self._script, self._chat, self._query = said, script, chat, query
        self._detail, self._v2, self._labels, self._variables = detail, is_v2, labels, variables

    @property
    def responses(self) -> list[Json]:
        """What each node reports: the citations are in the search's."""
        start: Json = {
            "nodeId": "start",
            "moduleName": "流程开始",
            "moduleType": "workflowStart",
            "runningTime": 0,
        }
        if self._labels:
            chosen = self._said.text
            listed = [{"key": f"k{n}", "value": label} for n, label in enumerate(self._labels)]
            sort: Json = {
                "nodeId": "classify", "moduleName": "问题分类", "moduleType": "classifyQuestion",
                "runningTime": 0.52, "totalPoints": 0.01, "model": "gpt-4o-mini", "tokens": 120,
                "query": self._query, "cqList": listed, "cqResult": chosen,
            }  # fmt: skip
            reply: Json = {
                "nodeId": "reply", "moduleName": "指定回复", "moduleType": "answerNode",
                "runningTime": 0, "textOutput": chosen,
            }  # fmt: skip
            return [start, sort, reply]
        search: Json = {
            "nodeId": "search", "moduleName": "知识库搜索", "moduleType": "datasetSearchNode",
            "runningTime": 0.31, "totalPoints": 0.02, "query": self._query,
            "model": "text-embedding-v4", "tokens": 12, "similarity": 0.4,
            "limit": 3_000, "searchMode": "embedding",
            "quoteList": [
                {
                    "id": entry.id, "q": entry.question, "a": entry.answer, "chunkIndex": 0,
                    "datasetId": "ds-double", "collectionId": "col-double",
                    "sourceName": entry.title or entry.question, "sourceId": "src-double",
                    "score": score_of(score, place, self._script),
                }
                for place, (entry, score) in enumerate(self._said.sources)
            ],
        }  # fmt: skip
        chat: Json = {
            "nodeId": "chat", "moduleName": "AI 对话", "moduleType": "chatNode", "runningTime": 1.2,
            "totalPoints": 0.05, "model": "gpt-4o-mini", "tokens": 320, "query": self._query,
            "historyPreview": [{"obj": "Human", "value": self._query}],
        }  # fmt: skip
        if "error-midway" in self._script:
            chat["error"] = self._failure()
        return [start, search, chat]

    def _failure(self) -> Json:
        return fault_body(self._script.argument("error-midway") or "error")

    def events(self) -> list[bytes]:
        """With `stream`: from the first node to the last report."""
        if "form" in self._script:
            return self._paused()
        events = [self._status("问题分类" if self._labels else "知识库搜索")]
        if "tools" in self._script:
            events += self._tools()
        if not self._labels:
            events.append(self._status("AI 对话"))
        if "reasoning" in self._script:
            events += [self._answer({"reasoning_content": text}) for text in THOUGHTS]
        name = "fastAnswer" if self._labels else "answer"
        spoken = [self._answer({"content": piece}, name) for piece in self._said.pieces]
        if "error-midway" in self._script:
            spoken = [*spoken[: len(spoken) // 2], self._event("error", self._told())]
        events += spoken
        if self._variables:
            events.append(self._event("updateVariables", self._variables))
        events = [event for event in events + self._end() if event]
        return self._odd(events) if "odd" in self._script else events

    def _told(self) -> Json:
        failure = self._failure()
        return {"message": failure["message"]} if failure["statusText"] == "error" else failure

    def _end(self) -> list[bytes]:
        reports = (
            [self._event("flowNodeResponse", one) for one in self.responses] if self._v2 else []
        )
        if self._v2:
            reports.append(self._event("workflowDuration", {"durationSeconds": 1.2}))
        stop = self._event("answer", _chunk({}, self._chat, "stop"))
        done = (b"event: answer\n" if self._detail else b"") + b"data: [DONE]\n\n"
        last = [] if self._v2 else [self._event("flowResponses", self.responses)]
        return [*reports, stop, done, *last]

    def _paused(self) -> list[bytes]:
        asked = interactive_of(self._script.argument("form"))
        events = [self._status("用户选择"), self._event("interactive", {"interactive": asked})]
        return [event for event in events + self._end() if event]

    def _tools(self) -> list[bytes]:
        tool: Json = {
            "id": "call_1", "toolName": "查订单", "toolAvatar": "", "functionName": "order",
            "params": "", "response": "",
        }  # fmt: skip
        return [
            self._event("toolCall", {"tool": tool}),
            self._event("toolParams", {"tool": {"id": "call_1", "params": '{"no":'}}),
            self._event("toolParams", {"tool": {"params": '"A12345"}'}}),
            self._event("toolResponse", {"tool": {"id": "call_1", "response": "已发货"}}),
        ]

    def _status(self, name: str) -> bytes:
        return self._event("flowNodeStatus", {"status": "running", "name": name})

    def _answer(self, delta: Json, name: str = "answer") -> bytes:
        return self._event(name, _chunk({"role": "assistant", **delta}, self._chat, None))

    def _event(self, name: str, data: object) -> bytes:
        """Nothing for what is hidden without `detail`."""
        text = b"data: " + msgspec.json.encode(data) + b"\n\n"
        if self._detail:
            return b"event: " + name.encode() + b"\n" + text
        return b"" if name in _HIDDEN else text

    def _odd(self, events: list[bytes]) -> list[bytes]:
        extra = [
            b"event: sandboxStatus\ndata: {}\n\n",
            b": comment\n\n",
            b'event:plan\ndata:{"plan":[]}\n\n',
            b'event: answer\ndata: {"id":"","choices":[]}\n\n' if self._detail else b"",
        ]
        return [
            *(event.replace(b"data: ", b"data:", 1) for event in events[:1]),
            *extra,
            *events[1:],
        ]


def score_of(score: float, place: int, script: Script) -> object:
    """How alike a row of a dataset is to the question, as its versions tell it."""
    return score if "old" in script else [{"type": "embedding", "value": score, "index": place}]


def interactive_of(kind: str) -> Json:
    """A choice or, on request (`form:input`), a form."""
    if kind == "input":
        field = {
            "type": "input", "key": "order", "label": "订单号", "description": "", "value": "",
            "defaultValue": "", "required": True, "valueType": "string", "list": [],
        }  # fmt: skip
        return {
            "type": "userInput",
            "params": {"description": "请填写订单号", "inputForm": [field]},
        }
    options = [{"value": "退货", "key": "option1"}, {"value": "换货", "key": "option2"}]
    return {
        "type": "userSelect",
        "params": {"description": "您想办理哪一项？", "userSelectOptions": options},
    }


def _chunk(delta: Json, chat: str, finish: str | None) -> Json:
    return {
        "id": chat, "object": "", "created": 0, "model": "",
        "choices": [{"delta": delta, "index": 0, "finish_reason": finish}],
    }  # fmt: skip
