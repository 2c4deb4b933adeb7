"""Nodes that ask and wait: buttons, ask, rating, wait."""

from typing import Any

import pytest
from nodes_house import Alone, scene

from qingniao.flow.effects import Rate, Remember, Say, Wait
from qingniao.flow.events import Elapsed, Remembered, ServiceFailed, TimedOut, VisitorSaid

ASKED = {"zh-CN": "{{name}}，请选择", "en": "Choose"}
SAID = VisitorSaid(text="")
BUTTONS = Alone(
    "buttons",
    text=ASKED,
    buttons=[
        {"port": "back", "label": {"zh-CN": "退货", "en": "Return"}},
        {"port": "track", "label": {"zh-CN": "查物流", "en": "Track"}},
    ],
    into="what",
)
ASK = Alone("ask", text=ASKED, into="phone", form="phone")
RATING = Alone("rating", text=ASKED, into="stars")


def test_buttons_offer_and_wait_for_ever() -> None:
    act = BUTTONS.enter(scene(variables={"name": "小林"}))
    assert act.effects == (Say(text="小林，请选择", options=("退货", "查物流")),)
    assert act.awaits == "said"
    assert "silent" not in BUTTONS.ports()


def test_buttons_in_the_visitors_language() -> None:
    act = BUTTONS.enter(scene(locale="en-GB"))
    assert act.effects == (Say(text="Choose", options=("Return", "Track")),)


def test_with_a_time_they_leave_by_silent() -> None:
    for node in (BUTTONS, ASK, RATING):
        timed = node.but(timeout_s=60)
        assert timed.enter().effects[-1] == Wait(for_s=60.0)
        assert timed.resume(Elapsed()).port == "silent"
        assert "silent" in timed.ports()


@pytest.mark.parametrize(("text", "port"), [("退货", "back"), ("2", "track"), ("别的事", "other")])
def test_each_button_has_its_way(text: str, port: str) -> None:
    assert BUTTONS.resume(SAID, scene(text)).port == port


def test_the_chosen_label_is_kept() -> None:
    act = BUTTONS.resume(SAID, scene("第二个"))
    assert (act.variables, act.text) == ({"what": "查物流"}, "查物流")


def test_a_file_is_no_choice() -> None:
    assert BUTTONS.resume(SAID, scene("", files=1)).port == "file"
    assert BUTTONS.ports()["file"] == "other"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"buttons": []}, "choices"),
        ({"buttons": [{"port": "other", "label": ASKED}]}, "port_names"),
        ({"buttons": [{"port": "a", "label": ASKED}] * 2}, "port_names"),
        ({"buttons": [{"port": "a", "label": {}}]}, "text_missing"),
        ({"into": "1x"}, "variable_name"),
        ({"into": "text"}, "variable_name"),
        ({"timeout_s": 1}, "timeout"),
        ({"timeout_s": 1e9}, "timeout"),
        ({"text": {"zh-CN": "{{a.b()}}"}}, "template"),
    ],
)
def test_faults_of_buttons(changes: dict[str, Any], code: str) -> None:
    assert code in BUTTONS.but(**changes).faults()
    assert BUTTONS.faults() == set()


def test_ask_keeps_what_is_found_in_the_reply() -> None:
    act = ASK.resume(SAID, scene("我的号码 138 0013 8000"))
    assert (act.port, act.variables) == ("captured", {"phone": "13800138000"})


def test_ask_asks_again_and_then_gives_up() -> None:
    node = ASK.but(tries=2, retry={"zh-CN": "请输入手机号"})
    again = node.resume(SAID, scene("不知道"))
    assert again.effects == (Say(text="请输入手机号"),)
    assert (again.awaits, again.counters) == ("said", {"tries": 1})
    assert node.resume(SAID, scene("真不知道", counters=again.counters)).port == "given_up"
    assert ASK.resume(SAID, scene("？", counters={})).effects == (Say(text="，请选择"),)


@pytest.mark.parametrize("text", ["转人工", "talk to a person", "转人工。"])
def test_whoever_calls_for_a_person_is_not_asked_again(text: str) -> None:
    assert ASK.but(form="any").resume(SAID, scene(text)).port == "declined"
    assert ASK.ports()["declined"] == "given_up"


