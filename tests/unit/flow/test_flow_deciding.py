"""Nodes that decide, remember and fetch: start's triggers, condition, set, split, http, cards."""

from datetime import UTC, datetime
from typing import Any

import pytest
from nodes_house import Alone, scene

from qingniao.flow.effects import Card, Fetch, Remember, Say
from qingniao.flow.events import (
    About,
    Elapsed,
    Event,
    Fetched,
    Remembered,
    ServiceFailed,
    TimedOut,
)
from qingniao.flow.nodes.split import bucket
from qingniao.flow.templates import fill

WORDS = {"zh-CN": "好"}


def at(day: int, hour: int, minute: int = 0) -> About:
    """On the clock of Beijing; 2026-11-23 is a Monday."""
    moment = datetime(2026, 11, day, hour, minute, tzinfo=UTC).timestamp() - 8 * 3600
    return About(now_ms=round(moment * 1000))


START = Alone(
    "start",
    triggers=[
        {"port": "hello", "on": "conversation"},
        {"port": "promo", "on": "keyword", "words": ["优惠", "sale"]},
        {"port": "stop", "on": "keyword", "words": ["停"], "is_whole": True},
        {"port": "cart", "on": "page", "pages": ["https://shop.example/cart*"]},
        {"port": "night", "on": "schedule", "hours": [{"begins": "22:00", "ends": "06:00"}]},
        {"port": "idle", "on": "idle", "idle_s": 30},
    ],
)


@pytest.mark.parametrize(
    ("text", "about", "port"),
    [
        ("你好", About(is_first=True), "hello"),
        ("有优惠吗", at(23, 12), "promo"),
        ("Is there a SALE?", at(23, 12), "promo"),
        ("sales figures", at(23, 12), "asked"),
        ("停", at(23, 12), "stop"),
        ("不停", at(23, 12), "asked"),
        ("你好", at(23, 23), "night"),
        ("你好", at(23, 5), "night"),
        ("你好", About(attributes={"page": "https://shop.example/cart?x"}, now_ms=at(23, 9).now_ms),
         "cart"),
        ("", at(23, 12), "file"),
    ],
)  # fmt: skip
def test_the_first_trigger_that_matches_decides(text: str, about: About, port: str) -> None:
    assert START.enter(scene(text, about=about, files=0 if text else 1)).port == port


def test_silence_is_a_trigger_too() -> None:
    assert START.resume(Elapsed()).port == "idle"
    assert START.ports()["cart"] == "asked"


@pytest.mark.parametrize(
    ("trigger", "code"),
    [
        ({"port": "asked", "on": "conversation"}, "port_names"),
        ({"port": "", "on": "conversation"}, "port_names"),
        ({"port": "a", "on": "keyword"}, "empty_trigger"),
        ({"port": "a", "on": "keyword", "words": [" "]}, "empty_trigger"),
        ({"port": "a", "on": "page"}, "empty_trigger"),
        ({"port": "a", "on": "schedule"}, "empty_trigger"),
        ({"port": "a", "on": "idle", "idle_s": 1}, "empty_trigger"),
        ({"port": "a", "on": "schedule", "hours": [{"begins": "9"}]}, "hours"),
        ({"port": "a", "on": "schedule", "hours": [{"days": [8]}]}, "hours"),
    ],
)
def test_faults_of_triggers(trigger: dict[str, Any], code: str) -> None:
    assert code in Alone("start", triggers=[trigger]).faults()
    assert START.faults() == set()


def test_more_faults_of_a_start() -> None:
    idle = {"port": "a", "on": "idle"}
    assert Alone("start", triggers=[idle, idle | {"port": "b"}]).faults() == {"two_idle"}
    assert Alone("start", utc_offset_min=900).faults() == {"utc_offset"}
    many = [{"port": f"p{i}", "on": "conversation"} for i in range(21)]
    assert Alone("start", triggers=many).faults() == {"too_many_triggers"}


