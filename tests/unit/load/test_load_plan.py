"""A load's arguments are complete or refused by name, and its parts add up to the whole."""

import heapq
import itertools
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qingniao.errors import ConfigError
from qingniao.load.plan import (
    SAY,
    TICK_US,
    Plan,
    Shape,
    check,
    check_machine,
    divide,
    dues_us,
    ramp_us,
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    agents = draw(st.integers(0, 20))
    slow = draw(st.integers(0, 20))
    plan = Plan(
        connections=agents + slow + draw(st.integers(1, 200)),
        agents=agents,
        slow=slow,
        rate=draw(st.floats(1, 5_000)),
        duration_s=draw(st.floats(0.1, 3)),
        ramp_s=draw(st.floats(0, 10)),
        processes=draw(st.integers(1, 7)),
        shape=draw(st.sampled_from(["chat", "day"])),
    )
    return check(plan, has_agents=True, cores=2)


@given(plans())
def test_the_shares_add_up(plan: Plan) -> None:
    shares = divide(plan)
    assert sum(share.agents for share in shares) == plan.agents
    assert sum(share.slow for share in shares) == plan.slow
    assert sum(share.visitors for share in shares) == plan.visitors
    assert sum(share.arrivals for share in shares) == plan.arrivals
    # Who has visitors has somebody to answer them.
    assert all(share.agents for share in shares) or not plan.agents
    assert max(s.visitors for s in shares) - min(s.visitors for s in shares) <= 1


@given(plans())
@example(Plan(connections=1, agents=0, rate=14.0, duration_s=1.0, ramp_s=0.0, processes=1))
def test_together_the_processes_keep_one_even_schedule(plan: Plan) -> None:
    dues = list(heapq.merge(*(dues_us(plan, share) for share in divide(plan))))
    each = SAY if plan.shape == "day" else 1
    assert len(dues) * each == plan.messages
    assert abs(plan.messages - plan.rate * plan.duration_s) <= each
    for number, due_us in enumerate(dues):
        wanted_us = number * each * 1e6 / plan.rate
        assert due_us % TICK_US == 0 and wanted_us <= due_us + 1 and due_us < wanted_us + TICK_US


@given(plans())
def test_connections_come_up_evenly_within_the_ramp(plan: Plan) -> None:
    dues = list(heapq.merge(*(ramp_us(plan, share) for share in divide(plan))))
    assert len(dues) == plan.visitors
    assert all(0 <= due_us <= (plan.ramp_s or 0) * 1e6 for due_us in dues)
    gaps = [later - sooner for sooner, later in itertools.pairwise(dues)]
    assert not gaps or max(gaps) - min(gaps) <= 2


def test_an_idle_load_says_nothing() -> None:
    plan = check(Plan(shape="idle"), has_agents=True, cores=1)
    assert plan.messages == 0 and plan.agents == 0
    assert not list(dues_us(plan, divide(plan)[0]))


@pytest.mark.parametrize(("shape", "agents"), [("chat", 10), ("day", 0), ("idle", 0)])
def test_chatting_needs_agents_and_gets_them(shape: Shape, agents: int) -> None:
    assert check(Plan(shape=shape), has_agents=True, cores=4).agents == agents
    assert check(Plan(shape=shape), has_agents=False, cores=4).agents == 0


def test_processes_leave_a_core_and_have_an_agent_each() -> None:
    assert check(Plan(), has_agents=True, cores=4).processes == 3
    assert check(Plan(), has_agents=True, cores=1).processes == 1
    assert check(Plan(agents=2, processes=8), has_agents=True, cores=1).processes == 2


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Plan(connections=0), "--connections must be at least 1, got 0"),
        (Plan(rate=0), "--rate must be at least 0.01, got 0"),
        (Plan(rate=math.inf), "--rate"),
        (Plan(duration_s=-1), "--duration"),
        (Plan(ramp_s=math.nan), "--ramp"),
        (Plan(slow=-1), "--slow"),
        (Plan(answers=1.5), "--answers is a share from 0 to 1, got 1.5"),
        (Plan(text_bytes=5), "--text-bytes must be from 24"),
        (Plan(connections=9, agents=5, slow=4), "leaves no visitor beside 5 agents"),
        (Plan(shape="idle", agents=1), "nothing to do in the shape idle"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(plan: Plan, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check(plan, has_agents=True, cores=2)


def test_agents_need_an_account() -> None:
    with pytest.raises(ConfigError, match="--login and --password"):
        check(Plan(agents=3), has_agents=False, cores=2)


def test_what_the_machine_does_not_allow_is_said_with_a_remedy() -> None:
    plan = check(Plan(connections=10_000, processes=2), has_agents=True, cores=3)
    check_machine(plan, files=6_000, own_server=False, ports=28_000)
    with pytest.raises(ConfigError, match=r"10000 .* need 10064 open files and 6000 .*ulimit -n"):
        check_machine(plan, files=6_000, own_server=True, ports=28_000)
    with pytest.raises(ConfigError, match="more --processes"):
        check_machine(plan, files=4_000, own_server=False, ports=28_000)
    with pytest.raises(ConfigError, match="--source"):
        check_machine(plan, files=20_000, own_server=False, ports=5_000)
