"""Does this visitor want a person, and are they angry. Owns the verdict and its reasons.

Rules see what is said in set phrases, the classifier what is said in other words; either is
enough. What an excuse covers ("客服几点上班", "人工费") neither may claim. Rule: a verdict says
why, so that an agent who takes over knows what set it off.
"""

import re
import unicodedata
from typing import Final

from msgspec import Struct

from qingniao.understanding.intent import IntentModel, Ranking

__all__ = ["SignalReader", "Signals", "read_signals"]

HANDOFF: Final = "handoff"
ANGER: Final = "anger"
LIKELY: Final = 0.6
"""The probability from which the classifier is believed without a rule."""


_PERSON: Final = (
    "(?:人工|真人|活人|专人|专员|坐席|值班|主管|经理|老板|负责人|店长|店主|接线员|客服|售后人员"
    "|工作人员|领导)"
)
_ASK: Final = "(?:转|接|找|要|叫|换|切|让|请|呼叫|联系|申请|给我|来个?|需要|见|跟|和|同)"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


# All of these are matched in lower-case text without spaces and punctuation. An excuse is cut out
# of the text before the claims are looked for, so that it excuses itself and nothing beside it.
_WANTS: Final = _any(
    r"^(?:亲|那|请|还是|算了|麻烦|在线)*(?:人工|真人|客服|活人|接线员)+(?:客服|服务|窗口|处理|人员)*"
    r"(?:在|不|线|吗|呢|吧|啊|来)*$",
    rf"{_ASK}.{{0,6}}{_PERSON}",
    r"转人[工公]|[专装]人工|转仁工|轉.{0,4}(?:人工|客服)|rengong|ren工",
    r"人工(?:介入|处理|协助|帮助|服务|来|吧|在不|客服在)",
    r"有(?:没有)?.{0,2}(?:人工|真人|活人|值班)",
    r"^有(?:没有)?人(?:在)?(?:吗|啊|么|能)|^换个?人(?:来|$)|来个人$|[找叫]个?人[来跟帮说]|能换个人",
    r"(?:不要|别|不想|不跟|别用|别让|讨厌).{0,3}机器人|机器人(?:听不懂|解决不了|走开|没用|滚)",
    r"[跟和]人(?:说|聊|讲|工)|让人来|打电话找人|客服.{0,3}(?:回个?电话|打电话给我|介入|来$)",
    r"human|liveagent|^agent|toanagent|representative|supervisor|^operator|yourmanager|thebot|toabot",
    r"(?:real|live)person|to(?:someone|aperson)|someonereal|robotplease|tocustomerservice",
)
_NOT_WANTS: Final = _any(
    r"(?:客服|人工)(?:客服|服务|的)*.{0,4}(?:几点|上班|下班|时间|收费|多少|热线)",
    r"人工(?:费|智能|皮|草)|人[造民]|真人(?:实拍|试穿|秀|上身)|human(?:hair|size)",
    r"(?:昨天|之前|刚才|上次)的?那?个?客服|客服(?:说|答应|推荐|让我|告诉)",
    r"(?:经理|店长|主管|老板|领导)(?:推荐|款|同款|穿|大气|西装|来视察)|机器人(?:图案|印花)",
    r"customerservice.{0,10}hours",
)
_ANGER: Final = _any(
    r"垃圾(?!袋|桶|短信|箱|分类)|(?:什么|啥|这).{0,3}(?:破|烂)(?!洞)|^破店|^烂|黑心|^黑店$|奸商|无良",
    r"骗[子人钱]|诈骗|欺诈|欺骗|坑[人爹死惨]|太坑|忽悠|糊弄|敷衍|耍我|玩我呢|当我[是傻]|你当我",
    r"12315|消协|工商局|曝光|举报|报警|起诉|法院见|律师|媒体|挂你们|发到小红书",
    r"我要.{0,4}投诉|投诉你|^投诉$|就投诉|(?:给|要|打|必须|一星|等着).{0,4}差评",
    r"(?:什么|这).{0,2}态度|态度.{0,4}(?:差|恶劣|烂)|太差|差劲|有病|神经病|脑子(?:有|进|坏)|有没有脑子|你们是猪",
    r"^滚(?:$|开|远|吧|出)|滚蛋|去死|妈的|^tmd|卧槽|^操(?!作|场|心)|我靠|过分|无语|^服了|我?真服了",
    r"恶心|烦[死不透]|气死|气炸|气人(?!质)|火大$|(?<![不别])(?:生气|愤怒)$|受不了|忍无可忍|忍你",
    r"没人管|[说问催讲]了?(?:八百|多少)[遍次]|听不懂(?:人话|中文)|答非所问|到底(?:能|管|什么|发|要)",
    r"还我钱|不退钱|退我钱|赶紧退|死哪|再也不|不会再[买来]|以后再也|拉黑",
    r"失望(?:了|透|$|至极)|浪费.{0,4}时间|耽误我|什么玩意|^什么东西$|(?<!不)好意思|也敢卖|要不要脸|不要脸",
    r"良心(?:被|不会痛|何在)|欺客|推来推去|踢皮球|就知道拖|效率.{0,3}低|没完没了|跟你.{0,3}没完",
    r"你们等着$|给?个?说法|离谱|抢钱|不耐烦|装死|赖账|无赖|欺负|倒闭|一肚子[气火]|瞎了眼|(?:没见过|没遇到过)这么[差烂]",
    r"ridiculous|worst|terrible|useless|angry|scam|whatthehell|^wtf|complaint|iwillreport|sickof",
    r"moneybacknow|disgusting|neverbuying|whatajoke|unacceptable|sucks|fedup|stopwasting",
)
_NOT_ANGER: Final = _any(
    r"(?:生气|愤怒).{0,3}(?:表情包|图案|联名|款)|骗子酒馆|投诉(?:处理|渠道|电话|多久|进度)",
    r"差评.{0,3}(?:修改|删)|(?:改|删).{0,3}差评|死[了贵]?哈|失望倒不至于",
)


class Signals(Struct, frozen=True, kw_only=True):
    """What a message asks for beyond its topic."""

    wants_person: bool = False
    angry: bool = False
    why: tuple[str, ...] = ()
    """The rules and intents that decided, such as `rule:handoff` or `intent:anger=0.91`."""


class SignalReader:
    """Reads signals with the rules above and a trained model. Immutable."""

    def __init__(self, model: IntentModel) -> None:
        self._model = model

    def read(self, text: str) -> Signals:
        """The signals of one message of the visitor."""
        return read_signals(text, self._model.predict(text))


def read_signals(text: str, ranking: Ranking) -> Signals:
    """The signals of `text`, whose intents have been ranked already."""
    plain = "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))
    why = []
    for label, claim, excuse in (
        (HANDOFF, _WANTS, _NOT_WANTS),
        (ANGER, _ANGER, _NOT_ANGER),
    ):
        rest = excuse.sub(" ", plain)
        if claim.search(rest):
            why.append(f"rule:{label}")
        elif rest == plain and ranking.label == label and ranking.probability >= LIKELY:
            why.append(f"intent:{label}={ranking.probability:.2f}")
    return Signals(
        wants_person=any(HANDOFF in reason for reason in why),
        angry=any(ANGER in reason for reason in why),
        why=tuple(why),
    )