def holds(test: dict[str, Any], **here: Any) -> bool:
    node = Alone("condition", branches=[{"port": "yes", "tests": [test]}])
    return node.enter(scene(**here)).port == "yes"


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ({"name": "n", "value": "3"}, True),
        ({"name": "n", "value": "3.0"}, True),
        ({"name": "n", "op": "is_not", "value": "3"}, False),
        ({"name": "n", "op": "above", "value": "2"}, True),
        ({"name": "n", "op": "at_least", "value": "3"}, True),
        ({"name": "n", "op": "below", "value": "3"}, False),
        ({"name": "n", "op": "at_most", "value": "x"}, False),
        ({"name": "n", "op": "above", "value": "{{m}}"}, False),
        ({"name": "city", "value": "上海"}, True),
        ({"name": "city", "op": "starts", "value": "上"}, True),
        ({"name": "city", "op": "contains", "value": "海"}, True),
        ({"name": "city", "op": "one_of", "values": ["北京", "上海"]}, True),
        ({"name": "city", "op": "above", "value": "1"}, False),
        ({"name": "city", "op": "set"}, True),
        ({"name": "empty", "op": "set"}, False),
        ({"name": "gone", "op": "unset"}, True),
        ({"name": "gone", "value": ""}, False),
        ({"name": "gone", "op": "is_not", "value": "x"}, True),
        ({"name": "nan", "op": "at_least", "value": "0"}, False),
        ({"name": "text", "op": "contains", "value": "退款"}, True),
        ({"name": "intent", "value": "refund"}, True),
        ({"name": "visitor.tags", "op": "contains", "value": "VIP"}, True),
        ({"name": "visitor.tags", "op": "contains", "value": "新"}, False),
        ({"name": "visitor.phone", "op": "set"}, True),
        ({"name": "agents_online", "op": "at_least", "value": "1"}, True),
        ({"name": "now", "op": "within", "hours": [{"begins": "09:00", "ends": "18:00"}]}, True),
        ({"name": "now", "op": "within", "hours": [{"days": [6, 7]}]}, False),
    ],
)
def test_conditions(test: dict[str, Any], expected: bool) -> None:
    about = About(
        now_ms=at(23, 12).now_ms,
        tags=("vip", "老客户"),
        attributes={"phone": "138"},
        agents_online=2,
    )
    variables = {"n": 3, "m": "3", "city": "上海", "empty": "", "nan": "nan"}
    here = {"text": "退款呢", "variables": variables, "facts": {"intent": "refund"}, "about": about}
    assert holds(test, **here) is expected


def test_all_tests_or_any_of_them_and_otherwise_other() -> None:
    tests = [{"name": "a", "value": "1"}, {"name": "b", "value": "1"}]
    every = Alone("condition", branches=[{"port": "yes", "tests": tests}])
    either = Alone("condition", branches=[{"port": "yes", "tests": tests, "any_of": True}])
    here = scene(variables={"a": "1"})
    assert (every.enter(here).port, either.enter(here).port) == ("other", "yes")


def test_a_condition_on_agents_that_nobody_could_count_fails() -> None:
    test = {"name": "agents_online", "op": "at_least", "value": "1"}
    node = Alone("condition", branches=[{"port": "yes", "tests": [test]}])
    assert node.enter().port == "failed"
    assert node.ports()["failed"] == "other"


@pytest.mark.parametrize(
    ("branches", "code"),
    [
        ([], "branches"),
        ([{"port": "other", "tests": [{"name": "a"}]}], "port_names"),
        ([{"port": "a", "tests": []}], "tests"),
        ([{"port": "a", "tests": [{"name": "now", "value": "9"}]}], "test"),
        ([{"port": "a", "tests": [{"name": "a", "op": "one_of"}]}], "test"),
        ([{"port": "a", "tests": [{"name": "a", "value": "{{1+1}}"}]}], "template"),
    ],
)
def test_faults_of_a_condition(branches: list[Any], code: str) -> None:
    assert code in Alone("condition", branches=branches).faults()


