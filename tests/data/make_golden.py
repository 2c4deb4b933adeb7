"""Write `golden_frames.json`: one spelling of every frame, for both implementations of the wire.

Owns the choice of examples; refuses to spell anything itself: the bytes are msgspec's. Run it
after a field was appended, and read the difference: an old line must never change.

Rule: `frame` (as JSON) and `msgpack` (hexadecimal) say the same, every field written out.
"""

import json
from pathlib import Path

import msgspec

from qingniao.protocol import frames as f

LONG = "退换货规则" * 300
BIRD = "𠮷野家的🐦说：\u0000\u2028\"\\' é ﷽"
NESTED = {
    "text": "七天内可以退。",
    "cites": [{"id": "k1", "title": "退换货规则 · 第 2 条", "quote": "签收 7 天内…"}],
    "options": ["查物流", "退换货"],
    "confidence": 0.93,
    "took_ms": 412,
    "draft": 3,
    "deep": {
        "list": [1, [2, [3, {"end": None}]]],
        "yes": True,
        "no": False,
        "below": -129,
    },
}
EDGES = [
    0,
    1,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2**32 - 1,
    2**32,
    f.MAX_INT - 1,
    f.MAX_INT,
]
LENGTHS = [31, 32, 255, 256]
LIMITS = f.Limits(rate=12.5)

EXAMPLES: dict[str, f.UpFrame | f.DownFrame] = {
    "hello": f.Hello("v1.token", "k3JmX0", [(1041, 7), (f.MAX_INT, 0)], {"page": "https://例.cn/"}),
    "hello, defaults": f.Hello("t", "d"),
    "follow": f.Follow(1041, 7),
    "follow, defaults": f.Follow(1041),
    "unfollow": f.Unfollow(1041),
    "send, text": f.Send(1041, 1, f.EntryType.TEXT, "好的"),
    "send, long text": f.Send(1041, 2, f.EntryType.TEXT, LONG),
    "send, beyond the basic plane": f.Send(1041, 3, f.EntryType.TEXT, BIRD),
    "send, action": f.Send(1041, 4, f.EntryType.ACTION, {"do": "handoff"}),
    "send, rating": f.Send(1041, 5, f.EntryType.RATING, {"score": 5, "comment": ""}),
    "read": f.Read(1041, 9),
    "typing, up": f.Typing(1041, on=True, preview="我想"),
    "typing, down": f.Typing(1041, on=False, preview="", sender="a7"),
    "history": f.History(1041, 800, 100),
    "history, defaults": f.History(1041, 800),
    "ping": f.Ping(1),
    "pong": f.Pong(1, 57),
    "welcome": f.Welcome(
        "s-4f",
        1_795_500_000_000,
        LIMITS,
        [(1041, {"status": "bot", "last": 9, "from": 8, "n": 3, "assignee": None})],
    ),
    "welcome, nothing followed": f.Welcome("s", 0, LIMITS, []),
    "ack": f.Ack(1041, 3, 9, 12_345),
    "busy": f.Busy(1041, 4, 250),
    "entry, hidden": f.Entry(1041, 6, 1_795_499_980_000, "s", f.EntryType.HIDDEN, None),
    "entry, answer": f.Entry(1041, 8, 1_795_499_990_000, "b", f.EntryType.ANSWER, NESTED),
    "entry, status": f.Entry(
        1041,
        9,
        1_795_499_991_000,
        "s",
        f.EntryType.STATUS,
        {"from": "waiting", "to": "open", "why": "asked", "by": "a7", "session": 1},
    ),
    "delta": f.Delta(1041, 3, 128, "🐦可以"),
    "delta, taken back": f.Delta(1041, 3, 0, ""),
    "state": f.State(1041, {"queue": {"ahead": 2, "eta_s": 40}, "read": {"v": 9, "a": 7}}),
    "state, reload": f.State(0, {"reload": True}),
    "page": f.Page(
        1041,
        [
            f.Entry(1041, 1, 1, "v", f.EntryType.TEXT, "在吗"),
            f.Entry(1041, 2, 2, "b", f.EntryType.ANSWER, {"text": "在的"}),
        ],
        more=True,
    ),
    "page, empty": f.Page(1041, [], more=False),
    "error": f.Error(1041, 5, 113, "n is not the next one", temporary=False, expected=4),
    "error, defaults": f.Error(0, 0, 100, "internal", temporary=True),
    "bye": f.Bye(3000, "stopping", 1500),
    "bye, defaults": f.Bye(3500, "bad token"),
}
EXAMPLES |= {f"integer {value}": f.Ping(value) for value in EDGES}
EXAMPLES |= {f"text of {length} bytes": f.Send(1, 1, 1, "x" * length) for length in LENGTHS}
EXAMPLES |= {
    f"map of {length} keys": f.State(1, {f"k{index}": index for index in range(length)})
    for length in (15, 16)
}


def main() -> None:
    """Write the file beside this script."""
    golden = [
        {
            "name": name,
            "frame": msgspec.to_builtins(frame),
            "msgpack": msgspec.msgpack.encode(frame).hex(),
        }
        for name, frame in EXAMPLES.items()
    ]
    lines = ",\n".join(json.dumps(one, ensure_ascii=True) for one in golden)
    Path(__file__).with_name("golden_frames.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
