"""The C generator against the C server: what it counts is what happened, and nothing is made up."""

import asyncio
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from needs import need

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

from bench.gateway_cost import compiled  # noqa: E402  the benches are not part of the package
from bench.gateway_overload import recovered_s  # noqa: E402
from bench.native.generator import (  # noqa: E402
    FIRST,
    Bare,
    Talk,
    bare_parties,
    lasting_ticket,
    parties,
)

from qingniao.auth import KeyRing, Signer  # noqa: E402
from qingniao.clock import wall_ms  # noqa: E402

PAIRS = 20


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need(bool(shutil.which("cc") or shutil.which("gcc")), "The generator takes a C compiler.")
    return compiled(tmp_path_factory.mktemp("native"))


@pytest.fixture
async def bare(program: Path) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """The bare server's port and process."""
    server = Bare(program)
    async with server as port:
        assert server.process is not None
        yield port, server.process


def people_of(folder: Path, text: str) -> Path:
    path = folder / "parties"
    path.write_text(text)
    return path


def test_the_c_sources_have_no_warnings_and_no_long_file() -> None:
    sources = sorted((ROOT / "bench" / "native").glob("*.[ch]"))
    for source in sources:
        assert len(source.read_text().splitlines()) <= 300, source.name
    compiler = shutil.which("cc") or "gcc"
    checked = subprocess.run(
        [compiler, "-Wall", "-Wextra", "-Werror", "-O2", "-fsyntax-only"]
        + [str(source) for source in sources if source.suffix == ".c"],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr


async def test_all_that_is_offered_is_acked_and_heard_once(
    program: Path, bare: tuple[int, asyncio.subprocess.Process], tmp_path: Path
) -> None:
    async with Talk(program, bare[0], people_of(tmp_path, bare_parties(PAIRS))) as talk:
        assert (await talk.ask("prepare", 10))["prepared"] == PAIRS
        closed = await talk.ask("closed 4", 0.2)
        talk.tell("pace 2000")
        paced = await talk.ask("measure", 0.5)
        totals = await talk.ask("drain", 10)
    assert closed["acked"] > 0 and paced["offered"] > 0
    # Each side says its first words in the preparation; the rest was offered.
    assert totals["acked"] == totals["delivered"] == totals["offered"] + 2 * PAIRS
    assert totals["sends"] == totals["acked"] and totals["repeats"] == 0
    assert totals["shed"] == totals["missing"] == totals["repeated"] == totals["unacked"] == 0


async def test_what_does_not_fit_the_backlog_is_shed_before_it_has_a_number(
    program: Path, bare: tuple[int, asyncio.subprocess.Process], tmp_path: Path
) -> None:
    port, process = bare
    async with Talk(program, port, people_of(tmp_path, bare_parties(PAIRS))) as talk:
        await talk.ask("prepare", 10)
        talk.tell("backlog 40")
        process.send_signal(signal.SIGSTOP)
        talk.tell("pace 40000")
        stuck = await talk.ask("measure", 0.3)
        process.send_signal(signal.SIGCONT)
        totals = await talk.ask("drain", 10)
    assert stuck["acked"] == 0 and stuck["shed"] > 0
    assert totals["offered"] - totals["shed"] == totals["acked"] - 2 * PAIRS
    assert totals["unacked"] == totals["missing"] == totals["repeated"] == 0


async def test_clients_come_back_from_a_cut_and_notice_what_the_server_forgot(
    program: Path, bare: tuple[int, asyncio.subprocess.Process], tmp_path: Path
) -> None:
    port, process = bare
    async with Talk(program, port, people_of(tmp_path, bare_parties(PAIRS))) as talk:
        await talk.ask("prepare", 10)
        cut = await talk.ask("cut", 20)
        quiet = await talk.ask("drain", 10)
        # The bare server stores nothing: what one side says while the other is away is gone.
        process.send_signal(signal.SIGSTOP)
        talk.tell("pace 20000")
        await talk.ask("measure", 0.2)
        talk.tell("pace 0")
        talk.tell("cut 20")
        process.send_signal(signal.SIGCONT)
        again = await talk.answer(20)
        totals = await talk.ask("drain", 2)
    assert cut["returned"] == again["returned"] == 2 * PAIRS
    assert quiet["missing"] == 0
    assert totals["repeats"] > 0, "what was unacked goes out again"
    assert totals["missing"] > 0, "a loss that is not noticed would make every verdict worthless"


async def test_clients_take_turns_among_servers_and_the_silent_are_there(
    program: Path, bare: tuple[int, asyncio.subprocess.Process], tmp_path: Path
) -> None:
    people = people_of(tmp_path, "".join(f"i {n}\n" for n in range(PAIRS * 2)))
    async with Bare(program) as other, Talk(program, (bare[0], other), people) as talk:
        talk.tell("ramp 1000")
        ready = await talk.ask("prepare", 10)
        bare[1].send_signal(signal.SIGKILL)
        talk.tell("pace 1000 1")  # there is nobody to say anything
        await talk.ask("measure", 0.3)
        totals = await talk.ask("drain", 5)
    assert ready["connects"] == PAIRS * 2 and totals["dropped"] == PAIRS
    assert totals["offered"] == totals["sends"] == totals["errors"] == 0


async def test_one_way_is_from_visitors_to_agents(
    program: Path, bare: tuple[int, asyncio.subprocess.Process], tmp_path: Path
) -> None:
    people = people_of(tmp_path, bare_parties(PAIRS))
    async with Talk(program, bare[0], people, is_held=False) as talk:
        await talk.ask("prepare", 10)
        talk.tell("pace 3000 1")
        paced = await talk.ask("measure", 0.5)
        talk.tell("pace 0")
        quiet = await talk.ask("measure", 0.1)
        totals = await talk.ask("drain", 10)
    assert paced["acked"] > 0 and quiet["offered"] == 0
    assert 0 < paced["way_p50_us"] <= paced["way_p99_us"] <= paced["way_p999_us"]
    assert totals["acked"] == totals["delivered"] and totals["missing"] == 0


def test_everybody_has_a_line_and_agents_share_the_conversations(tmp_path: Path) -> None:
    signer = Signer(KeyRing.open(tmp_path / "keys"))
    ticket = lasting_ticket(signer, signer.ticket(3, "session", wall_ms())[0])
    lines = [line.split() for line in parties(signer, ticket, 7, 3).splitlines()]
    visitors = [words for words in lines if words[0] == "v"]
    agents = [words for words in lines if words[0] == "a"]
    numbers = [FIRST + n for n in range(7)]
    assert [int(words[2]) for words in visitors] == numbers
    assert [signer.read_visitor(w[1], wall_ms()).conversation for w in visitors] == numbers
    assert [int(number) for words in agents for number in words[2:]] == numbers
    apart = parties(signer, ticket, 2, 1, silent=3, first=50).splitlines()
    assert [line[0] for line in apart] == list("vviiia")
    silent = [signer.read_visitor(line.split()[1], wall_ms()) for line in apart[2:5]]
    assert [claim.conversation for claim in silent] == [52, 53, 54]
    claim = signer.read_ticket(agents[0][1], wall_ms() + 1_800_000)
    assert (claim.user, claim.session) == (3, "session")


def test_recovered_is_when_it_is_normal_and_stays_so() -> None:
    bad, good = [10, 900_000], [10, 40_000]
    assert recovered_s([good] * 20, 1_000) == 0.1
    assert recovered_s([bad] * 7 + [good] * 20, 1_000) == 0.8
    assert recovered_s([bad, good, good, bad] + [good] * 20, 1_000) == 0.5
    assert recovered_s([[10, 90_000]] * 20, 45_000) == 0.1, "twice the calm value is normal"
    assert recovered_s([bad] * 20, 1_000) > 2
    assert recovered_s([[0, 0]] * 20, 1_000) > 2, "nothing acked is not normal"