def test_ask_writes_on_record_if_it_should() -> None:
    node = ASK.but(attribute="phone")
    act = node.resume(SAID, scene("13800138000"))
    assert act.effects == (Remember(attributes={"phone": "13800138000"}),)
    assert (act.awaits, act.variables) == ("remembered", {"phone": "13800138000"})
    assert act.facts == {"visitor.phone": "13800138000"}
    assert node.resume(Remembered()).port == "captured"
    for event in (ServiceFailed(reason="gone"), TimedOut()):
        failed = node.resume(event)
        assert (failed.port, node.ports()["failed"]) == ("failed", "captured")
        assert failed.note["reason"]


@pytest.mark.parametrize(
    ("form", "changes", "text", "value"),
    [
        ("any", {}, " 蓝色 ", "蓝色"),
        ("any", {}, "x" * 900, "x" * 400),
        ("email", {}, "a@b.cn", "a@b.cn"),
        ("number", {}, "两个", 2),
        ("number", {"least": 1, "most": 5}, "5", 5),
        ("number", {"least": 1, "most": 5}, "6", None),
        ("number", {"least": 1}, "0", None),
        ("date", {}, "2026-12-01", "2026-12-01"),
        ("choice", {"choices": [{"label": ASKED}, {"label": {"zh-CN": "蓝"}, "value": "blue"}]},
         "2", "blue"),
        ("choice", {"choices": [{"label": {"zh-CN": "红"}}]}, "红", "红"),
        ("choice", {"choices": [{"label": {"zh-CN": "红"}}]}, "绿", None),
    ],
)  # fmt: skip
def test_forms(form: str, changes: dict[str, Any], text: str, value: object) -> None:
    act = Alone("ask", text=ASKED, into="x", form=form, **changes).resume(SAID, scene(text))
    assert act.variables.get("x") == value
    assert (act.port == "captured") == (value is not None)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tries": 0}, "tries"),
        ({"tries": 6}, "tries"),
        ({"into": ""}, "variable_name"),
        ({"form": "choice"}, "choices"),
        ({"form": "number", "least": 3, "most": 1}, "range"),
        ({"attribute": "salary"}, "attribute"),
        ({"retry": {"en": "again"}}, "text_missing"),
    ],
)
def test_faults_of_ask(changes: dict[str, Any], code: str) -> None:
    assert code in ASK.but(**changes).faults()
    assert ASK.faults() == set()


def test_a_rating_is_counted_and_kept() -> None:
    act = RATING.resume(SAID, scene("5"))
    assert (act.port, act.effects, act.variables) == ("rated", (Rate(score=5),), {"stars": 5})
    assert RATING.resume(SAID, scene("2 分")).port == "low"
    assert RATING.ports()["low"] == "rated"
    assert RATING.enter().effects == (Say(text="，请选择", options=("5", "4", "3", "2", "1")),)


def test_a_rating_in_words() -> None:
    labels = [{"zh-CN": label} for label in ("非常满意", "满意", "一般", "不满意", "很不满意")]
    node = RATING.but(labels=labels, low_at=1)
    assert node.resume(SAID, scene("不满意")).effects == (Rate(score=2),)
    assert node.resume(SAID, scene("很不满意")).port == "low"
    assert node.resume(SAID, scene("你们店在哪")).port == "other"
    assert node.but(labels=labels[:3]).faults() == {"labels"}
    assert node.but(low_at=5).faults() == {"low_at"}


def test_what_is_no_rating_is_not_counted() -> None:
    act = RATING.resume(SAID, scene("我还有个问题"))
    assert (act.port, act.effects) == ("other", ())


def test_wait_ends_with_the_time_or_with_words() -> None:
    node = Alone("wait", for_s=3600)
    assert node.enter().effects == (Wait(for_s=3600.0),)
    assert node.resume(Elapsed()).port == "elapsed"
    assert node.resume(SAID).port == "replied"
    assert node.ports()["replied"] == "elapsed"
    assert node.but(for_s=0).faults() == {"wait"}
