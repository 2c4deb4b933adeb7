"""Flows that wait, ask, fetch and remember, over the house: the log, the worker and the clock."""

from typing import Any

import msgspec
import pytest
from ai_house import CONVERSATION, House, fluent

from qingniao.chat.intake import Move
from qingniao.chat.lifecycle import Event, Status
from qingniao.errors import StorageError
from qingniao.flow.book import Book, bind
from qingniao.flow.effects import Fetch, Remember
from qingniao.flow.events import About, Fetched, Remembered, ServiceFailed, VisitorSaid
from qingniao.flow.graph import Edge, Flow, Node
from qingniao.flow.plan import Needs, Plan, prepare
from qingniao.protocol.frames import EntryType

SORRY = {"zh-CN": "抱歉"}
DAY_MS = 86_400_000


def said(text: str) -> tuple[str, dict[str, Any]]:
    return "say", {"text": {"zh-CN": text}}


def drawn(nodes: dict[str, Any], *lines: str, id: str = "f", version: int = 1) -> Flow:
    edges = []
    for line in lines:
        way, _, target = line.partition(" > ")
        source, _, port = way.partition(".")
        edges.append(Edge(source=source, port=port, target=target))
    return Flow(
        id=id,
        version=version,
        fallback=SORRY,
        nodes=tuple(Node(id=n, kind=k, settings=s) for n, (k, s) in nodes.items()),
        edges=tuple(edges),
    )


START = ("start", {})
ASK = ("ask", {"text": {"zh-CN": "电话？"}, "into": "phone", "form": "phone", "attribute": "phone"})
PERSON = ("handoff", {"why": "unsure", "text": {"zh-CN": "转人工"}})
ASKS = drawn(
    {"start": START, "ask": ASK, "thanks": said("记下 {{phone}}"), "person": PERSON},
    "start.asked > ask", "ask.captured > thanks", "ask.given_up > person",
)  # fmt: skip
WAITS = drawn(
    {"start": START, "hi": said("您好"), "wait": ("wait", {"for_s": 60}), "still": said("还在吗"),
     "hear": said("听到")},
    "start.asked > hi", "hi.next > wait", "wait.elapsed > still", "wait.replied > hear",
)  # fmt: skip


class Hands:
    """Does nothing, and says what it was asked for."""

    def __init__(self) -> None:
        self.fetched: list[Fetch] = []
        self.remembered: list[Remember] = []
        self.answer: Fetched | ServiceFailed = Fetched(status=200, values={"state": "已发货"})
        self.known = About(attributes={"name": "小林"}, agents_online=1)
        self.needs: list[Needs] = []

    async def about(self, visitor: str, needs: Needs, *, is_first: bool) -> About:
        self.needs.append(needs)
        return msgspec.structs.replace(self.known, is_first=is_first)

    async def fetch(self, fetch: Fetch) -> Fetched | ServiceFailed:
        self.fetched.append(fetch)
        return self.answer

    async def remember(self, visitor: str, conversation: int, remember: Remember) -> Remembered:
        self.remembered.append(remember)
        return Remembered()


class Shelf:
    """Published flows and older versions."""

    def __init__(self, *flows: Flow) -> None:
        self.book: Book = bind(flows, ASKS)
        self.older: dict[str, Plan] = {}
        self.failing = False

    @property
    def needs(self) -> Needs:
        return self.book.needs

    def choose(self, said: VisitorSaid) -> Plan:
        return self.book.choose(said)

    async def edition(self, edition: str) -> Plan | None:
        if self.failing:
            raise StorageError("away")
        return self.older.get(edition)


class Timed(House):
    """A house with a clock of its own, which a test moves."""

    def __init__(self, flow: Flow, *others: Flow) -> None:
        super().__init__(bot=fluent(), plan=prepare(flow))
        self.now_ms = 1_000_000
        self.hands = Hands()
        self.shelf = Shelf(flow, *others)
        self.set: list[tuple[int, int]] = []
        worker: Any = self.worker
        worker._clock = lambda: self.now_ms
        worker._hands = self.hands
        worker._flows = self.shelf
        worker._timers = self

    async def set_timer(self, conversation: int, due_ms: int) -> None:
        self.set.append((conversation, due_ms))

    def texts(self) -> list[str]:
        return [str(body["text"]) for body in self.bodies(EntryType.ANSWER)]

    async def later(self, seconds: float) -> None:
        """The clock goes on and somebody hints."""
        self.now_ms += round(seconds * 1000)
        await self.worker.handle(CONVERSATION)


