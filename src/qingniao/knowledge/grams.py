"""How text becomes search terms. Owns folding and cutting; refuses weights and scores.

Chinese is cut into single characters and pairs of neighbours: no dictionary, so nothing to
install, to update or to get wrong, and on published passages pairs find more than a word segmenter
does. Rule: the index and the question go through the same function, so every fold here may be
crude but must be total.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import Final

__all__ = ["MAX_TERMS", "fold", "grams"]

MAX_TERMS: Final = 160
"""A question has a few dozen; what a pasted page has beyond this is ignored."""

# Words that mean the same to a shop. Longer ones first, each sent to one spelling.
_SAME: Final = {
    "怎么": "怎么样 怎么着 怎么办 怎么弄 怎么整 怎样 咋样 咋办 咋整 咋弄 咋 如何",
    "什么时候": "啥时候 何时 几时 什么时间 多会儿",
    "多久": "多长时间 几天 多少天",
    "什么": "啥",
    "运费": "快递费 邮费 邮寄费 配送费 物流费",
    "退款": "退钱 返款 退回款项",
    "付款": "支付 付钱 给钱 买单",
    "快递": "物流 包裹 快件",
    "尺码": "尺寸 码数",
    "优惠券": "优惠卷 代金券 抵用券 折扣券 优惠码",
    "价保": "保价 价格保护",
    "可以": "能不能 可不可以 能否 可否 能 行不行",
    "有": "有没有",
    "差价": "价差",
    "发货": "出货 寄出",
    "衣服": "商品 宝贝 东西 货品 产品",
}
_POLITE: Final = (
    "请问|您好|你好|麻烦|谢谢|一下|想问问|想问|想咨询|咨询|帮忙|帮我|告诉|我们|你们家|你们|你家|咱们|咱家"
    "|亲们|亲亲|哈喽|在吗|是不是|还是|[我你您亲咱的了吗呢吧啊呀嘛哦哈哎呗么呐就都也]"
)
_ENGLISH: Final = """
    a an the is are was be do does did i me my you your we our it its to of for in on at by and or
    if so can could would will please hi hello this that there have has get with how what any
"""
_ENGLISH_STOPS: Final = frozenset(_ENGLISH.split())

_TO: Final = {word: one for one, words in _SAME.items() for word in words.split()}
_SAME_RE: Final = re.compile(
    "|".join(sorted((re.escape(w) for w in {*_TO, *_SAME}), key=len, reverse=True))
)
_POLITE_RE: Final = re.compile(_POLITE)
_RUNS: Final = re.compile(r"[0-9a-z]+|[\u3400-\u9fff]+")


def fold(text: str) -> str:
    """One spelling for the same thing: width, case, and words that are interchangeable in a
    shop.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return _SAME_RE.sub(lambda found: _TO.get(found[0], found[0]), plain)


@lru_cache(maxsize=8192)
def grams(text: str) -> tuple[str, ...]:
    """The search terms of `text`, each once, in order of appearance; at most `MAX_TERMS`.

    Politeness and particles are dropped, unless nothing else is left.
    """
    folded = fold(text)
    found = _cut(_POLITE_RE.sub("", folded), stops=_ENGLISH_STOPS)
    return found or _cut(folded, stops=frozenset())


def _cut(text: str, *, stops: frozenset[str]) -> tuple[str, ...]:
    terms: dict[str, None] = {}
    for run in _RUNS.findall(text):
        if run[0] < "\u3400":
            if run not in stops:
                terms[_stem(run)] = None
        else:
            terms.update(dict.fromkeys(map("".join, pairwise(run))))
            terms.update(dict.fromkeys(run))
        if len(terms) >= MAX_TERMS:
            break
    return tuple(terms)[:MAX_TERMS]


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word.removesuffix(ending)
    return word
