"""Dify's service API: chat, agent and workflow apps, streaming and blocking, and what goes with
them.

Owns addresses, checks and who may see what; the events are `dify_stream.py`'s, the refusals
`dify_faults.py`'s. Rule: one key is one app, and everything belongs to the `user` that asked.
"""

from typing import ClassVar

import msgspec
from msgspec import Struct, structs

from qingniao.doubles.dify_faults import fault
from qingniao.doubles.dify_records import APPS, DifyRecords, FileGiven, User
from qingniao.doubles.dify_store import (
    App,
    Conversation,
    Form,
    Message,
    Run,
    Task,
)
from qingniao.doubles.dify_stream import (
    ACTIONS,
    PING,
    WORKFLOW,
    Telling,
    form_of,
    resources,
    usage,
)
from qingniao.doubles.double import (
    Answer,
    Call,
    Json,
    Refusal,
    Said,
    json_reply,
    labels_of,
)
from qingniao.doubles.faq import pieces, tokens
from qingniao.doubles.messages import Reply, Stop

__all__ = ["APPS", "DifyDouble"]


class _Chat(Struct):
    inputs: Json
    query: str
    user: str
    response_mode: str = "blocking"
    conversation_id: str | None = ""
    files: list[FileGiven] | None = None
    auto_generate_name: bool = True
    workflow_id: str = ""


class _WorkflowRun(Struct):
    inputs: Json
    user: str
    response_mode: str = "blocking"
    files: list[FileGiven] | None = None


class _Filled(Struct):
    inputs: Json
    action: str
    user: str


