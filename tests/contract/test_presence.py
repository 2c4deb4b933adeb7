"""`bus.base.Presence`: somebody is online while at least one connection is up, anywhere."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from bus_processes import Join, processes
from gateway_house import DEADLINE_S
from hypothesis import given
from hypothesis import strategies as st

from qingniao.bus.base import Presence
from qingniao.bus.memory import MemoryPresence

PEOPLE = ["v:1", "v:2", "a:1"]


async def becomes(presence: Presence, online: set[str], asked: list[str] = PEOPLE) -> None:
    """Wait until these of those asked for are online."""
    async with asyncio.timeout(DEADLINE_S):
        while await presence.online(asked) != online:
            await asyncio.sleep(0.01)


async def test_first_and_last_connection_are_told_apart(join: Join) -> None:
    presence = (await join()).presence
    assert presence.enter("v:1")
    assert not presence.enter("v:1")
    assert not presence.leave("v:1")
    assert await presence.online(["v:1"]) == {"v:1"}
    assert presence.leave("v:1")
    assert await presence.online(["v:1"]) == set()


async def test_many_are_asked_for_at_once(join: Join) -> None:
    presence = (await join()).presence
    for who in ("v:1", "a:1", "a:2"):
        presence.enter(who)
    presence.leave("a:2")
    assert await presence.online(["v:1", "v:9", "a:1", "a:2"]) == {"v:1", "a:1"}
    assert await presence.online([]) == set()


async def test_leaving_without_having_entered_changes_nothing(join: Join) -> None:
    presence = (await join()).presence
    presence.leave("v:1")
    assert await presence.online(["v:1"]) == set()
    assert presence.enter("v:1")
    assert await presence.online(["v:1"]) == {"v:1"}


async def test_who_is_with_another_process_is_online(join: Join) -> None:
    here, there = (await join()).presence, (await join()).presence
    there.enter("v:1")
    await becomes(here, {"v:1"})
    here.enter("a:1")
    await becomes(there, {"v:1", "a:1"})
    there.leave("v:1")
    await becomes(here, {"a:1"})


async def test_one_tab_in_each_of_two_processes(join: Join) -> None:
    here, there = (await join()).presence, (await join()).presence
    here.enter("a:1")
    there.enter("a:1")
    await becomes(here, {"a:1"})
    there.enter("v:2")  # whoever sees this one sees what was said before as well
    await becomes(here, {"a:1", "v:2"})
    here.leave("a:1")
    assert await here.online(["a:1"]) == {"a:1"}
    there.leave("a:1")
    await becomes(here, {"v:2"})


async def test_who_was_with_a_process_that_ended_is_gone(redis_standalone: Any) -> None:
    async with AsyncExitStack() as stack, AsyncExitStack() as ends:
        here = await processes(redis_standalone, stack)()
        there = await processes(redis_standalone, ends)()
        there.presence.enter("v:1")
        await ends.aclose()
        await becomes(here.presence, set())


@given(st.lists(st.tuples(st.sampled_from(PEOPLE), st.booleans())))
def test_online_is_what_a_count_says(steps: list[tuple[str, bool]]) -> None:
    presence, counts = MemoryPresence(), dict.fromkeys(PEOPLE, 0)
    for who, enters in steps:
        if enters:
            assert presence.enter(who) == (counts[who] == 0)
            counts[who] += 1
        elif counts[who]:
            counts[who] -= 1
            assert presence.leave(who) == (counts[who] == 0)
        assert {one for one, count in counts.items() if count} == set(presence.all_here())
