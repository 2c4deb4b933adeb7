"""What Coze says when it refuses: a code above zero, nearly always at HTTP 200 and as JSON, also
when a stream was asked for.

Owns codes and messages. Coze publishes no table that could be read: the codes with a bare number
were seen in its SDKs, their issues or recorded streams; those of `quota` and `rate` are a guess at
the shape, and clients have to take any code for a failure. Rule: every reply has a log id.
"""

from typing import Final

from qingniao.doubles.double import Json, json_reply
from qingniao.doubles.messages import Reply

__all__ = ["FAULTS", "fault", "fine", "log_id"]

FAULTS: Final[dict[str, tuple[int, str]]] = {
    "4000": (4000, "Request parameter error"),
    "4015": (
        4015,
        "The bot_id has not been published to the channel Agent As API. Please refer to the "
        "'Publish' section of the documentation to publish your Bot to the corresponding channel.",
    ),
    "4016": (
        4016,
        "Conversation occupied: this conversation already has a running chat. Please try again "
        "after it has ended.",
    ),
    "4100": (4100, "authentication is invalid"),
    "4101": (4101, "The token you entered does not have permission to access the resource."),
    "4104": (4104, "The current conversation can't be canceled."),
    "4200": (4200, "Requested resource does not exist. Please check the ID."),
    "5000": (5000, "internal error"),
    "quota": (4028, "You have used up your quota. Please upgrade your plan to continue."),
    "rate": (4013, "Too many requests. Please try again later."),
}


def log_id(name: str) -> str:
    """As long as the platform's, made of a request's own id."""
    return f"20260101{name.replace('-', '').upper()[:26]}"


def fault(name: str, log: str, message: str = "", *, status: int = 200) -> Reply:
    """A refusal; of a name that is not known, the general failure."""
    code, text = FAULTS.get(name) or FAULTS["5000"]
    body = {"code": code, "msg": message or text, "detail": {"logid": log}}
    return json_reply(body, status=status, headers={"x-tt-logid": log})


def fine(data: object, log: str, **more: object) -> Reply:
    """What every address answers that was asked in the right way."""
    body: Json = {"code": 0, "msg": "", "data": data, "detail": {"logid": log}, **more}
    return json_reply(body, headers={"x-tt-logid": log})