class DifyDouble(DifyRecords):
    """All kinds of apps on one port, told apart by their keys."""

    platform: ClassVar[str] = "dify"
    own_scenarios: ClassVar[dict[str, str]] = {
        "retract": "moderation takes the answer back and says something else",
        "file": "the answer comes with a picture",
    }

    @property
    def base_url(self) -> str:
        """What Dify shows as the base URL of its API."""
        return f"{self.url}/v1"

    def fields(self) -> list[tuple[str, dict[str, str]]]:
        return [
            (
                f"Dify: {app.name}",
                {
                    "url": self.base_url,
                    "key": app.key,
                    "app": "workflow" if app.mode == "workflow" else "chat",
                },
            )
            for app in APPS
        ]

    def routes(self) -> dict[str, Answer]:
        return {
            "POST /v1/chat-messages": self._chat,
            "POST /v1/chat-messages/{task}/stop": self._stop,
            "POST /v1/workflows/run": self._run_workflow,
            "POST /v1/workflows/tasks/{task}/stop": self._stop,
            "GET /v1/workflows/run/{run}": self._run_detail,
            "GET /v1/workflow/{run}/events": self._run_events,
            "GET /v1/form/human_input/{token}": self._form,
            "POST /v1/form/human_input/{token}": self._fill_form,
            **super().routes(),
        }

    # Answers

    def _chat(self, call: Call) -> Reply:
        body = call.body(_Chat)
        question = call.question(body.query)
        app = self.app(call, blocks=body.response_mode != "streaming")
        if app.mode == "workflow":
            raise Refusal(fault("not_chat_app"))
        if not body.user:
            raise Refusal(fault("invalid_param"))
        if app.is_agent and body.response_mode != "streaming":
            raise Refusal(fault("bad_request.blocking"))
        files = self.check_files(body.files, body.user)
        conversation = self._conversation(app, body)
        said = self._said(call, question, body.inputs, files)
        message = Message(
            id=self.new_id("message"), conversation=conversation.id, user=body.user,
            inputs=body.inputs, query=body.query, files=files, created_at=int(self.clock()),
            resources=resources(said), suggested=[e.question for e, _ in said.sources[1:]],
        )  # fmt: skip
        return self._tell(call, app, said, message, conversation, body.response_mode == "streaming")

    def _conversation(self, app: App, body: _Chat) -> Conversation:
        if body.conversation_id:
            found = self.store.conversation(body.conversation_id, app, body.user)
            if found is None:
                raise Refusal(fault("not_found"))
            return found
        now = int(self.clock())
        return Conversation(
            id=self.new_id("conversation"), app=app.key, user=body.user, name=body.query[:20],
            inputs=body.inputs, created_at=now, updated_at=now,
        )  # fmt: skip

    def _said(self, call: Call, question: str, inputs: Json, files: list[Json]) -> Said:
        said = self.said(call, question, labels_of(inputs.get("labels")))
        if not files or not said.pieces:
            return said
        return Said(
            pieces=(*pieces(f"收到 {len(files)} 个文件。"), *said.pieces), sources=said.sources
        )

    def _tell(
        self, call: Call, app: App, said: Said, message: Message, conversation: Conversation,
        streams: bool,
    ) -> Reply:  # fmt: skip
        task, run = self.new_id("task"), self.new_id("run")
        telling = Telling(
            app=app, said=said, script=call.script, task=task, message=message.id,
            conversation=conversation.id, run=run, query=message.query, inputs=message.inputs,
            now=message.created_at,
        )  # fmt: skip
        message.answer = telling.answer
        message.tokens = (tokens(message.query), tokens(message.answer))
        self.store.conversations[conversation.id] = conversation
        self.store.messages[message.id] = message
        if app.is_graph:
            self._keep_run(run, message, telling)
        conversation.messages.append(message)
        conversation.updated_at = message.created_at
        if streams:
            return self._streamed(telling, task, message.user)
        if "error-midway" in call.script:
            raise Refusal(fault(call.script.argument("error-midway", "completion_request_error")))
        metadata: Json = {"usage": usage(message.query, message.answer)}
        if message.resources:
            metadata["retriever_resources"] = message.resources
        return json_reply({
            "event": "message", "task_id": task, "id": message.id, "message_id": message.id,
            "conversation_id": conversation.id, "mode": app.mode, "answer": message.answer,
            "metadata": metadata, "created_at": message.created_at,
        })  # fmt: skip

    def _streamed(self, telling: Telling, task: str, user: str) -> Reply:
        stop = Stop(telling.stopped())
        self.store.tasks[task] = Task(user=user, stop=stop)
        return structs.replace(
            self._events(telling.events()), stop=stop, ended=lambda _: self.store.tasks.forget(task)
        )

    def _events(self, events: list[bytes]) -> Reply:
        return Reply(
            content_type="text/event-stream; charset=utf-8", is_stream=True, events=events,
            pace_s=self.pace_s, ping=PING, ping_s=self.ping_s,
        )  # fmt: skip

    def _stop(self, call: Call, task: str) -> Reply:
        body = call.body(User)
        self.app(call)
        found = self.store.tasks.get(task)
        # Also for a task of somebody else it is a success that does nothing.
        if found is not None and found.user == body.user:
            found.stop.set()
        return json_reply({"result": "success"})

    # Workflows

    def _run_workflow(self, call: Call) -> Reply:
        body = call.body(_WorkflowRun)
        name = next((n for n in ("query", "question", "text") if n in body.inputs), "")
        texts = [value for value in body.inputs.values() if isinstance(value, str)]
        query = str(body.inputs[name]) if name else (texts[0] if texts else "")
        question = call.question(query)
        streams = body.response_mode == "streaming"
        app = self.app(call, blocks=not streams)
        if app.mode != "workflow":
            raise Refusal(fault("not_workflow_app"))
        said = self._said(call, question, body.inputs, self.check_files(body.files, body.user))
        task, run, now = self.new_id("task"), self.new_id("run"), int(self.clock())
        telling = Telling(
            app=app, said=said, script=call.script, task=task, message="", conversation="",
            run=run, query=query, inputs=body.inputs, now=now,
        )  # fmt: skip
        message = Message(
            id="", conversation="", user=body.user, inputs=body.inputs, query=query, created_at=now
        )
        kept = self._keep_run(run, message, telling)
        if streams:
            return self._streamed(telling, task, body.user)
        data = {**self._run_body(kept), "finished_at": now}
        return json_reply({"task_id": task, "workflow_run_id": run, "data": data})

    def _keep_run(self, run: str, message: Message, telling: Telling) -> Run:
        name = "answer" if message.id else "text"
        failure = telling.failure
        kept = Run(
            id=run, user=message.user, inputs=message.inputs, created_at=message.created_at,
            status="failed" if failure else "paused" if telling.pauses else "succeeded",
            outputs={} if failure else {name: telling.answer},
            error=str(failure["message"]) if failure else None,
        )  # fmt: skip
        self.store.runs[run] = kept
        if kept.status == "paused":
            token = str(form_of(run, 0)["form_token"])
            self.store.forms[token] = Form(
                token=token, run=run, user=message.user, resumed=telling.resumed
            )
        return kept

    def _run_body(self, run: Run) -> Json:
        return {
            "id": run.id, "workflow_id": WORKFLOW, "status": run.status, "outputs": run.outputs,
            "error": run.error, "elapsed_time": 0.5,
            "total_tokens": 150, "total_steps": 3, "created_at": run.created_at,
        }  # fmt: skip

    def _run_detail(self, call: Call, run: str) -> Reply:
        app = self.app(call)
        if not app.is_graph:
            raise Refusal(fault("not_workflow_app"))
        found = self.store.runs.get(run)
        if found is None:
            raise Refusal(fault("not_found.run"))
        # Here alone the inputs are JSON inside a text.
        inputs = msgspec.json.encode(found.inputs).decode()
        return json_reply(
            {**self._run_body(found), "inputs": inputs, "finished_at": found.created_at}
        )

    def _run_events(self, call: Call, run: str) -> Reply:
        self.app(call)
        found = self.store.runs.get(run)
        if found is None or found.user != call.request.query.get("user"):
            raise Refusal(fault("not_found.run", "Workflow run not found"))
        return self._events(found.rest)

    def _form(self, call: Call, token: str) -> Reply:
        self.app(call)
        found = self.store.forms.get(token)
        if found is None:
            raise Refusal(fault("not_found", "Form not found"))
        form = form_of(found.run, int(self.clock()))
        form["user_actions"] = form.pop("actions")
        named = (
            "form_content", "inputs", "resolved_default_values", "user_actions", "expiration_time",
        )  # fmt: skip
        return json_reply({name: form[name] for name in named})

    def _fill_form(self, call: Call, token: str) -> Reply:
        self.app(call)
        body = call.body(_Filled)
        found = self.store.forms.get(token)
        run = self.store.runs.get(found.run) if found else None
        if found is None or run is None or found.user != body.user:
            raise Refusal(fault("not_found", "Form not found"))
        if body.action not in ACTIONS:
            raise Refusal(fault("invalid_param", f"Invalid action: {body.action}"))
        self.store.forms.forget(token)
        run.status, run.rest = "succeeded", found.resumed(body.action, body.inputs)
        return json_reply({})