class _Timers:
    def __init__(self, house: Timed) -> None:
        self.house = house

    async def set(self, conversation: int, due_ms: int) -> None:
        await self.house.set_timer(conversation, due_ms)


def timed(flow: Flow, *others: Flow) -> Timed:
    house = Timed(flow, *others)
    worker: Any = house.worker
    worker._timers = _Timers(house)
    return house


async def test_who_answers_a_day_later_is_still_understood() -> None:
    house = timed(ASKS)
    await house.hears("你好")
    house.now_ms += DAY_MS
    await house.hears("13800138000")
    assert house.texts() == ["电话？", "记下 13800138000"]
    assert house.hands.remembered == [Remember(attributes={"phone": "13800138000"})]


async def test_a_wait_ends_when_its_time_is_up_and_not_before() -> None:
    house = timed(WAITS)
    await house.hears("你好")
    assert house.set == [(CONVERSATION, house.now_ms + 60_000)]
    await house.later(59)
    assert house.texts() == ["您好"]
    await house.later(1)
    assert house.texts() == ["您好", "还在吗"]
    await house.later(3600)
    assert house.texts() == ["您好", "还在吗"], "it was woken once"


async def test_the_time_is_set_before_what_waits_for_it_is_stored() -> None:
    house = timed(WAITS)
    order: list[str] = []
    house.before_submit = lambda: order.append(f"stored after {len(house.set)}")
    await house.hears("你好")
    assert order == ["stored after 1"]


async def test_words_end_a_wait_and_its_time_is_over() -> None:
    house = timed(WAITS)
    await house.hears("你好")
    await house.hears("喂")
    await house.later(3600)
    assert house.texts() == ["您好", "听到"]


async def test_words_that_come_while_the_time_is_up_count_first() -> None:
    house = timed(WAITS)
    await house.hears("你好")
    house.now_ms += 61_000
    house.before_submit = lambda: house.sent == 1 and house.says("喂")  # type: ignore[assignment,func-returns-value]
    await house.worker.handle(CONVERSATION)
    assert house.texts() == ["您好", "听到"]


async def test_a_person_who_has_taken_over_is_not_disturbed_by_a_time() -> None:
    house = timed(WAITS)
    await house.hears("你好")
    house.taken()
    await house.later(3600)
    assert house.texts() == ["您好"]
    assert house.status is Status.OPEN
    house.log.commit(Move(CONVERSATION, Event.CLOSE, "closed", 3, "小林"))
    await house.later(3600)
    assert house.texts() == ["您好"]


async def test_a_taking_in_the_last_moment_wins_over_a_time() -> None:
    house = timed(WAITS)
    await house.hears("你好")
    house.before_submit = house.taken
    steps = len(house.bodies(EntryType.STEP))
    await house.later(60)
    assert house.texts() == ["您好"]
    assert len(house.bodies(EntryType.STEP)) == steps


async def test_what_another_machine_says_is_told() -> None:
    fetch = ("http", {"url": "https://a.example/{{text}}", "take": {"state": "data.state"}})
    flow = drawn(
        {"start": START, "get": fetch, "tell": said("{{visitor.name}}：{{state}}"),
         "sorry": said("查不到"), "person": PERSON},
        "start.asked > get", "get.done > tell", "get.failed > sorry",
    )  # fmt: skip
    house = timed(flow)
    await house.hears("A1")
    assert house.texts() == ["小林：已发货"]
    assert house.hands.fetched[0].url == "https://a.example/A1"
    assert house.hands.needs == [Needs(visitor=True)]
    house.hands.answer = ServiceFailed(reason="down")
    await house.hears("A2")
    assert house.texts()[-1] == "查不到"
    assert next(s for s in house.trace() if s["kind"] == "http")["reason"] == "down"


