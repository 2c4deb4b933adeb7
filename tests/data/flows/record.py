"""Records the histories in this folder: run it only after a deliberate change of a flow or node.

Each history is a script of events; what the engine wants because of them is written beside it and
read by a person before it is committed. `test_flow_replay.py` holds the code to them.
"""

from pathlib import Path

import msgspec

from qingniao.flow import samples
from qingniao.flow.events import (
    About,
    Answered,
    BotFailed,
    Cite,
    Classified,
    Elapsed,
    Event,
    Found,
    Hit,
    Moderated,
    Remembered,
    ServiceFailed,
    TimedOut,
    VisitorSaid,
    Wish,
)
from qingniao.flow.plan import prepare
from qingniao.flow.replay import History, replay

CLEAN = Moderated(verdict="clean")
REFUND = Classified(intent="refund", confidence=0.93)
NOTHING = Classified(confidence=0.1)
HITS = Found(
    hits=(
        Hit(id="q1", question="退款多久到账？", confidence=0.88),
        Hit(id="q2", question="退款退到哪里？", confidence=0.31),
    )
)
NEAR = Found(
    hits=(
        Hit(id="q3", question="怎么开发票？", confidence=0.4),
        Hit(id="q4", question="发票抬头怎么改？", confidence=0.33),
    )
)
REPLY = Answered(
    text="退款会在 1 至 3 个工作日内原路退回。",
    bot="local",
    confidence=0.88,
    cites=(Cite(id="q1", title="《退款规则》第 1 条", quote="原路退回"),),
    options=("退款退到哪里？",),
    took_ms=3,
)

HI = VisitorSaid(text="你好", visitor="v1")
THERE = About(now_ms=1_795_600_000_000, agents_online=1)
NOBODY = About(now_ms=1_795_600_000_000, agents_online=0)

MENU: dict[str, tuple[str, tuple[Event, ...]]] = {
    "menu_order_with_people": (
        "An order number in a sentence, and somebody is there",
        (
            HI,
            VisitorSaid(text="1", about=THERE),
            VisitorSaid(text="订单号是 2026112501 谢谢", about=THERE),
            Remembered(),
        ),
    ),
    "menu_order_at_night": (
        "Nobody is there: a phone number at the second try, a rating, and thanks",
        (
            HI,
            VisitorSaid(text="查物流", about=NOBODY),
            VisitorSaid(text="2026112501", about=NOBODY),
            Remembered(),
            VisitorSaid(text="138001", about=NOBODY),
            VisitorSaid(text="138-0013-8000", about=NOBODY),
            Remembered(),
            VisitorSaid(text="5 非常满意", about=NOBODY),
        ),
    ),
    "menu_silent_after_policy": (
        "The answer was enough: nobody rates, and the time is up",
        (HI, VisitorSaid(text="我要退换货"), Elapsed(), HI),
    ),
    "menu_gives_up": (
        "No number twice, and another who does not want to say it",
        (
            HI,
            VisitorSaid(text="第一个"),
            VisitorSaid(text="就那个订单"),
            VisitorSaid(text="上周买的"),
            HI,
            VisitorSaid(text="查物流"),
            VisitorSaid(text="不知道"),
        ),
    ),
    "menu_record_away": (
        "The visitor's record cannot be changed, which stops nobody",
        (
            HI,
            VisitorSaid(text="查物流", about=THERE),
            VisitorSaid(text="2026112501", about=THERE),
            ServiceFailed(reason="The visitor's record could not be changed."),
        ),
    ),
    "menu_in_english": (
        "Buttons in English, a file in place of a choice",
        (
            VisitorSaid(text="hello", locale="en"),
            VisitorSaid(text="", locale="en", files=1),
            VisitorSaid(text="hello", locale="en"),
            VisitorSaid(text="talk to a person", locale="en"),
        ),
    ),
}

SCRIPTS: dict[str, tuple[str, tuple[Event, ...]]] = {
    "answered": (
        "A greeting, a question that the knowledge base answers, and thanks",
        (
            VisitorSaid(text="你好"),
            CLEAN,
            Classified(intent="greeting", confidence=0.98),
            VisitorSaid(text="退款多久到账"),
            CLEAN,
            REFUND,
            HITS,
            REPLY,
            VisitorSaid(text="谢谢"),
            CLEAN,
            Classified(intent="thanks", confidence=0.97),
        ),
    ),
    "asked_for_a_person": (
        "A wish for a person inside a question",
        (
            VisitorSaid(text="退款多久到账？转人工"),
            CLEAN,
            Classified(intent="refund", confidence=0.8, wants_person=True, why=("rule:handoff",)),
        ),
    ),
    "unsure_twice": (
        "Two questions in a row that nothing answers",
        (
            VisitorSaid(text="那个票的事"),
            CLEAN,
            NOTHING,
            NEAR,
            VisitorSaid(text="就是票啊"),
            CLEAN,
            NOTHING,
            Found(),
        ),
    ),
    "chose_by_number": (
        "Asked back, the visitor answers with a number",
        (
            VisitorSaid(text="那个票的事"),
            CLEAN,
            NOTHING,
            NEAR,
            VisitorSaid(text="1"),
            CLEAN,
            Classified(intent="invoice", confidence=0.9),
            Found(hits=(Hit(id="q3", question="怎么开发票？", confidence=0.97),)),
            Answered(text="订单完成后可在订单页申请。", bot="local", confidence=0.97),
        ),
    ),
    "blocked_and_flagged": (
        "A blocked word is refused, a flagged one goes on",
        (
            VisitorSaid(text="（脏话）"),
            Moderated(verdict="blocked", words=("脏话",)),
            VisitorSaid(text="气死了，退款多久到账"),
            Moderated(verdict="flagged", words=("气死",)),
            Classified(intent="refund", confidence=0.7, angry=True, why=("rule:anger",)),
        ),
    ),
    "bot_failed": (
        "The bot breaks off, and another time it hangs",
        (
            VisitorSaid(text="退款多久到账"),
            CLEAN,
            REFUND,
            HITS,
            BotFailed(reason="The answer broke off.", bot="local"),
            VisitorSaid(text="退款多久到账"),
            CLEAN,
            REFUND,
            HITS,
            TimedOut(),
        ),
    ),
    "bot_called": (
        "The bot asks for a person of a team, with and without a word of its own",
        (
            VisitorSaid(text="退款多久到账"),
            CLEAN,
            REFUND,
            HITS,
            Answered(
                text="我请售后的同事来。",
                bot="shop",
                wishes=(Wish(kind="handoff", name="售后组", reason="要求赔偿", team=1001),),
            ),
            VisitorSaid(text="退款多久到账"),
            CLEAN,
            REFUND,
            HITS,
            Answered(text="", bot="shop", wishes=(Wish(kind="dance"), Wish(kind="handoff"))),
        ),
    ),
    "english_and_files": (
        "A file without words, then English",
        (
            VisitorSaid(text="", files=1),
            VisitorSaid(text="How long does a refund take?", locale="en"),
            CLEAN,
            REFUND,
            Found(),
            VisitorSaid(text="", locale="en", files=2),
        ),
    ),
}


def main() -> None:
    """Write every history."""
    for flow, scripts in ((samples.AFTER_SALES, SCRIPTS), (samples.ORDER_MENU, MENU)):
        plan = prepare(samples.read(flow))
        for name, (title, events) in scripts.items():
            history = History(title=title, flow=flow, beats=replay(plan, events))
            text = msgspec.json.format(msgspec.json.encode(history), indent=1)
            Path(__file__).with_name(f"{name}.json").write_bytes(text + b"\n")


if __name__ == "__main__":
    main()
