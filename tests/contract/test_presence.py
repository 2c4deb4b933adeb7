"""`bus.base.Presence`: somebody is online while at least one connection is up."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingniao.bus.base import Presence
from qingniao.bus.memory import MemoryPresence

ENGINES: dict[str, Callable[[], Presence]] = {"memory": MemoryPresence}


@pytest.fixture(params=ENGINES)
def presence(request: pytest.FixtureRequest) -> Presence:
    return ENGINES[request.param]()


def test_first_and_last_connection_are_told_apart(presence: Presence) -> None:
    assert presence.enter("v:1")
    assert not presence.enter("v:1")
    assert not presence.leave("v:1")
    assert presence.is_here("v:1")
    assert presence.leave("v:1")
    assert not presence.is_here("v:1")


def test_people_are_found_by_prefix(presence: Presence) -> None:
    for who in ("v:1", "a:1", "a:2"):
        presence.enter(who)
    presence.leave("a:2")
    assert presence.online("a:") == ["a:1"]
    assert presence.online("v:") == ["v:1"]


def test_leaving_without_having_entered_changes_nothing(presence: Presence) -> None:
    presence.leave("v:1")
    assert not presence.is_here("v:1")
    assert presence.enter("v:1")
    assert presence.is_here("v:1")


@pytest.mark.parametrize("engine", ENGINES)
@given(st.lists(st.tuples(st.sampled_from(["v:1", "v:2", "a:1"]), st.booleans())))
def test_online_is_what_a_count_says(engine: str, steps: list[tuple[str, bool]]) -> None:
    presence, counts = ENGINES[engine](), dict.fromkeys(["v:1", "v:2", "a:1"], 0)
    for who, enters in steps:
        if enters:
            assert presence.enter(who) == (counts[who] == 0)
            counts[who] += 1
        elif counts[who]:
            counts[who] -= 1
            assert presence.leave(who) == (counts[who] == 0)
        assert {one for one, count in counts.items() if count} == set(presence.online(""))
