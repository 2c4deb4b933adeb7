"""`condition`: which way, by what is known. Owns how values are compared.

Rule: the first branch whose tests hold decides, and what is not known equals nothing; a number is
compared as a number wherever both sides are one.
"""

import math
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

from qingniao.flow.clockwork import MAX_OFFSET_MIN, Hours, hours_faults, is_within
from qingniao.flow.nodes.base import FAILED, Act, Fault, Kind, Port, Scene, Value
from qingniao.flow.templates import names, render, shown, template_faults

__all__ = ["Branch", "Condition", "ConditionSettings", "Test"]

MAX_BRANCHES: Final = 20
MAX_TESTS: Final = 10
AGENTS: Final = "agents_online"
NOW: Final = "now"
TAGS: Final = "visitor.tags"

Op = Literal[
    "is", "is_not", "contains", "starts", "one_of", "at_least", "at_most", "above", "below",
    "set", "unset", "within",
]  # fmt: skip


class Test(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Does `name` stand to `value` as `op` says?

    `name`: a variable, `intent`, `confidence`, `text`, `locale`, `visitor.…`, `visitor.tags`,
    `agents_online`, or `now` for `within` with `hours`. `value` may hold `{{name}}`; `values` are
    for `one_of`.
    """

    __test__ = False  # pytest: this is no test

    name: str
    op: Op = "is"
    value: str = ""
    values: tuple[str, ...] = ()
    hours: tuple[Hours, ...] = ()


class Branch(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Leave by `port` if all `tests` hold, or with `any_of` one of them."""

    port: str
    tests: tuple[Test, ...]
    any_of: bool = False


class ConditionSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`branches` in order; without one that holds it leaves by `other`. `utc_offset_min`: whose
    clock `now` is read on."""

    branches: tuple[Branch, ...]
    utc_offset_min: int = 480


class Condition(Kind[ConditionSettings]):
    """Decides at once."""

    name = "condition"
    settings = ConditionSettings

    def ports(self, settings: ConditionSettings) -> tuple[Port, ...]:
        return (
            *(Port(branch.port) for branch in settings.branches),
            Port("other"),
            Port(FAILED, otherwise="other"),
        )

    def faults(self, settings: ConditionSettings) -> Iterator[str]:
        ports = [branch.port for branch in settings.branches]
        if not 1 <= len(ports) <= MAX_BRANCHES:
            yield Fault(
                f"A condition has between 1 and {MAX_BRANCHES} branches.",
                code="branches",
                mend="Add or remove some; two conditions in a row hold more.",
                most=MAX_BRANCHES,
            )
        if len(set(ports)) < len(ports) or {"other", FAILED} & set(ports) or not all(ports):
            yield Fault(
                "Each branch needs a way out with a name of its own.",
                code="port_names",
                mend="Name them differently, and not other or failed.",
            )
        if abs(settings.utc_offset_min) > MAX_OFFSET_MIN:
            yield Fault(
                "The clock is set to a zone that does not exist.",
                code="utc_offset",
                mend="Give the minutes ahead of UTC, such as 480 for Beijing.",
            )
        for branch in settings.branches:
            yield from _branch_faults(branch)

    def templates(self, settings: ConditionSettings) -> Iterator[str]:
        for test in _tests(settings):
            yield from (test.value, *test.values)

    def reads(self, settings: ConditionSettings) -> Iterator[str]:
        for test in _tests(settings):
            if test.name != NOW:
                yield test.name
            for text in (test.value, *test.values):
                yield from names(text)

    def enter(self, settings: ConditionSettings, scene: Scene) -> Act:
        asks_agents = any(test.name == AGENTS for test in _tests(settings))
        if asks_agents and scene.about.agents_online is None:
            return Act(port=FAILED, note={"reason": "Nobody knows who is online."})
        for branch in settings.branches:
            held = (_holds(test, settings, scene) for test in branch.tests)
            if any(held) if branch.any_of else all(held):
                return Act(port=branch.port)
        return Act(port="other")


def _tests(settings: ConditionSettings) -> Iterator[Test]:
    for branch in settings.branches:
        yield from branch.tests


def _holds(test: Test, settings: ConditionSettings, scene: Scene) -> bool:
    if test.op == "within":
        now_ms = scene.about.now_ms
        return any(is_within(hours, now_ms, settings.utc_offset_min) for hours in test.hours)
    value = _known(test.name, scene)
    if test.op in ("set", "unset"):
        return (value not in (None, "", [])) == (test.op == "set")
    if test.op == "is_not":
        return not _equal(value, render(test.value, scene.lookup))
    if value is None:
        return False
    wanted = [render(text, scene.lookup) for text in test.values or (test.value,)]
    return _compares(test.op, value, wanted)


def _known(name: str, scene: Scene) -> Value | None:
    if name == AGENTS:
        return scene.about.agents_online
    return list(scene.about.tags) if name == TAGS else scene.lookup(name)


def _compares(op: Op, value: Value, wanted: list[str]) -> bool:
    text = shown(value).casefold()
    match op:
        case "is" | "one_of":
            return any(_equal(value, other) for other in wanted)
        case "contains":
            if isinstance(value, list):
                return any(_equal(item, wanted[0]) for item in value)
            return wanted[0].casefold() in text
        case "starts":
            return text.startswith(wanted[0].casefold())
    here, there = _number(value), _number(wanted[0])
    if here is None or there is None:
        return False
    return {
        "at_least": here >= there,
        "at_most": here <= there,
        "above": here > there,
        "below": here < there,
    }.get(op, False)


def _equal(value: Value | None, other: str) -> bool:
    if value is None:
        return other == ""
    here, there = _number(value), _number(other)
    if here is not None and there is not None:
        return here == there
    return shown(value).casefold() == other.casefold()


def _number(value: Value) -> float | None:
    if isinstance(value, bool | list):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(number) else number


def _branch_faults(branch: Branch) -> Iterator[Fault]:
    if not 1 <= len(branch.tests) <= MAX_TESTS:
        yield Fault(
            f"The branch {branch.port!r} has between 1 and {MAX_TESTS} tests.",
            code="tests",
            mend="Add or remove some; a branch without a test would always hold.",
            port=branch.port,
            most=MAX_TESTS,
        )
    for test in branch.tests:
        lacks = (
            (test.op == "within") != (test.name == NOW)
            or (test.op == "within" and not test.hours)
            or (test.op == "one_of" and not test.values)
            or not test.name.strip()
        )
        if lacks:
            yield Fault(
                f"A test of the branch {branch.port!r} lacks what it compares.",
                code="test",
                mend="Name a value; “within” takes now and hours, “one_of” takes several values.",
                port=branch.port,
            )
        for text in (test.value, *test.values):
            for fault in template_faults(text):
                yield Fault(fault, code="template", mend="Leave only a name between the braces.")
        for hours in test.hours:
            for text in hours_faults(hours):
                yield Fault(
                    f"The branch {branch.port!r}: {text}",
                    code="hours",
                    mend="Write times such as 09:00 and days from 1 (Monday) to 7.",
                    port=branch.port,
                )
