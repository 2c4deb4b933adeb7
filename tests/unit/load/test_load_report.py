"""A report says what was measured, and when the figures are not the server's."""

from qingniao.load.meter import Tally
from qingniao.load.plan import Plan, check
from qingniao.load.report import Report, summarise, table

PLAN = check(Plan(connections=50, rate=100, duration_s=2), has_agents=True, cores=2)


def report(
    total: Tally, *, cpu: float = 0.1, talked_s: float = 2.0, stopped: bool = False
) -> Report:
    return summarise(
        PLAN, total, opened_s=1, talked_s=talked_s, cpu=(cpu,), is_stopped=stopped
    )  # fmt: skip


def chatted() -> Tally:
    total = Tally(connected=50)
    total.asks.sent = total.asks.acked = total.asks.delivered = 200
    for us in range(1_000, 201_000, 1_000):
        total.asks.delivery.record(us)
    return total


def test_a_clean_run_has_no_warnings() -> None:
    found = report(chatted())
    assert found.is_clean and found.warnings == ()
    assert found.messages_per_s == 100 and found.handshakes_per_s == 50
    assert found.asks.delivery.count == 200 and found.asks.delivery.max_ms == 200
    assert 100 <= found.asks.delivery.p50_ms <= 101
    assert "lost (must be 0)" in table(found)


def test_a_load_process_at_its_limit_is_named() -> None:
    said = report(chatted(), cpu=0.9).warnings
    assert len(said) == 1 and "90% of a core" in said[0] and "this tool's" in said[0]


def test_a_late_load_is_named() -> None:
    total = chatted()
    for _ in range(10):
        total.late.record(30_000)
    assert "30 ms late itself" in report(total).warnings[0]


def test_a_server_that_went_away_is_named_but_not_one_that_was_left() -> None:
    assert "lost after 0.5 s" in report(chatted(), talked_s=0.5).warnings[0]
    assert not report(chatted(), talked_s=0.5, stopped=True).warnings


def test_lost_repeated_and_dropped_are_not_clean() -> None:
    lost, repeated, dropped, unsent = chatted(), chatted(), chatted(), chatted()
    lost.asks.lost = 1
    repeated.answers.repeated = 1
    dropped.dropped["1006"] = 1
    unsent.asks.unsent = 1
    assert not any(report(total).is_clean for total in (lost, repeated, dropped))
    assert report(unsent).is_clean and "1 messages" in report(unsent).warnings[0]
    assert "1 with 1006" in table(report(dropped))
