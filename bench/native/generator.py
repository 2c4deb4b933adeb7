"""The C program as a process of a bench: who talks in it, what it is told, what it answers.

Owns the process and the line of JSON that each command is answered by; refuses to judge a figure.
Rule: the generator has a core of its own, the last one, unless a bench says that there is none to
spare; and whatever happens, it is ended.
"""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

from bench.gateway_cost import pin

from qingniao.auth import Signer
from qingniao.clock import wall_ms
from qingniao.errors import StartError

__all__ = ["FIRST", "Bare", "Talk", "bare_parties", "lasting_ticket", "parties", "ran"]

FIRST: Final = 1_000_000
"""Conversations of minted tokens are numbered from here: far from those that the server gives."""
_LASTING_MS: Final = 3_600_000
_GRACE_S: Final = 30.0


def lasting_ticket(signer: Signer, ticket: str) -> str:
    """The same claim for an hour. An agent's browser asks for a new ticket before every
    connection; the generator speaks no HTTP."""
    claim = signer.read_ticket(ticket, wall_ms())
    return signer.ticket(claim.user, claim.session, wall_ms() + _LASTING_MS)[0]


def parties(
    signer: Signer, ticket: str, visitors: int, agents: int, first: int = FIRST, silent: int = 0
) -> str:
    """That many visitors, numbered from `first`, evenly among the agents' connections, and `silent`
    more who only are there, as `parties.h` reads them."""
    now_ms = wall_ms()
    numbers = range(first, first + visitors)
    lines = [f"v {signer.visitor(f'load{n}', n, now_ms)[0]} {n}" for n in numbers]
    others = range(first + visitors, first + visitors + silent)
    lines += [f"i {signer.visitor(f'load{n}', n, now_ms)[0]}" for n in others]
    per_agent = -(-visitors // max(1, agents))
    for start in range(0, visitors, max(1, per_agent)):
        lines.append(f"a {ticket} {' '.join(map(str, numbers[start : start + per_agent]))}")
    return "\n".join(lines) + "\n"


def bare_parties(pairs: int) -> str:
    """Pairs for the bare server, whose tokens are numbers of conversations."""
    return "".join(f"t {n} {n}\na {n} {n}\n" for n in range(1, pairs + 1))


class Bare:
    """`chat_load serve` on a free port and the server's core: `async with` gives the port."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self.process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> int:
        self.process = await asyncio.create_subprocess_exec(
            str(self._program), "serve", "0", stdout=asyncio.subprocess.PIPE
        )
        if self.process.stdout is None:
            raise StartError("The bare server cannot be read.")
        pin(self.process.pid, 0)
        async with asyncio.timeout(_GRACE_S):
            return int(await self.process.stdout.readline())

    async def __aexit__(self, *_: object) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


class Talk:
    """`chat_load talk` with one server, or several in turn: `async with` starts and ends it."""

    def __init__(
        self, program: Path, port: int | Sequence[int], people: Path, *, is_held: bool = True
    ) -> None:
        """`is_held`: on the last core."""
        ports = [port] if isinstance(port, int) else port
        where = ",".join(map(str, ports))
        self._arguments: Sequence[str] = (str(program), "talk", where, str(people))
        self._is_held = is_held
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 20,
        )  # fmt: skip
        if self._is_held:
            pin(self._process.pid, max(os.sched_getaffinity(0)))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def tell(self, command: str) -> None:
        """Something that is not answered."""
        if self._process is None or self._process.stdin is None:
            raise StartError("The load does not run.")
        self._process.stdin.write(f"{command}\n".encode())

    async def ask(self, command: str, seconds: float) -> dict[str, Any]:
        """A command that takes up to `seconds`, which it is given last, and its answer."""
        self.tell(f"{command} {seconds:g}")
        return await self.answer(seconds)

    async def answer(self, seconds: float) -> dict[str, Any]:
        """The answer to what was told before."""
        if self._process is None or self._process.stdout is None:
            raise StartError("The load does not run.")
        async with asyncio.timeout(seconds + _GRACE_S):
            line = await self._process.stdout.readline()
        if not line:
            raise StartError("The load ended too soon.")
        return dict(json.loads(line))


async def ran(program: Path, *arguments: object, seconds: float) -> dict[str, Any]:
    """A mode that ends by itself, and the JSON that it prints last."""
    process = await asyncio.create_subprocess_exec(
        str(program), *map(str, arguments), stdout=asyncio.subprocess.PIPE
    )
    pin(process.pid, max(os.sched_getaffinity(0)))
    try:
        async with asyncio.timeout(seconds + _GRACE_S):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if not printed:
        raise StartError("The load printed nothing.")
    return dict(json.loads(printed.splitlines()[-1]))
