"""What Coze's codes mean for us. Owns the few that are known; refuses to guess at others.

Coze answers HTTP 200 with a code above zero. Its complete table is not public, so that a code which
is not here is a failure whose own words are passed on, with the number by which support finds it.
"""

from typing import Any

from qingniao.bots.base import (
    BotBusy,
    BotError,
    BotMisconfigured,
    BotOverQuota,
    BotUnavailable,
    ConversationGone,
)
from qingniao.bots.fields import as_dict, as_text, has_words, says
from qingniao.bots.http import by_status

__all__ = [
    "BadToken",
    "NotUnderstood",
    "UnknownCode",
    "by_code",
    "read_fault",
]


class BadToken(BotMisconfigured):
    """Coze does not accept the token."""


class NotUnderstood(BotMisconfigured):
    """Coze does not understand what it is sent."""


class UnknownCode(BotUnavailable):
    """Coze failed for a reason that is not in its public documents."""


def read_fault(status: int, body: dict[str, Any], wait_s: float) -> BotError | None:
    """What an answer's status and body mean; `None` if it is no error."""
    code = body.get("code")
    said = as_text(body.get("msg"))
    if isinstance(code, int) and code != 0:
        logid = as_text(as_dict(body.get("detail")).get("logid"))
        return by_code(code, f"{said} (logid {logid})" if logid else said)
    if status == 401:
        return by_code(4100, said)
    return by_status("Coze", status, wait_s, said) if status >= 400 else None


def by_code(code: int, said: str) -> BotError:
    """The error that a code and its words are."""
    word = says(said)
    match code:
        case 4000 | 4200 if has_words(said, "conversation") and has_words(said, "not exist"):
            return ConversationGone()
        case 4200:
            return BotMisconfigured(f"Coze does not find this bot: is its id right?{word}")
        case 4015:
            return BotMisconfigured(f"The bot is not published for the API in Coze.{word}")
        case 4000:
            return NotUnderstood(
                f"Coze does not understand what it is sent: is the bot's id right?{word}"
            )
        case 4016:
            return BotBusy(f"Coze is still at this dialogue's last question.{word}")
        case 4100:
            return BadToken(
                "Coze does not accept the token. Tokens of coze.cn are not good at coze.com, nor "
                f"the other way round.{word}"
            )
        case 4101:
            return BadToken(
                f"The token may not use this bot: is it of the same space, and published?{word}"
            )
    if has_words(said, "quota", "balance", "insufficient", "余额", "额度", "欠费"):
        return BotOverQuota(f"The account at Coze has nothing left.{word}")
    if code == 429 or has_words(said, "rate limit", "too frequent", "too many requests", "频繁"):
        return BotBusy(f"Coze is asked too often.{word}")
    if code >= 5000:
        return BotUnavailable(f"Coze failed inside (code {code}).{word}")
    return UnknownCode(f"Coze refuses (code {code}).{word}")
