"""Coze's own SDK against the double: does everything once, prints what it understood."""

import json
import sys
from pathlib import Path

from cozepy import (
    ChatEventType,
    Coze,
    CozeAPIError,
    JWTAuth,
    JWTOAuthApp,
    Message,
    MessageObjectString,
    TokenAuth,
    ToolOutput,
    WorkflowEventType,
)
from cozepy.conversations.message.feedback import FeedbackType

URL, BOT, ROUTER, UNPUBLISHED, WORKFLOW, APP, KEY_ID, PEM = sys.argv[1:9]
found: dict = {}
coze = Coze(auth=TokenAuth("pat_double"), base_url=URL)


def asked(text: str) -> list[Message]:
    return [Message.build_user_question_text(text)]


def streamed(bot: str, text: str, **more) -> dict:
    events = list(
        coze.chat.stream(bot_id=bot, user_id="v1", additional_messages=asked(text), **more)
    )
    return {
        "events": [event.event.value for event in events],
        "text": "".join(
            event.message.content
            for event in events
            if event.event == ChatEventType.CONVERSATION_MESSAGE_DELTA
        ),
        "types": [
            event.message.type.value
            for event in events
            if event.event == ChatEventType.CONVERSATION_MESSAGE_COMPLETED
        ],
        "chat": events[-1].chat.model_dump(mode="json") if events[-1].chat else None,
    }


def refused(call) -> dict:
    try:
        call()
    except CozeAPIError as exc:
        return {"code": exc.code, "msg": exc.msg, "logid": exc.logid}
    return {"code": 0}


found["stream"] = streamed(BOT, "怎么退货？")
found["router"] = streamed(ROUTER, "快递几天能到？")["text"]
found["failed"] = streamed(BOT, "怎么退货？ [[error-midway]]")
found["tools"] = streamed(BOT, "怎么退货？ [[tools]]")["types"]
for name in ("4015", "4016", "quota", "rate", "5000"):
    found[f"error {name}"] = refused(lambda name=name: streamed(BOT, f"x [[error:{name}]]"))
found["unpublished"] = refused(lambda: streamed(UNPUBLISHED, "你好"))
wrong = Coze(auth=TokenAuth("pat_wrong"), base_url=URL)
found["wrong token"] = refused(lambda: wrong.users.me())

polled = coze.chat.create_and_poll(
    bot_id=BOT, user_id="v1", additional_messages=asked("怎么退货？")
)
found["polled"] = {
    "status": polled.chat.status.value,
    "answer": polled.messages[0].content,
    "tokens": polled.chat.usage.token_count,
}
created = coze.chat.create(
    bot_id=BOT, user_id="v1", additional_messages=asked("你好 [[stall]]"), auto_save_history=True
)
canceled = coze.chat.cancel(conversation_id=created.conversation_id, chat_id=created.id)
found["canceled"] = canceled.status.value
found["cancel twice"] = refused(
    lambda: coze.chat.cancel(conversation_id=created.conversation_id, chat_id=created.id)
)

form = streamed(BOT, "办理 [[form]]")
action = form["chat"]["required_action"]["submit_tool_outputs"]["tool_calls"][0]
events = coze.chat.submit_tool_outputs(
    conversation_id=form["chat"]["conversation_id"], chat_id=form["chat"]["id"],
    tool_outputs=[ToolOutput(tool_call_id=action["id"], output="A12345")], stream=True,
)  # fmt: skip
found["form"] = "".join(
    event.message.content
    for event in events
    if event.event == ChatEventType.CONVERSATION_MESSAGE_DELTA
)

conversation = coze.conversations.create(bot_id=BOT, meta_data={"visitor": "v1"})
found["conversation"] = coze.conversations.retrieve(conversation_id=conversation.id).meta_data
streamed(BOT, "运费多少？", conversation_id=conversation.id)
messages = list(coze.conversations.messages.list(conversation_id=conversation.id, order="asc"))
found["messages"] = [[m.role.value, m.type.value] for m in messages]
found["conversations"] = conversation.id in [c.id for c in coze.conversations.list(bot_id=BOT)]
coze.conversations.messages.feedback.create(
    conversation_id=conversation.id, message_id=messages[1].id, feedback_type=FeedbackType.LIKE
)
coze.conversations.messages.feedback.delete(
    conversation_id=conversation.id, message_id=messages[1].id
)
file = coze.files.upload(file=("a.png", b"\x89PNG"))
found["file"] = coze.files.retrieve(file_id=file.id).bytes
parts = [
    MessageObjectString.build_text("怎么退货？"),
    MessageObjectString.build_image(file_id=file.id),
]
events = coze.chat.stream(
    bot_id=BOT, user_id="v1", additional_messages=[Message.build_user_question_objects(parts)]
)
found["with file"] = "".join(
    event.message.content
    for event in events
    if event.event == ChatEventType.CONVERSATION_MESSAGE_DELTA
)

run = coze.workflows.runs.create(workflow_id=WORKFLOW, parameters={"input": "怎么退货？"})
found["run"] = json.loads(run.data)["output"]
stream = coze.workflows.runs.stream(workflow_id=WORKFLOW, parameters={"input": "怎么退货？"})
found["run stream"] = "".join(
    event.message.content for event in stream if event.message and not event.message.node_is_finish
)
stream = list(coze.workflows.runs.stream(workflow_id=WORKFLOW, parameters={"input": "x [[form]]"}))
interrupt = next(event.interrupt for event in stream if event.event == WorkflowEventType.INTERRUPT)
stream = coze.workflows.runs.resume(
    workflow_id=WORKFLOW, event_id=interrupt.interrupt_data.event_id, resume_data="A12345",
    interrupt_type=interrupt.interrupt_data.type,
)  # fmt: skip
found["resumed"] = "".join(event.message.content for event in stream if event.message)
found["workflow chat"] = "".join(
    event.message.content
    for event in coze.workflows.chat.stream(
        workflow_id=WORKFLOW, additional_messages=asked("怎么退货？"), bot_id=BOT
    )
    if event.event == ChatEventType.CONVERSATION_MESSAGE_DELTA
)
found["bot"] = coze.bots.retrieve(bot_id=BOT).name
found["me"] = coze.users.me().user_name

app = JWTOAuthApp(
    client_id=APP, private_key=Path(PEM).read_text(), public_key_id=KEY_ID, base_url=URL
)
token = app.get_access_token(ttl=600)
found["token type"] = token.token_type
signed = Coze(auth=JWTAuth(oauth_app=app), base_url=URL)
polled = signed.chat.create_and_poll(
    bot_id=BOT, user_id="v1", additional_messages=asked("运费多少？")
)
found["signed"] = polled.chat.status.value

print(json.dumps(found))
