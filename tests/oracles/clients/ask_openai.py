"""OpenAI's own SDK against the double: does everything once, prints what it understood."""

import json
import sys

import openai

URL, MODEL, EMBEDDING = sys.argv[1:4]
found: dict = {}
client = openai.OpenAI(base_url=URL, api_key="sk-double", max_retries=0, timeout=10)
TOOL = {
    "type": "function",
    "function": {
        "name": "lookup_order",
        "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}},
    },
}


def create(text: str, **more):
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(model=MODEL, messages=messages, **more)


def refused(text: str, **more) -> dict:
    try:
        answer = create(text, **more)
        if more.get("stream"):
            list(answer)
    except openai.APIStatusError as exc:
        body = exc.body if isinstance(exc.body, dict) else {}
        return {"kind": type(exc).__name__, "status": exc.status_code, "code": body.get("code")}
    except openai.APIError as exc:
        return {"kind": type(exc).__name__}
    except Exception as exc:
        return {"kind": type(exc).__name__}
    return {}


answer = create("怎么退货？")
found["answer"] = answer.choices[0].message.content
found["usage"] = answer.usage.total_tokens == (
    answer.usage.prompt_tokens + answer.usage.completion_tokens
)
chunks = list(create("怎么退货？", stream=True, stream_options={"include_usage": True}))
found["stream"] = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
found["finish"] = [c.choices[0].finish_reason for c in chunks if c.choices][-1]
found["stream usage"] = chunks[-1].usage.total_tokens if chunks[-1].usage else None
found["split"] = "".join(
    chunk.choices[0].delta.content or ""
    for chunk in create("怎么退货？ [[split crlf]]", stream=True)
    if chunk.choices
)
with client.chat.completions.stream(
    model=MODEL, messages=[{"role": "user", "content": "订单 A12345 到哪了？"}], tools=[TOOL]
) as stream:
    calls = stream.get_final_completion().choices[0].message.tool_calls
found["tool"] = [calls[0].function.name, calls[0].function.arguments]
for name in (
    "unauthorized",
    "rate",
    "quota",
    "error",
    "error:too_long",
    "error:no_model",
    "html:502",
):
    found[name] = refused(f"x [[{name}]]")
for name in ("error-midway", "cut", "reset-midway"):
    found[name] = refused(f"怎么退货？ [[{name}]]", stream=True)
found["models"] = [model.id for model in client.models.list()]
if EMBEDDING:
    plain = client.embeddings.create(model=EMBEDDING, input=["怎么退货？"], encoding_format="float")
    packed = client.embeddings.create(model=EMBEDDING, input=["怎么退货？"])
    one, other = plain.data[0].embedding, packed.data[0].embedding
    found["embeddings"] = max(abs(a - b) for a, b in zip(one, other, strict=True)) < 1e-6
try:
    openai.OpenAI(base_url=URL, api_key="sk-wrong", max_retries=0).models.list()
    found["wrong key"] = ""
except openai.APIStatusError as exc:
    found["wrong key"] = type(exc).__name__

print(json.dumps(found))