def test_set_puts_values_together() -> None:
    node = Alone(
        "set",
        variables={"whole": "{{n}}", "line": "单号 {{n}}，{{gone}}"},
        add={"n": 1, "count": 2},
    )
    act = node.enter(scene(variables={"n": 3}))
    assert act.variables == {"whole": 3, "line": "单号 3，", "n": 4, "count": 2}
    assert act.port == "next"


def test_set_writes_on_record() -> None:
    node = Alone("set", attributes={"name": "{{who}}"}, tags=["{{who}}", " "], untag=["新客"])
    act = node.enter(scene(variables={"who": "小林" * 40}))
    assert act.effects == (
        Remember(attributes={"name": "小林" * 32}, tags=("小林" * 16,), untag=("新客",)),
    )
    assert act.facts == {"visitor.name": ("小林" * 40)[:64]}
    assert node.resume(Remembered()).port == "next"
    assert node.resume(TimedOut()).port == "failed"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({}, "changes"),
        ({"variables": {"a b": "x"}}, "variable_name"),
        ({"variables": {"a": "{{x()}}"}}, "template"),
        ({"attributes": {"salary": "1"}}, "attribute"),
        ({"tags": ["x" * 40]}, "tag"),
    ],
)
def test_faults_of_set(settings: dict[str, Any], code: str) -> None:
    assert code in Alone("set", **settings).faults()


SPLIT = Alone("split", shares=[{"port": "a", "weight": 90}, {"port": "b", "weight": 10}], salt="s")


def test_the_same_visitor_always_goes_the_same_way() -> None:
    ways = {v: SPLIT.enter(scene(visitor=v)).port for v in map(str, range(2_000))}
    again = {v: SPLIT.enter(scene("别的", visitor=v, node="x")).port for v in ways}
    assert ways == again
    share = sum(port == "b" for port in ways.values()) / len(ways)
    assert 0.07 < share < 0.13
    assert bucket("v1", "s") == pytest.approx(0.46821, abs=1e-5), "dealt out alike for ever"


def test_without_a_salt_each_split_deals_anew() -> None:
    node = SPLIT.but(salt="", shares=[{"port": "a"}, {"port": "b"}])
    ways = [
        [node.enter(scene(visitor=str(v), node=at_node)).port for v in range(200)]
        for at_node in ("n1", "n2")
    ]
    assert ways[0] != ways[1]


def test_a_weight_of_nothing_takes_nobody() -> None:
    node = SPLIT.but(shares=[{"port": "a", "weight": 0}, {"port": "b"}])
    assert {node.enter(scene(visitor=str(v))).port for v in range(200)} == {"b"}


def test_faults_of_split() -> None:
    assert SPLIT.faults() == set()
    assert SPLIT.but(shares=[{"port": "a"}]).faults() == {"shares"}
    assert SPLIT.but(shares=[{"port": "a"}, {"port": "a"}]).faults() == {"port_names"}
    zero = [{"port": "a", "weight": 0}, {"port": "b", "weight": 0}]
    assert SPLIT.but(shares=zero).faults() == {"weights"}


HTTP = Alone(
    "http",
    url="https://api.example/orders/{{no}}?key={{secret.key}}",
    method="POST",
    headers={"Authorization": "Bearer {{secret.token}}", "X-Who": "{{who}}"},
    body='{"text": "{{text}}", "n": {{n}}, "s": "{{ secret.token }}"}',
    take={"state": "data.0.state"},
)


def test_values_are_put_in_and_secrets_are_not() -> None:
    here = scene('说"好"', variables={"no": "a/b", "who": "x\r\nHost: evil", "n": 2})
    (fetch,) = HTTP.enter(here).effects
    assert isinstance(fetch, Fetch)
    assert fetch.headers["X-Who"] == "x Host: evil"
    secrets = {"key": "k&1", "token": 't"1'}.__getitem__
    assert fill(fetch.url, secrets, "url") == "https://api.example/orders/a%2Fb?key=k%261"
    assert fill(fetch.headers["Authorization"], secrets, "text") == 'Bearer t"1'
    assert fill(fetch.body, secrets, "json") == r'{"text": "说\"好\"", "n": 2, "s": "t\"1"}'
    assert "k&1" not in str(fetch)


