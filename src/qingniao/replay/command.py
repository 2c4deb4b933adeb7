"""`qingniao replay`: the run itself, its progress bar and its table."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from qingniao.errors import ConfigError
from qingniao.replay.dialogues import read_dialogues
from qingniao.replay.house import Api, OwnServer
from qingniao.replay.people import Agent, Visitor, read_back
from qingniao.replay.report import Report, check, summarise

__all__ = ["Options", "Progress", "replay"]

_AT_ONCE: Final = 50
"""Connections opened, and conversations read back, at the same time."""
_QUEUE_S: Final = 120.0
_LIMITS: Final = {
    # All visitors come from one address here, which the limits are there to slow down.
    "QINGNIAO_API_VISITORS_PER_MINUTE": "1000000",
    "QINGNIAO_LOG_LEVEL": "warning",
}


class Options(Struct, frozen=True, kw_only=True):
    """What the command line says."""

    path: Path
    visitors: int = 100
    agents: int = 0
    url: str = ""
    login: str = "admin"
    password: str = ""
    drops: float = 0.0


class Progress:
    """Hears how far the run is; the base says nothing."""

    def phase(self, title: str, total: int) -> None:
        """A new part of the run begins."""

    def advance(self, done: int) -> None:
        """`done` of the phase's total are finished."""


async def replay(options: Options, progress: Progress) -> Report:
    """Drive the dialogues through a server and compare with its log. Raises `QingniaoError`."""
    recorded = await asyncio.to_thread(read_dialogues, options.path)
    if options.visitors < 1:
        raise ConfigError("--visitors must be at least 1.")
    dialogues = [recorded[n % len(recorded)] for n in range(options.visitors)]
    async with _server(options) as (api, password):
        progress.phase("visitors arrive", len(dialogues))
        visitors: list[Visitor] = []
        for dialogue in dialogues:
            token, conversation = await api.visitor()
            visitors.append(Visitor(api.url, token, conversation, dialogue))
            progress.advance(len(visitors))
        by_conversation = {visitor.conversation: visitor for visitor in visitors}
        agents = await _hire(api, options, password, by_conversation)
        async with contextlib.AsyncExitStack() as stack:
            for agent in agents:
                task = asyncio.create_task(agent.run())
                stack.push_async_callback(_end, task)
            started = time.perf_counter()
            await _talk(visitors, options, progress)
            if agents:
                await _empty_queue(visitors, agents, progress)
            took_s = time.perf_counter() - started
        checks = await _check(visitors, progress)
        return summarise(visitors, agents, checks, took_s)


@contextlib.asynccontextmanager
async def _server(options: Options) -> AsyncIterator[tuple[Api, str]]:
    if options.url:
        yield Api(options.url), options.password
        return
    async with OwnServer(_LIMITS) as server:
        yield Api(server.url), server.password


async def _hire(
    api: Api, options: Options, password: str, visitors: dict[int, Visitor]
) -> list[Agent]:
    if not options.agents:
        return []
    if not password:
        raise ConfigError("--agents needs an administrator: give --password for --url.")
    fresh = secrets.token_urlsafe(12)
    await api.sign_in(options.login, password, "" if options.url else fresh)
    agents = []
    for number in range(options.agents):
        login = f"replay-{secrets.token_hex(3)}"
        body = {"login": login, "name": f"坐席 {number + 1}", "role": "agent"}
        made = await api.call("POST", "/users", body)
        own = Api(api.url)
        await own.sign_in(login, made["password"], secrets.token_urlsafe(12))
        agents.append(Agent(own, int(made["user"]["id"]), visitors))
    return agents


async def _talk(visitors: list[Visitor], options: Options, progress: Progress) -> None:
    progress.phase("dialogues", len(visitors))
    done = 0

    async def one(visitor: Visitor, number: int) -> None:
        nonlocal done
        # Half a second per hundred: people arrive one after the other.
        await asyncio.sleep(number / 200)
        await visitor.run(drops=options.drops, people_come=options.agents > 0)
        done += 1
        progress.advance(done)

    async with asyncio.TaskGroup() as tasks:
        for number, visitor in enumerate(visitors):
            tasks.create_task(one(visitor, number))


async def _empty_queue(visitors: list[Visitor], agents: list[Agent], progress: Progress) -> None:
    """Let the agents finish whoever was handed over."""
    over = {visitor.conversation for visitor in visitors if visitor.was_handed_over}
    progress.phase("agents finish", len(over))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_QUEUE_S):
            while left := over.difference(*(agent.closed for agent in agents)):
                progress.advance(len(over) - len(left))
                await asyncio.sleep(0.2)
    progress.advance(len(over))


async def _check(visitors: list[Visitor], progress: Progress) -> list[tuple[int, int, list[str]]]:
    progress.phase("compare with the log", len(visitors))
    room = asyncio.Semaphore(_AT_ONCE)
    done = 0

    async def one(visitor: Visitor) -> tuple[int, int, list[str]]:
        nonlocal done
        async with room:
            found = check(visitor, await read_back(visitor))
        done += 1
        progress.advance(done)
        return found

    return list(await asyncio.gather(*(one(visitor) for visitor in visitors)))


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def as_json(report: Report) -> str:
    """For scripts."""
    return msgspec.json.encode(report).decode()
