"""The flow engine: time of a step for every kind of node, and what a waiting conversation keeps.

Every kind is entered and resumed as it is in a turn: `step` on a plan of start, that node and what
follows, the median of many rounds. 10,000 conversations are walked until they wait, with variables
from none to as many as there can be; counted is the state as it is stored with an answer, and what
the table of times takes on disk for each. Beside it, what checking the largest drawing takes, and
how soon one that is too large is answered. The floor of a step: what it costs to copy the state
twice, since no step goes without.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import structs
from sqlalchemy import insert

from bench.run import Goal
from qingniao.flow.check import check
from qingniao.flow.engine import step
from qingniao.flow.events import (
    About,
    Answered,
    Classified,
    Event,
    Fetched,
    Found,
    Hit,
    Moderated,
    Remembered,
    TeamChosen,
    VisitorSaid,
)
from qingniao.flow.graph import MAX_NODES, Edge, Flow, Node
from qingniao.flow.nodes import KINDS
from qingniao.flow.plan import Plan, place, prepare
from qingniao.flow.state import FlowState, restore, store
from qingniao.storage.database import Database
from qingniao.storage.models import flow_timers

__all__ = ["GOALS", "measure"]

GOALS: Final = {
    "step_worst_us": Goal("<=", 100.0),
    "waiting_max_bytes": Goal("<=", 2_048),
}

WAITING: Final = 10_000
WORDS: Final = {"zh-CN": "您好 {{visitor.name}}，{{order}} 的事", "en": "Hello {{visitor.name}}"}
PERSON: Final = Node(id="person", kind="handoff", settings={"why": "unsure", "text": WORDS})
SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "start": {"triggers": [{"port": "go", "on": "keyword", "words": ["优惠", "退款"]}]},
    "say": {"text": WORDS, "options": {"zh-CN": ["转人工"]}},
    "buttons": {"text": WORDS, "buttons": [{"port": f"p{i}", "label": WORDS} for i in range(5)]},
    "cards": {"text": WORDS, "cards": [{"title": WORDS, "link": "https://a.example/{{order}}"}]},
    "ask": {"text": WORDS, "into": "phone", "form": "phone"},
    "condition": {
        "branches": [
            {"port": f"p{i}", "tests": [{"name": "order", "value": str(i)}] * 3} for i in range(5)
        ]
    },
    "intent": {"routes": [{"port": "a", "intents": ["greeting"], "alone": True}]},
    "ask_back": {"text": WORDS, "text_alone": WORDS},
    "set": {"variables": {"line": "{{order}} {{text}}"}, "add": {"count": 1}},
    "http": {
        "url": "https://a.example/{{order}}",
        "method": "POST",
        "body": '{"text": "{{text}}"}',
        "headers": {"X": "{{secret.key}}"},
        "take": {"state": "a"},
    },
    "wait": {"for_s": 60},
    "rating": {"text": WORDS},
    "subflow": {"flow": "gone"},
    "split": {"shares": [{"port": "a"}, {"port": "b"}]},
    "handoff": {"why": "unsure", "text": WORDS},
}
REPLIES: Final[dict[str, Event]] = {
    "moderated": Moderated(verdict="clean"),
    "classified": Classified(intent="greeting", confidence=0.9),
    "found": Found(hits=(Hit(id="q", question="退款多久到账？", confidence=0.9),) * 4),
    "fetched": Fetched(status=200, values={"state": "已发货"}),
    "remembered": Remembered(),
    "answered": Answered(text="三天内到账。", bot="local", confidence=0.9),
    "team_chosen": TeamChosen(),
    "said": VisitorSaid(text="13800138000"),
}
ABOUT: Final = About(now_ms=1_800_000_000_000, attributes={"name": "小林"}, agents_online=2)
SAID: Final = VisitorSaid(text="退款多久到账", visitor="0123456789ab", about=ABOUT)
STATE: Final = FlowState(variables={"order": "A10086", "count": 1, "phone": "13800138000"})


def measure(quick: bool) -> Mapping[str, object]:
    """Medians; fewer rounds when `quick`."""
    rounds = 300 if quick else 3_000
    steps: dict[str, float] = {}
    for kind in KINDS:
        steps |= {f"{kind}{part}": us for part, us in _kind(kind, rounds).items()}
    worst = max(steps, key=lambda name: steps[name])
    sizes = _waiting(WAITING)
    drawn = _chain(MAX_NODES)
    return {
        "step_worst_us": round(steps[worst], 2),
        "step_worst": worst,
        "step_median_us": round(statistics.median(steps.values()), 2),
        "floor_us": round(_median_us(_floor, rounds), 2),
        "waiting_max_bytes": max(sizes),
        "waiting_mean_bytes": round(statistics.mean(sizes)),
        "waiting_empty_bytes": min(sizes),
        "timer_row_bytes": asyncio.run(_timer_bytes(WAITING)),
        "restore_us": round(_median_us(lambda: restore(store(STATE)), rounds), 2),
        "check_largest_ms": round(_median_us(lambda: check(drawn), 3) / 1000, 1),
        "prepare_largest_ms": round(_median_us(lambda: prepare(drawn), 3) / 1000, 1),
        "check_5000_nodes_ms": round(_median_us(_too_large(), 3) / 1000, 2),
        **{f"{name.replace(' ', '_')}_us": round(us, 1) for name, us in sorted(steps.items())},
    }


def _kind(kind: str, rounds: int) -> dict[str, float]:
    """Microseconds to come to a node of this kind, and to go on from it."""
    plan = _plan(kind)
    times = {"": _median_us(lambda: step(plan, STATE, SAID), rounds)}
    state, _ = step(plan, STATE, SAID)
    if state.awaiting:
        reply = REPLIES[state.awaiting]
        times[" resumed"] = _median_us(lambda: step(plan, state, reply), rounds)
    return times


def _plan(kind: str) -> Plan:
    settings = SETTINGS.get(kind, {})
    nodes = [Node(id="start", kind="start", settings=SETTINGS["start"] if kind == "start" else {})]
    middle = "person"
    if kind not in ("start", "handoff"):
        nodes.append(Node(id="node", kind=kind, settings=settings))
        middle = "node"
    edges = [Edge(source="start", port=port, target=middle) for port in ("asked", "go")]
    if middle == "node":
        here = place(nodes[-1])
        edges += [
            Edge(source="node", port=port.name, target="person")
            for port in here.kind.ports(here.settings)
        ]
    return prepare(Flow(id="bench", fallback=WORDS, nodes=(*nodes, PERSON), edges=tuple(edges)))


def _waiting(count: int) -> list[int]:
    """Bytes of the states of so many conversations that wait."""
    plan = _plan("ask")
    random.seed(7)
    sizes = []
    for number in range(count):
        variables = {f"variable_{i}": "值" * random.randrange(1, 40) for i in range(number % 16)}
        before = FlowState(variables=variables, dialogues={"shop": "0" * 36})
        said = structs.replace(SAID, visitor=f"{number:012d}")
        state, _ = step(plan, before, said)
        if state.awaiting != "said":
            raise RuntimeError("A conversation that should wait does not.")
        due = structs.replace(state, due_ms=1_800_000_000_000)
        sizes.append(len(msgspec.msgpack.encode(store(due))))
    return sizes


async def _timer_bytes(count: int) -> float:
    """What the table of times takes on disk for each of so many."""
    with tempfile.TemporaryDirectory(prefix="qingniao-bench-") as folder:
        path = Path(folder) / "qingniao.db"
        await (await Database.open(path)).close()
        empty = path.stat().st_size
        database = await Database.open(path)
        async with database.write() as connection:
            rows = [{"conversation": i + 1, "due": 1_800_000_000_000 + i} for i in range(count)]
            await connection.execute(insert(flow_timers), rows)
        await database.close()
        return round((path.stat().st_size - empty) / count, 1)


def _chain(count: int) -> Flow:
    """The largest drawing: a way of this many nodes, in pieces that wait for the visitor."""
    nodes = [Node(id="start", kind="start")]
    edges = [Edge(source="start", port="asked", target="n0")]
    for i in range(count - 2):
        kind = "ask" if i % 20 == 0 else "say"
        settings = SETTINGS["ask"] if kind == "ask" else {"text": {"zh-CN": "好"}}
        nodes.append(Node(id=f"n{i}", kind=kind, settings=settings))
        after = f"n{i + 1}" if i < count - 3 else "person"
        ports = ("captured", "given_up") if kind == "ask" else ("next",)
        edges += [Edge(source=f"n{i}", port=port, target=after) for port in ports]
    return Flow(id="chain", fallback=WORDS, nodes=(*nodes, PERSON), edges=tuple(edges))


def _too_large() -> Callable[[], object]:
    """A document of 5,000 nodes, read and judged."""
    document = msgspec.json.encode(_chain(5_000))

    def judge() -> object:
        return check(msgspec.json.decode(document, type=Flow))

    return judge


def _floor() -> FlowState:
    return structs.replace(structs.replace(STATE, steps=1), node="x")


def _median_us(run: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - began)
    return statistics.median(times) / 1000