def test_a_visitor_cannot_name_a_secret() -> None:
    sly = "{{secret.key}} \ue000key\ue001"
    (fetch,) = HTTP.enter(scene(sly, variables={"no": sly, "who": [sly], "n": sly})).effects
    assert isinstance(fetch, Fetch)
    filled = fill(fetch.url, lambda name: f"<{name}>", "url")
    assert filled.count("%3Ckey%3E") == 1
    assert fill(fetch.body, lambda name: f"<{name}>", "json").count("<key>") == 0
    assert fill(fetch.headers["X-Who"], lambda name: f"<{name}>", "text").count("<key>") == 0


@pytest.mark.parametrize(
    ("event", "port"),
    [
        (Fetched(status=200, values={"state": "sent"}), "done"),
        (Fetched(status=404), "refused"),
        (Fetched(status=301), "refused"),
        (TimedOut(), "timeout"),
        (ServiceFailed(reason="down"), "failed"),
    ],
)
def test_http_leaves_by_how_it_went(event: Event, port: str) -> None:
    act = HTTP.resume(event)
    assert act.port == port
    assert HTTP.ports() == {"done": "", "refused": "failed", "timeout": "failed", "failed": ""}


def test_what_is_not_in_the_answer_is_empty_and_noted() -> None:
    act = HTTP.resume(Fetched(status=200, values={}))
    assert (act.variables, act.note["missing"]) == ({"state": ""}, ["state"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"url": "https://{{host}}/"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"body": "{a"}, "body"),
        ({"method": "GET"}, "body"),
        ({"headers": {"Host": "x"}}, "header"),
        ({"headers": {"a b": "x"}}, "header"),
        ({"headers": {"A": "{{x()}}"}}, "template"),
        ({"take": {"1": "a"}}, "variable_name"),
        ({"take": {"a": "a[0]"}}, "path"),
        ({"take": {f"v{i}": "a" for i in range(11)}}, "take"),
        ({"deadline_s": 0}, "deadline"),
        ({"url": "https://a.example/" + "x" * 2_000}, "request_too_long"),
    ],
)
def test_faults_of_http(changes: dict[str, Any], code: str) -> None:
    assert code in HTTP.but(**changes).faults()
    assert HTTP.faults() == set()


def test_cards_say_the_same_to_those_who_cannot_see_them() -> None:
    node = Alone(
        "cards",
        text=WORDS,
        cards=[{"title": {"zh-CN": "{{x}}"}, "link": "https://a.example/?q={{x}}",
                "buttons": [{"zh-CN": "买"}]}],
    )  # fmt: skip
    act = node.enter(scene(variables={"x": "茶 &"}))
    link = "https://a.example/?q=%E8%8C%B6%20%26"
    assert act.effects == (
        Say(text=f"好\n\n茶 &\n{link}", cards=(Card(title="茶 &", link=link, options=("买",)),)),
    )


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ({"title": {}}, "text_missing"),
        ({"title": WORDS, "link": "javascript:alert(1)"}, "url"),
        ({"title": WORDS, "image": "data:image/png,x"}, "url"),
        ({"title": WORDS, "buttons": [WORDS] * 4}, "too_many_buttons"),
    ],
)
def test_faults_of_cards(card: dict[str, Any], code: str) -> None:
    assert code in Alone("cards", text=WORDS, cards=[card]).faults()
    assert Alone("cards", text=WORDS, cards=[]).faults() == {"cards"}


def test_a_flow_that_is_not_there_is_left_by_failed() -> None:
    node = Alone("subflow", flow="gone")
    assert node.enter().port == "failed"
    assert Alone("subflow", flow="").faults() == {"no_flow"}
