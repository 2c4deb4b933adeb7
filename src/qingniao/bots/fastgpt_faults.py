"""What FastGPT's codes mean for us. Owns the table; refuses to know a stream.

FastGPT answers HTTP 500 whatever is wrong, and 200 with a code now and then. Rule: the body's code
goes before the status, and FastGPT's own words are passed on.
"""

from typing import Any, Final

from qingniao.bots.base import (
    BotError,
    BotMisconfigured,
    BotOverQuota,
    BotUnavailable,
    QueryRejected,
)
from qingniao.bots.fields import as_text, has_words, says
from qingniao.bots.http import by_status

__all__ = ["Complaint", "read_fault"]

_KEY: Final = (
    "FastGPT does not accept the key: it begins with fastgpt- and belongs to one application."
)


class Complaint(BotError):
    """FastGPT refuses, and neither the key nor the machine is the reason."""

    code = "bot_refused"


def read_fault(status: int, body: dict[str, Any], wait_s: float) -> BotError | None:
    """What an answer's status and body mean; `None` if it is no error."""
    code = body.get("code")
    word = as_text(body.get("statusText"))
    said = as_text(body.get("message")) or word
    if status < 400 and (code in (None, 200) or ("data" in body and not word)):
        return None
    if code == 510 or has_words(
        f"{word} {said}", "quota", "notenough", "not enough", "insufficient", "余额", "不足"
    ):
        return BotOverQuota(f"The account at FastGPT has nothing left.{says(said)}")
    match code:
        case 403 | 514:
            return BotMisconfigured(_KEY + says(said))
        case 511:
            return BotMisconfigured(f"FastGPT may not use this application's model.{says(said)}")
        case 513:
            return QueryRejected(f"FastGPT may not read this file.{says(said)}")
        case int() if 500_000 <= code < 502_000:
            return BotMisconfigured(f"FastGPT refuses: look at its team and dataset.{says(said)}")
        case int() if code < 500 or code >= 520:
            return Complaint(f"FastGPT refuses.{says(said)}")
    if status in (200, 500):
        return BotUnavailable(f"FastGPT failed inside.{says(said)}")
    return by_status("FastGPT", status, wait_s, said)
