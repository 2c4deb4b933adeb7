"""Whatever is sent to whatever address of a double, it answers."""

import re
from typing import Any

import pytest
from doubles_house import Client, StartDouble

from qingniao.doubles.coze import CozeDouble
from qingniao.doubles.dify import DifyDouble
from qingniao.doubles.double import Double
from qingniao.doubles.fastgpt import FastGPTDouble
from qingniao.doubles.openai import OpenAIDouble

KEYS = {
    DifyDouble: ("app-double-chat", "app-double-chatflow", "app-double-workflow"),
    FastGPTDouble: ("fastgpt-double-chat", "fastgpt-double-account"),
    CozeDouble: ("pat_double",),
    OpenAIDouble: ("sk-double",),
}
BODIES: tuple[bytes, ...] = (
    b"", b"[]", b"{}", b"null", b"\xff\xfe", b'{"user":1}', b'{"messages":[]}',
    b'{"messages":[{"role":"user"}],"model":"gpt-4o-mini","tools":[]}',
    b'{"messages":[{"role":"user","content":[]}],"model":"gpt-4o-mini","max_tokens":0}',
    b'{"inputs":{"query":7,"labels":[1]},"query":"[[slow:\xc2\xb2 drip:]]","user":"v"}',
    b'{"inputs":{"labels":""},"query":"","user":"v","response_mode":"streaming","files":[]}',
    b'{"model":"text-embedding-3-small","input":[1]}',
    b'{"model":"text-embedding-3-small","input":[""],"dimensions":3}',
    b'{"bot_id":"7380000000000000001","user_id":"v","stream":true}',
    b'{"bot_id":"7380000000000000001","user_id":"v",'
    b'"additional_messages":[{"role":"user","content":"{","content_type":"object_string"}]}',
    b'{"workflow_id":"7480000000000000001","parameters":{"n":1}}',
    b'{"conversation_id":"1","chat_id":"1","tool_outputs":[]}',
    b'{"collectionId":"66a1b2c3d4e5f60718293a51","data":[{"q":""}]}',
    b'{"datasetId":"66a1b2c3d4e5f60718293a50","text":"","name":"x"}',
)  # fmt: skip


@pytest.mark.parametrize("kind", sorted(KEYS, key=lambda kind: kind.platform))
async def test_it_answers(start_double: StartDouble, client: Client, kind: type[Double]) -> None:
    double = await start_double(kind)
    for spec in double.routes():
        method, _, path = spec.partition(" ")
        url = double.url + re.sub(r"\{\w+\}", "x", path)
        for key in KEYS[kind]:
            for body in BODIES:
                params: dict[str, Any] = {"limit": "²", "user": "v", "page_num": "-1"}
                heard = await client.ask(method, url, key=key, content=body, params=params)
                assert heard.failure is None, f"{spec} {body!r}: {heard.failure!r}"
                assert heard.status >= 200, f"{spec} {body!r}"
