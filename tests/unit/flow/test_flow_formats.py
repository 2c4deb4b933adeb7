"""Drawings of other versions: older ones mean what they meant, newer ones are refused."""

import msgspec
import pytest

from qingniao.flow import samples
from qingniao.flow.engine import step
from qingniao.flow.events import VisitorSaid
from qingniao.flow.formats import FORMAT, FlowFromNewer
from qingniao.flow.graph import convert, decode
from qingniao.flow.plan import prepare
from qingniao.flow.state import FlowState

OLD = {
    "id": "f",
    "fallback": {"zh-CN": "抱歉"},
    "nodes": [
        {"id": "start", "kind": "start"},
        {"id": "hi", "kind": "say", "settings": {"text": {"zh-CN": "{{name}} 是什么"}}},
    ],
    "edges": [{"source": "start", "port": "asked", "target": "hi"}],
}


def said(document: object) -> str:
    _, effects = step(prepare(convert(document)), FlowState(), VisitorSaid(text="好"))
    return str(effects[-1].text)  # type: ignore[union-attr]


def test_a_text_of_format_1_says_what_it_said() -> None:
    assert said(OLD) == "{{name}} 是什么"
    assert said({**OLD, "format": 1}) == "{{name}} 是什么"


def test_a_text_of_format_2_is_a_template() -> None:
    assert said({**OLD, "format": 2}) == " 是什么"


def test_what_was_brought_up_to_date_is_written_in_todays_format() -> None:
    flow = convert(OLD)
    assert flow.format == FORMAT
    assert decode(msgspec.json.encode(flow)) == flow


def test_a_flow_of_a_newer_version_is_refused_with_a_sentence() -> None:
    with pytest.raises(FlowFromNewer, match=f"format {FORMAT + 1}.*reads up to {FORMAT}"):
        convert({**OLD, "format": FORMAT + 1})


@pytest.mark.parametrize("form", ["2", 0, -1, True, 1.5, None])
def test_a_format_that_is_none_is_a_fault_of_the_document(form: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        convert({**OLD, "format": form, "nodes": 3})


@pytest.mark.parametrize("document", [None, [], "flow", 3, {"nodes": [1]}, {"id": 1}])
def test_what_is_no_flow_is_refused(document: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        convert(document)


def test_a_document_nested_without_end_is_refused() -> None:
    deep = b'{"id": "f", "fallback": {}, "nodes": ' + b"[" * 200_000
    with pytest.raises(msgspec.DecodeError):
        decode(deep)


def test_settings_nested_without_end_are_refused() -> None:
    deep: object = "x"
    for _ in range(5_000):
        deep = [deep]
    nodes = [{"id": "start", "kind": "start", "settings": {"x": deep}}]
    with pytest.raises(msgspec.ValidationError, match="too deeply"):
        convert({"id": "f", "fallback": {}, "nodes": nodes})


def test_the_samples_are_brought_up_to_date() -> None:
    assert samples.read(samples.AFTER_SALES).format == FORMAT