async def test_a_rating_and_cards_are_in_the_log() -> None:
    flow = drawn(
        {"start": START,
         "cards": ("cards", {"text": {"zh-CN": "看看"}, "cards": [{"title": {"zh-CN": "茶"},
                   "link": "https://a.example/"}]}),
         "rate": ("rating", {"text": {"zh-CN": "满意吗"}}), "thanks": said("谢谢"),
         "person": PERSON},
        "start.asked > cards", "cards.next > rate", "rate.rated > thanks", "rate.other > person",
    )  # fmt: skip
    house = timed(flow)
    await house.hears("你好")
    await house.hears("5")
    assert house.bodies(EntryType.RATING) == [{"score": 5}]
    first = house.bodies(EntryType.ANSWER)[0]
    assert first["cards"] == [{"title": "茶", "link": "https://a.example/"}]
    assert first["text"] == "看看\n\n茶\nhttps://a.example/"


NEWER = drawn(
    {"start": START, "other": said("新版")}, "start.asked > other", version=2
)  # fmt: skip


async def test_inside_an_old_version_a_conversation_finishes_there() -> None:
    house = timed(ASKS)
    await house.hears("你好")
    house.shelf.book = bind([NEWER], ASKS)
    house.shelf.older["f@1"] = prepare(ASKS)
    house.plan = prepare(NEWER)
    await house.hears("13800138000")
    assert house.texts()[-1] == "记下 13800138000"
    assert house.bodies(EntryType.STEP)[-1]["flow"] == "f@1"
    await house.hears("还有一个问题")
    assert house.texts()[-1] == "新版", "and what it begins then is the new one"
    assert house.bodies(EntryType.STEP)[-1]["flow"] == "f@2"


@pytest.mark.parametrize("failing", [True, False])
async def test_from_a_version_that_is_gone_it_moves_to_the_published_one(failing: bool) -> None:
    house = timed(ASKS)
    await house.hears("你好")
    house.shelf.book, house.plan = bind([NEWER], ASKS), prepare(NEWER)
    house.shelf.failing = failing
    await house.hears("13800138000")
    assert house.texts()[-1] == "新版"


async def test_in_the_published_one_a_node_of_the_same_name_goes_on() -> None:
    house = timed(ASKS)
    await house.hears("你好")
    changed = msgspec.structs.replace(ASKS, version=2)
    house.shelf.book, house.plan = bind([changed], ASKS), prepare(changed)
    await house.hears("13800138000")
    assert house.texts()[-1] == "记下 13800138000"


PROMO = drawn(
    {"start": ("start", {"catches": False, "triggers": [
        {"port": "promo", "on": "keyword", "words": ["优惠"]}]}), "tell": said("满百减十")},
    "start.promo > tell", "start.asked > tell", id="promo",
)  # fmt: skip


async def test_a_trigger_chooses_the_flow() -> None:
    house = timed(ASKS, PROMO)
    await house.hears("有优惠吗")
    assert house.texts() == ["满百减十"]
    await house.hears("你好")
    assert house.texts()[-1] == "电话？"
    await house.hears("有优惠吗")
    assert house.texts()[-1] == "电话？", "a reply to a question is a reply"


LULL = drawn(
    {"start": ("start", {"catches": False, "triggers": [
        {"port": "promo", "on": "keyword", "words": ["优惠"]},
        {"port": "idle", "on": "idle", "idle_s": 30}]}), "tell": said("满百减十"),
     "more": said("还想看看吗")},
    "start.promo > tell", "start.asked > tell", "start.idle > more", id="lull",
)  # fmt: skip


async def test_a_silence_is_noticed_by_the_flow_that_spoke_last() -> None:
    house = timed(ASKS, LULL)
    house.shelf.older["lull@1"] = prepare(LULL)
    await house.hears("有优惠吗")
    await house.later(30)
    assert house.texts() == ["满百减十", "还想看看吗"]
    await house.later(300)
    assert len(house.texts()) == 2
    await house.hears("你好")
    assert house.texts()[-1] == "电话？"


async def test_a_fault_of_ours_in_a_woken_flow_brings_a_person() -> None:
    house = timed(WAITS)
    await house.hears("你好")
    house.hands.about = None  # type: ignore[assignment,method-assign]
    await house.later(60)
    assert house.status is Status.WAITING
