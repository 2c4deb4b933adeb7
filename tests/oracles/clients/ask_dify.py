"""A third party's Dify client against the double: does all once, prints what it understood."""

import json
import sys

from dify_client import Client, models

URL, CHAT, AGENT, FLOW, WORKFLOW = sys.argv[1:6]
found: dict = {}


def client(key: str) -> Client:
    return Client(api_key=key, api_base=URL)


def streamed(key: str, query: str) -> dict:
    request = models.ChatRequest(
        query=query, user="v1", response_mode=models.ResponseMode.STREAMING
    )
    events = list(client(key).chat_messages(request, timeout=20.0))
    return {
        "events": [str(getattr(event.event, "value", event.event)) for event in events],
        "text": "".join(
            event.answer
            for event in events
            if getattr(event.event, "value", event.event) in ("message", "agent_message")
        ),
    }


chat = client(CHAT)
request = models.ChatRequest(
    query="怎么退货？", user="v1", response_mode=models.ResponseMode.BLOCKING
)
answer = chat.chat_messages(request, timeout=20.0)
found["answer"] = answer.answer
found["sources"] = len(answer.metadata.retriever_resources)
found["tokens"] = answer.metadata.usage.total_tokens > 0
found["stream"] = streamed(CHAT, "怎么退货？")
found["agent"] = streamed(AGENT, "怎么退货？")
found["chatflow"] = streamed(FLOW, "怎么退货？")
given = models.FeedbackRequest(rating=models.Rating.LIKE, user="v1")
found["feedback"] = chat.feedback_messages(answer.message_id, given).result
asked = models.ChatSuggestRequest(user="v1")
found["suggested"] = len(chat.suggest_messages(answer.message_id, asked).data)
file = chat.upload_files(("a.png", b"\x89PNG", "image/png"), models.UploadFileRequest(user="v1"))
found["file"] = [file.name, file.size]
found["stop"] = chat.stop_chat_messages("none", models.StopRequest(user="v1")).result
run = models.WorkflowsRunRequest(
    inputs={"query": "怎么退货？"}, user="v1", response_mode=models.ResponseMode.BLOCKING
)
found["run"] = client(WORKFLOW).run_workflows(run, timeout=20.0).data.outputs["text"]
for name in ("app_unavailable", "too_many_requests", "conversation_completed", "unauthorized"):
    request = models.ChatRequest(
        query=f"x [[error:{name}]]", user="v1", response_mode=models.ResponseMode.BLOCKING
    )
    try:
        chat.chat_messages(request, timeout=20.0)
        found[name] = ""
    except Exception as exc:
        found[name] = type(exc).__name__

print(json.dumps(found))
