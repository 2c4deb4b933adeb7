"""What is printed and what is scraped: fields, no personal data, plain numbers."""

import json
import logging
import re
from collections.abc import Callable, Iterator

import pytest

from qingniao.log import get_logger, set_up_logging
from qingniao.metrics import Histogram, Metrics

Printed = Callable[[], str]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Iterator[Printed]:
    """What went to standard error since the last look; logging is put back afterwards."""
    root = logging.getLogger()
    names = ("", "qingniao", "picows", "uvicorn")
    handlers, levels = root.handlers[:], {name: logging.getLogger(name).level for name in names}
    yield lambda: capsys.readouterr().err
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_line_for_people_has_level_room_event_and_fields(printed: Printed) -> None:
    set_up_logging("info", "text")
    get_logger("gateway").info("closed", code=3008, sender="v")
    line = printed()
    assert " info " in line
    assert "gateway" in line
    assert line.rstrip().endswith("closed code=3008 sender=v")


def test_line_for_machines_is_json(printed: Printed) -> None:
    set_up_logging("info", "json")
    get_logger("gateway").warning("closed", code=3008, text="慢\n了")
    line = json.loads(printed())
    assert (line["level"], line["room"], line["event"]) == ("warning", "gateway", "closed")
    assert (line["code"], line["text"]) == (3008, "慢\n了")


@pytest.mark.parametrize("form", ["text", "json"])
def test_personal_data_is_left_out_unless_debugging(printed: Printed, form: str) -> None:
    set_up_logging("info", form)
    get_logger("ai").error("bot_failed", bot=3, pii={"text": "我的电话是"})
    assert "电话" not in printed()
    set_up_logging("debug", form)
    get_logger("ai").debug("bot_failed", bot=3, pii={"text": "我的电话是"})
    assert "电话" in printed()


def test_what_is_below_the_level_is_not_printed(printed: Printed) -> None:
    set_up_logging("warning", "text")
    get_logger("ai").info("unimportant")
    assert printed() == ""


def test_error_carries_its_cause(printed: Printed) -> None:
    set_up_logging("info", "text")
    try:
        raise ValueError("why")
    except ValueError as exc:
        get_logger("ai").error("broke", exc=exc)
    said = printed()
    assert "error=ValueError('why')" in said
    assert "Traceback" in said


def test_field_cannot_forge_a_line_of_its_own(printed: Printed) -> None:
    set_up_logging("info", "text")
    get_logger("ai").info("named", name="x\n2026-01-01T00:00:00 error   ai forged")
    assert len(printed().splitlines()) == 1


def test_scrape_asks_every_source_for_its_numbers() -> None:
    metrics, count = Metrics(), 3
    metrics.add(lambda: [("gauge", "connections", "Open.", 2)])
    metrics.add(lambda: [("counter", "slow_closed", "Closed.", count)])
    assert b"qingniao_connections 2.0" in metrics.render()
    assert b"# TYPE qingniao_slow_closed_total counter" in metrics.render()
    count = 4
    assert b"qingniao_slow_closed_total 4.0" in metrics.render()


def test_histogram_is_scraped_with_its_buckets() -> None:
    metrics, seen = Metrics(), Histogram(1, 2.5, 10)
    for value in (0.5, 1, 2, 100):
        seen.observe(value)
    metrics.add(lambda: [("histogram", "commit_ms", "Time.", seen)])
    page = metrics.render().decode()
    assert "# TYPE qingniao_commit_ms histogram" in page
    counts = re.findall(r'^qingniao_commit_ms_bucket{le="(.*)"} (.*)$', page, re.M)
    assert counts == [("1", "2.0"), ("2.5", "3.0"), ("10", "3.0"), ("+Inf", "4.0")]
    assert "qingniao_commit_ms_count 4.0" in page and "qingniao_commit_ms_sum 103.5" in page


@pytest.mark.parametrize("bounds", [(), (2, 1), (1, 1)])
def test_bounds_of_a_histogram_ascend(bounds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        Histogram(*bounds)
