"""A busy day of a hundred thousand visitors, who say two things each, as fast as one core takes it.

Through the whole product, as it comes, every worker on (`native/day.c`; server and generator have a
core each). People's day: a visitor connects, presses the button for a person and says the first
thing; an agent's connection, which follows the inbox, takes the conversation; the visitor says the
second thing and leaves; the agent, who has heard both, closes it. Five entries a visitor: two
texts, three changes of hands. Bot's day: a visitor asks a question that the sample shop knows,
waits for the local bot's answer, asks another, and leaves with its answer. Six entries: questions,
answers, and what the flow did. A day is over with the last visitor; how far the agents' list and
the hourly sums are behind then is `…_list_s`. A visitor's browser holds its token: `token_http_ms`
is what the first one costs over HTTP, one after the other.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.gateway_cost import compiled, cpu_s, pin
from bench.native.generator import FIRST, lasting_ticket, ran
from bench.native.witness import is_in_order, lasts, rss_bytes
from bench.run import Goal, median
from qingniao.auth import KeyRing, Signer
from qingniao.client import Client
from qingniao.clock import wall_ms
from qingniao.errors import StartError
from qingniao.protocol.frames import DownFrame, Entry, EntryType
from qingniao.replay.house import Api, OwnServer

__all__ = ["GOALS", "measure"]

GOALS: Final = {
    "people_day_s": Goal("<=", 60),
    "lost": Goal("<=", 0),
    "repeated": Goal("<=", 0),
}

SETTINGS: Final = {
    "QINGNIAO_LOG_LEVEL": "error",
    "QINGNIAO_API_VISITORS_PER_MINUTE": "1000000",
    # Ten connections stand for the agents of a large house: no person types that fast.
    "QINGNIAO_WIRE_AGENT_RATE": "1000000",
    "QINGNIAO_GATEWAY_FRAMES": "1000000",
}
_DAY: Final = 100_000
_AGENTS: Final = 10
_AT_ONCE: Final = {"people": 1_000, "bot": 200}
"""Visitors who are there at the same time. How long an answer takes is little else than this number
over the answers a second: the loop is closed."""
_ENTRIES: Final = {"people": 5, "bot": 6}
_LIMIT_S: Final = 900
_LIST_S: Final = 120
_SETTLE_S: Final = 2.5
"""Longer than the sweeper's round."""
_TOKENS: Final = 500
_SAMPLE: Final = 20
_QUESTIONS: Final = Path(__file__).parents[1] / "tests" / "data" / "questions_shop.txt"
"""Wordings that are not in the knowledge base."""


def measure(quick: bool) -> Mapping[str, object]:
    """Both days, each on a server of its own. Fewer visitors than a day's are scaled up to it, and
    the result says so."""
    sizes = {"people": 4_000, "bot": 1_500} if quick else {"people": _DAY, "bot": _DAY}
    with tempfile.TemporaryDirectory(prefix="qingniao-bench-") as folder:
        return asyncio.run(_measure(Path(folder), sizes))


async def _measure(folder: Path, sizes: Mapping[str, int]) -> Mapping[str, object]:
    program = compiled(folder)
    people = await _day(program, folder, "people", sizes["people"])
    bot = await _day(program, folder, "bot", sizes["bot"])
    sums = {name: people.pop(name) + bot.pop(name) for name in ("lost", "repeated", "errors")}
    return {**people, **bot, **sums}


async def _day(program: Path, folder: Path, whose: str, visitors: int) -> dict[str, Any]:
    data = folder / whose
    async with OwnServer(SETTINGS, data) as server:
        if server.process is None:
            raise StartError("The server did not start.")
        pid, url = server.process.pid, server.url
        api = Api(url)
        await api.sign_in("admin", server.password, "bench-bench-7391")
        signer = Signer(KeyRing.open(data / "keys"))
        ticket = lasting_ticket(signer, await api.ticket())
        arguments: list[object] = [data.with_suffix(".people"), _AT_ONCE[whose], _LIMIT_S]
        await asyncio.to_thread(
            _write_people, data.with_suffix(".people"), signer, ticket, visitors
        )
        extra: dict[str, Any] = {}
        if whose == "bot":
            arguments.append(data.with_suffix(".questions"))
            extra["bot_questions"] = await _write_questions(api, data.with_suffix(".questions"))
        else:
            extra["token_http_ms"] = await _token_ms(api)
        pin(pid, 0)
        counts = await _settled(api)
        before, began = cpu_s(pid), time.perf_counter()
        port = int(url.rpartition(":")[2])
        run = await ran(program, "day", port, *arguments, seconds=_LIMIT_S)
        cpu_us = (cpu_s(pid) - before) / visitors * 1e6
        list_s = await _listed_after(api, counts, visitors, began + run["seconds"])
        rss_mb = rss_bytes(pid) / 1e6
        verdict = await _verdict(url, ticket, whose, visitors, run)
    scale = _DAY / visitors
    found = {
        "day_s": round(run["seconds"] * scale, 1),
        "visitors": visitors,
        "is_scaled_up": visitors != _DAY,
        "messages_per_s": round(run["said"] / run["seconds"]),
        "cpu_us_per_visitor": round(cpu_us),
        "list_s": list_s,
        "ack_p50_ms": run["ack_p50_us"] / 1000,
        "ack_p99_ms": run["ack_p99_us"] / 1000,
        "stay_p50_ms": run["stay_p50_us"] / 1000,
        "stay_p99_ms": run["stay_p99_us"] / 1000,
        "rss_mb": round(rss_mb),
    }
    kind = "delivered" if whose == "people" else "answer"
    field = "way" if whose == "people" else "answer"
    found |= {f"{kind}_p{p}_ms": run[f"{field}_p{p}_us"] / 1000 for p in (50, 99)}
    return {f"{whose}_{name}": value for name, value in found.items()} | extra | verdict


