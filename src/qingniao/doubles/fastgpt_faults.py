"""What FastGPT says when it refuses. Rule: the real code stands in the body; as JSON every error is
HTTP 500, and a request that asked for a stream gets HTTP 200 and an event instead.
"""

from typing import Final

import msgspec

from qingniao.doubles.double import Json, json_reply
from qingniao.doubles.messages import Reply

__all__ = ["FAULTS", "fault", "fault_body"]

FAULTS: Final[dict[str, tuple[int, str]]] = {
    "unAuthorization": (403, "凭证错误"),
    "tooManyRequest": (429, "Too many request"),
    "insufficientQuota": (510, "账号余额不足"),
    "unAuthModel": (511, "没有权限使用该模型"),
    "unAuthFile": (513, "没有权限读取该文件"),
    "unAuthApiKey": (514, "Api Key 不合法"),
    "aiPointsNotEnough": (500_001, "AI 积分不足"),
    "unExistDataset": (501_000, "知识库不存在"),
    "unExistCollection": (501_001, "集合不存在"),
    "error": (500, "LLM model response empty"),
}
"""Code and message by status text."""


def fault_body(name: str, message: str = "") -> Json:
    """As JSON and, for the errors that have a status text, also as the data of the event."""
    if name not in FAULTS:
        name = "error"
    code, text = FAULTS[name]
    return {"code": code, "statusText": name, "message": message or text, "data": None}


def fault(name: str, message: str = "", *, streams: bool = False) -> Reply:
    """The whole answer to a request that is refused."""
    body = fault_body(name, message)
    if not streams:
        return json_reply(body, status=500)
    told = {"message": body["message"]} if body["statusText"] == "error" else body
    # Refused before the workflow began, so nobody has set a content type yet.
    text = msgspec.json.encode(told)
    return Reply(content_type="", is_stream=True, events=[b"event: error\ndata: " + text + b"\n\n"])
