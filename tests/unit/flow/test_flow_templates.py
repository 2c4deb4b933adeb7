"""`{{name}}` is looked up, and nothing that anybody writes is ever computed."""

import json

import pytest

from qingniao.flow.state import Value
from qingniao.flow.templates import (
    MAX_RENDERED_CHARS,
    escape,
    fill,
    json_faults,
    mark,
    names,
    render,
    render_json,
    render_url,
    shown,
    template_faults,
    unmarked,
    url_faults,
)

KNOWN: dict[str, Value] = {"name": "小林", "订单号": 'A"1', "n": 3, "half": 0.5, "yes": True,
                           "visitor.phone": "138", "list": ["a", "b"],
                           "sly": "{{name}}"}  # fmt: skip
lookup = KNOWN.get


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("没有", "没有"),
        ("您好 {{name}}！", "您好 小林！"),
        ("{{ name }}{{n}}", "小林3"),
        ("{{订单号}}", 'A"1'),
        ("{{visitor.phone}}", "138"),
        ("{{half}} {{yes}} {{list}}", "0.5 true a、b"),
        ("[{{nobody}}]", "[]"),
        ("{{{{name}}", "{{name}}"),
        ("{{sly}}", "{{name}}"),
        ("{{name", "{{name"),
        ("{{name.__class__.__mro__}}", ""),
        ("{{}}", ""),
    ],
)
def test_names_are_put_in(text: str, rendered: str) -> None:
    assert render(text, lookup) == rendered


@pytest.mark.parametrize(
    "text",
    [
        "{{1+1}}",
        "{{name.upper()}}",
        "{{ ''.__class__.__mro__[1] }}",
        "{{name|upper}}",
        "{{name[0]}}",
        "{{a.b.c}}",
        "{% for x in y %}",
        "${7*7}",
        "<%= 1 %>",
        "{{name",
        "{{}}",
        "{{__import__('os').system('id')}}",
    ],
)
def test_what_would_run_code_is_refused_with_a_sentence(text: str) -> None:
    faults = list(template_faults(text))
    assert faults
    assert all(fault.endswith((".", "here.")) for fault in faults)


@pytest.mark.parametrize("text", ["您好", "{{name}}", "{{ 订单号 }}", "{{{{", "100% {x}", "a}}b"])
def test_plain_templates_are_taken(text: str) -> None:
    assert list(template_faults(text)) == []


def test_names_are_told() -> None:
    assert list(names("{{a}} {{ b.c }} {{{{d}} {{e()}}")) == ["a", "b.c"]


def test_rendering_is_bounded() -> None:
    assert len(render("{{x}}" * 100, lambda _: "y" * 1_000)) == MAX_RENDERED_CHARS


def test_an_escaped_text_means_itself() -> None:
    for text in ("{{name}}", "{{{{", "a {{ b"):
        assert render(escape(text), lookup) == text


def test_in_an_address_a_value_stays_a_value() -> None:
    url = render_url("https://a.example/{{v}}?q={{v}}", lambda _: "../x?y=1&z#@")
    assert url == f"https://a.example/{'..%2Fx%3Fy%3D1%26z%23%40'}?q={'..%2Fx%3Fy%3D1%26z%23%40'}"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/",
        "javascript:alert(1)",
        "/orders",
        "https://{{host}}/",
        "https://a.example{{path}}",
        "https://{{user}}@a.example/",
        "https://a.example:{{port}}/",
        "https://a.example/{{a+b}}",
        "https://[::1/",
    ],
)
def test_an_address_of_another_sort_is_refused(url: str) -> None:
    assert list(url_faults(url))


def test_an_address_with_values_after_its_host_is_taken() -> None:
    assert list(url_faults("https://a.example/{{no}}?q={{text}}#{{x}}")) == []
    assert list(url_faults("http://a.example:8080")) == []


@pytest.mark.parametrize("value", ['a"b\\', "\n", 3, True, None, ["x"], 0.5, "{{name}}"])
def test_in_json_a_value_stays_a_value(value: Value | None) -> None:
    whole = json.loads(render_json('{"a": {{v}}, "b": "x{{v}}y"}', lambda _: value))
    assert whole == {"a": value, "b": f"x{shown(value)}y"}


def test_what_is_no_json_is_told() -> None:
    assert list(json_faults('{"a": {{v}}}')) == []
    assert list(json_faults("{a: 1}"))
    assert list(json_faults("[" * 100_000))


def test_what_is_filled_in_later_cannot_be_forged() -> None:
    text = mark("key") + str(unmarked(mark("other")))
    assert fill(text, {"key": "s3"}.__getitem__, "text") == "s3other"
    assert fill(f"?k={mark('key')}", lambda _: "a b", "url") == "?k=a%20b"
    assert json.loads(fill(f'{{"k": "{mark("key")}"}}', lambda _: '"', "json")) == {"k": '"'}
    assert unmarked([mark("a")]) == ["a"]
    assert unmarked(3) == 3
