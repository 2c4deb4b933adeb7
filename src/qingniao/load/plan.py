"""What a load is to be, and when each thing of it is due. Pure: no clock, no socket.

Owns the arguments' checks, the division among processes and the schedule. Rule: the schedule is an
open loop: it is fixed before the first message and nothing that the server does moves it.
"""

import math
from collections.abc import Iterator
from typing import Final, Literal

import msgspec
from msgspec import Struct

from qingniao.errors import ConfigError

__all__ = [
    "SAY",
    "SPARE_FILES",
    "TICK_US",
    "Plan",
    "Shape",
    "Share",
    "check",
    "check_machine",
    "divide",
    "dues_us",
    "ramp_us",
]

Shape = Literal["idle", "chat", "day"]

TICK_US: Final = 1_000
"""Messages that are due within the same millisecond leave together, at its end."""
SAY: Final = 2
"""Messages that each visitor of the shape `day` says before leaving."""
SPARE_FILES: Final = 64
"""Files that a process needs for other things than connections."""
_TEXT_BYTES: Final = (24, 12_000)
"""From a number to the longest text that is allowed: 4,000 characters of three bytes."""
_VISITORS_PER_AGENT: Final = 100
_CONNECTIONS_PER_S: Final = 1_000


class Plan(Struct, frozen=True, kw_only=True):
    """What the command line says, complete: `check` fills what was left out."""

    connections: int = 1_000
    """All of them at once: visitors, agents and slow readers."""
    agents: int | None = None
    slow: int = 0
    rate: float = 100.0
    """Messages that visitors say each second, all together."""
    duration_s: float = 10.0
    ramp_s: float | None = None
    processes: int = 0
    shape: Shape = "chat"
    answers: float = 0.5
    """Share of messages that the agent answers."""
    text_bytes: int = 120
    typing: bool = False
    """Say `typing` before every message."""
    slow_follows: int = 16
    """Conversations that each slow reader follows."""
    sources: tuple[str, ...] = ()
    """Local addresses to connect from, in turn."""

    @property
    def visitors(self) -> int:
        """Visitors at the same time."""
        return self.connections - (self.agents or 0) - self.slow

    @property
    def messages(self) -> int:
        """Messages that visitors are to say in the whole run."""
        if self.shape == "day":
            return self.arrivals * SAY
        return 0 if self.shape == "idle" else round(self.rate * self.duration_s)

    @property
    def arrivals(self) -> int:
        """Distinct visitors in the whole run."""
        if self.shape == "day":
            return math.ceil(self.rate * self.duration_s / SAY)
        return self.visitors


class Share(Struct, frozen=True, kw_only=True):
    """One process's part: its people, and every `of`-th message from `number` on."""

    number: int
    of: int
    visitors: int
    """At the same time."""
    arrivals: int
    """In the whole run."""
    agents: int
    slow: int


def check(plan: Plan, *, has_agents: bool, cores: int) -> Plan:
    """The plan with everything filled in. `has_agents`: is there an account that agents can use?
    Raises `ConfigError` with what is wrong and what to give instead."""
    _positive(plan)
    agents = plan.agents
    if agents is None:
        wanted = math.ceil((plan.connections - plan.slow) / (_VISITORS_PER_AGENT + 1))
        agents = wanted if has_agents and plan.shape == "chat" else 0
    if agents and not has_agents:
        raise ConfigError("--agents needs an account: give --login and --password for --url.")
    if agents and plan.shape == "idle":
        raise ConfigError("--agents has nothing to do in the shape idle.")
    if plan.connections - agents - plan.slow < 1:
        raise ConfigError(
            f"--connections {plan.connections} leaves no visitor beside {agents} agents and "
            f"{plan.slow} slow readers."
        )
    low, high = _TEXT_BYTES
    if not low <= plan.text_bytes <= high:
        raise ConfigError(f"--text-bytes must be from {low} to {high}, got {plan.text_bytes}.")
    if not 0 <= plan.answers <= 1:
        raise ConfigError(f"--answers is a share from 0 to 1, got {plan.answers:g}.")
    processes = plan.processes or max(1, cores - 1)
    # A conversation's two sides are in one process: it can match everything that was said.
    processes = min(processes, agents or processes, plan.connections - agents - plan.slow)
    ramp_s = plan.ramp_s
    if ramp_s is None:
        ramp_s = 0 if plan.shape == "day" else max(1.0, plan.connections / _CONNECTIONS_PER_S)
    return msgspec.structs.replace(plan, agents=agents, processes=processes, ramp_s=ramp_s)


def _positive(plan: Plan) -> None:
    for name, value, least in (
        ("--connections", plan.connections, 1),
        ("--agents", plan.agents or 0, 0),
        ("--slow", plan.slow, 0),
        ("--processes", plan.processes, 0),
        ("--ramp", plan.ramp_s or 0.0, 0),
        ("--duration", plan.duration_s, 0.1),
        ("--rate", plan.rate, 0.01),
    ):
        if not least <= value < math.inf:
            raise ConfigError(f"{name} must be at least {least:g}, got {value:g}.")


def check_machine(plan: Plan, *, files: int, own_server: bool, ports: int) -> None:
    """Does this machine let a process open so much? `files` is how many it may open, `ports` how
    many connections one local address can have to one server. Raises `ConfigError`."""
    most = max(share.visitors + share.agents + share.slow for share in divide(plan))
    if own_server:
        most = max(most, plan.connections)
    if most + SPARE_FILES > files:
        advice = "" if own_server else ", or divide them among more --processes"
        raise ConfigError(
            f"{most} connections in one process need {most + SPARE_FILES} open files and {files} "
            f"are allowed: raise the limit with `ulimit -n` (as root: LimitNOFILE){advice}."
        )
    if plan.connections > ports * max(1, len(plan.sources)):
        raise ConfigError(
            f"{plan.connections} connections to one server need more local addresses than "
            f"{max(1, len(plan.sources))}, each has {ports} ports: give --source "
            "127.0.0.1,127.0.0.2 and so on."
        )


def divide(plan: Plan) -> tuple[Share, ...]:
    """The processes' parts; none differs from another by more than one of each."""
    of = max(1, plan.processes)

    def part(whole: int, number: int) -> int:
        return (whole + of - 1 - number) // of

    return tuple(
        Share(
            number=number,
            of=of,
            visitors=part(plan.visitors, number),
            arrivals=part(plan.arrivals, number),
            agents=part(plan.agents or 0, number),
            slow=part(plan.slow, number),
        )
        for number in range(of)
    )


def dues_us(plan: Plan, share: Share) -> Iterator[int]:
    """When each event of this process is due, in µs after the start, ascending: a message, or in
    the shape `day` the arrival of a visitor."""
    is_day = plan.shape == "day"
    each_us = 1e6 * (SAY if is_day else 1)
    for number in range(share.number, plan.arrivals if is_day else plan.messages, share.of):
        # Divided last: what is due on a tick must not be rounded up to the next one.
        yield math.ceil(number * each_us / plan.rate / TICK_US) * TICK_US


def ramp_us(plan: Plan, share: Share) -> Iterator[int]:
    """When each of a process's visitors is to be connected, in µs after the ramp begins."""
    ramp_s = plan.ramp_s or 0.0
    for number in range(share.number, share.visitors * share.of + share.number, share.of):
        yield round(number * ramp_s * 1e6 / max(1, plan.visitors))
