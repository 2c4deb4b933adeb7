"""What a person who takes over should know, in one glance. Extractive: only words that were said,
and what a bot that called gave as its reason.

Rule: at most `MAX_CHARS` characters, in Chinese, the visitor's wish first; nothing is made up, and
pleasantries and the call for a person itself are left out.
"""

import re
from collections.abc import Sequence
from typing import Final

from qingniao.bots.base import Turn
from qingniao.chat.lifecycle import Why

__all__ = ["MAX_CHARS", "summarise"]

MAX_CHARS: Final = 200
WISH_CHARS: Final = 90
ANSWER_CHARS: Final = 60
REASON_CHARS: Final = 40

_WHY: Final = {
    Why.ASKED: "访客要求人工",
    Why.UNSURE: "机器人连续没有把握",
    Why.ANGRY: "访客情绪不满",
    Why.BOT_FAILED: "机器人出错",
    Why.BOT_CALLED: "机器人请求人工",
    Why.SENSITIVE: "涉及敏感内容",
}

_SENTENCE: Final = re.compile(r"[^。！？!?；;，,\n]+[。！？!?；;]?")

# Clauses that only call for a person or are polite; matched as a whole, so that "人工费多少" stays.
_CALL: Final = re.compile(
    r"(?:请|麻烦|帮我|给我|快|赶紧|马上|直接|能不能|可以|能|我要|我想|想|要|还是|算了|那|就)*"
    r"(?:转接?(?:一?下)?|找|叫|换|接|要)?(?:个|一个|一下|到|给)?"
    r"(?:人工(?:客服|服务|坐席)?|真人(?:客服)?|活人|客服(?:人员)?|人)"
    r"(?:来|吧|吗|呢|谢谢|服务|处理|解决|聊|说)*"
)
_POLITE: Final = re.compile(
    r"(?:你好|您好|哈喽|嗨|在吗|在么|有人吗|早上好|下午好|晚上好|谢谢(?:你|您)?|多谢|好的?|嗯+|哦+|再见|拜拜)[啊呀哦呢了]*"
)
_ENGLISH: Final = re.compile(
    r"(?:hi|hello|hey|thanks?|thank you|ok(?:ay)?|bye|goodbye|please"
    r"|(?:please )?(?:i (?:want|need|would like) to )?(?:(?:talk|speak|chat) (?:to|with)|get me)"
    r" (?:a |an )?(?:real |human )?(?:person|human|agent|someone)(?: please)?|(?:human|agent))",
    re.IGNORECASE,
)


def summarise(
    said: Sequence[Turn], why: Why, *, angry: bool, files: int = 0, reason: str = ""
) -> str:
    """Sum up a session for the agent; `said`, oldest first, ends with what led to the handoff.
    `reason`: why, as the bot put it that called for a person."""
    wishes = _wishes([turn.text for turn in said if turn.role == "visitor"])
    if wishes:
        wish = _clip("；".join(wishes), WISH_CHARS)
    else:
        wish = "发来文件，没有文字说明" if files else "没有说明"
    parts = [f"诉求：{wish}", f"机器人：{_answered(said)}"]
    parts.append(f"情绪：{'不满' if angry or why is Why.ANGRY else '平稳'}")
    because = f"（{_clip(' '.join(reason.split()), REASON_CHARS)}）" if reason.strip() else ""
    parts.append(f"转接原因：{_WHY.get(why, '转人工')}{because}")
    return _clip("\n".join(parts), MAX_CHARS)


def _wishes(texts: Sequence[str]) -> list[str]:
    """What the visitor wants, the latest first (it is what they wait for), each once."""
    seen: dict[str, None] = {}
    for text in reversed(texts):
        clauses = [clause.strip() for clause in _SENTENCE.findall(text)]
        wish = "，".join(clause for clause in clauses if _has_substance(clause))
        wish = wish.replace("？，", "？").replace("。，", "。").replace("！，", "！")
        wish = wish.replace("?，", "?").replace("!，", "!").rstrip("，")
        if wish:
            seen.setdefault(wish)
    return list(seen)


def _has_substance(clause: str) -> bool:
    bare = clause.strip(" 。！？!?；;，,.、~～")
    squeezed = re.sub(r"\s+", "", bare)
    return not (
        not squeezed
        or squeezed.isdigit()
        or _CALL.fullmatch(squeezed)
        or _POLITE.fullmatch(squeezed)
        or _ENGLISH.fullmatch(bare)
    )


def _answered(said: Sequence[Turn]) -> str:
    """The beginning of the last thing the bot said to a question of substance."""
    last, asked = "", False
    for turn in said:
        if turn.role == "visitor":
            asked = any(_has_substance(clause) for clause in _SENTENCE.findall(turn.text))
        elif turn.role == "bot" and asked:
            last = turn.text
    return f"答过“{_clip(' '.join(last.split()), ANSWER_CHARS)}”" if last else "还没有答复"


def _clip(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"