def _write_people(path: Path, signer: Signer, ticket: str, visitors: int) -> None:
    now_ms = wall_ms()
    with path.open("w") as file:
        file.writelines(f"a {ticket}\n" for _ in range(_AGENTS))
        for number in range(FIRST, FIRST + visitors):
            file.write(f"v {signer.visitor(f'day{number}', number, now_ms)[0]} {number}\n")


async def _token_ms(api: Api) -> float:
    """One visitor's first token over HTTP, on an idle server, with a connection of its own."""
    took = []
    for _ in range(_TOKENS):
        began = time.perf_counter()
        await api.visitor()
        took.append((time.perf_counter() - began) * 1000)
    return median(took)


async def _write_questions(api: Api, path: Path) -> int:
    """Those of the sample's questions that the bot answers, both as a first and as a second one."""
    lines = [line.split(maxsplit=1) for line in _QUESTIONS.read_text("utf-8").splitlines()]
    asked = [words[1] for words in lines if len(words) == 2 and words[0] not in ("#", "-")]
    random.Random(7).shuffle(asked)
    answered = [q for q in asked if await _is_answered_twice(api, q)]
    if not answered:
        raise StartError("The bot answers none of the sample's questions.")
    await asyncio.to_thread(path.write_text, "\n".join(answered) + "\n", "utf-8")
    return len(answered)


async def _is_answered_twice(api: Api, question: str) -> bool:
    heard: asyncio.Queue[Entry] = asyncio.Queue()

    def hear(frame: DownFrame) -> None:
        if isinstance(frame, Entry) and frame.type in (EntryType.ANSWER, EntryType.STATUS):
            heard.put_nowait(frame)

    token, conversation = await api.visitor()
    async with Client(api.url, token=token, on_frame=hear) as client, asyncio.timeout(30):
        await client.ready()
        for _ in range(2):
            await client.send(conversation, question)
            entry = await heard.get()
            body = entry.body if isinstance(entry.body, dict) else {}
            if entry.type != EntryType.ANSWER or not body.get("cites"):
                return False
    return heard.empty()


async def _counts(api: Api) -> dict[str, int]:
    """Rows of the agents' list: all, and those that people have or are to have. Between the two of
    these a row may move: whose agent is gone for long goes back to the queue."""
    counts = (await api.call("GET", "/conversations?view=all&limit=1"))["counts"]
    return {"all": counts["all"], "people": counts["mine"] + counts["waiting"]}


async def _settled(api: Api) -> dict[str, int]:
    """The same once what was asked before the day is in its place, with an agent or in the list."""
    last: dict[str, int] = {}
    while last != (now := await _counts(api)):
        last = now
        await asyncio.sleep(_SETTLE_S)
    return last


async def _listed_after(api: Api, before: Mapping[str, int], visitors: int, ended: float) -> float:
    """Seconds after the day until the agents' list holds everybody, and as they left it."""
    wanted = {**before, "all": before["all"] + visitors}
    while (late_s := time.perf_counter() - ended) < _LIST_S and await _counts(api) != wanted:
        await asyncio.sleep(0.2)
    return round(max(0.0, late_s), 1)


async def _verdict(
    url: str, ticket: str, whose: str, visitors: int, run: Mapping[str, int]
) -> dict[str, int]:
    """Two messages of everybody, stored once; in the log nothing but what the day is made of."""
    numbers = range(FIRST, FIRST + visitors)
    ends = await lasts(url, ticket, numbers)
    short = sum(max(0, _ENTRIES[whose] - last) for last in ends.values())
    long = sum(max(0, last - _ENTRIES[whose]) for last in ends.values())
    unsaid = 2 * visitors - run["said"] + visitors - run["visited"]
    if whose == "bot":
        unsaid += 2 * visitors - run["answered"]
    else:
        sample: Sequence[int] = numbers[:: max(1, visitors // _SAMPLE)]
        unsaid += len([n for n in sample if not await is_in_order(url, ticket, n)])
    return {
        "lost": run["missing"] + run["skipped"] + short + unsaid,
        "repeated": run["repeated"] + long,
        "errors": run["errors"] + run["dropped"] + run["byes"],
    }
