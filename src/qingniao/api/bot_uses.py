"""Who asks which bot: the published flows, those who chose one to answer first, other bots.

Rule: a flow is read as it is drawn, whatever its nodes are: a setting that names a bot has one of
the names of `_NAMES`.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from qingniao.api.services import Services
from qingniao.flow.samples import AFTER_SALES
from qingniao.flow.samples import read as read_sample
from qingniao.storage.rows import BotRow

__all__ = ["LOCAL", "BotUse", "first_bot", "uses_of"]

LOCAL: Final = "local"
"""The id of the bot of the house."""

_NAMES: Final = frozenset({"bot", "judge", "router"})
_ANSWER: Final = "answer"
"""The kind of node that asks whoever answers first, if its settings name nobody."""


class BotUse(Struct, frozen=True, kw_only=True):
    """One place that asks a bot. `kind`: `first` (answers where a flow names nobody), `node` of a
    flow (`title` by locale), or `then` (stands in for the bot `of`)."""

    kind: str
    title: dict[str, str] = {}
    of: str = ""


async def first_bot(services: Services) -> str:
    """Who answers where a flow names nobody."""
    return await services.bot_records.first() or services.default_bot or LOCAL


async def uses_of(services: Services, rows: Sequence[BotRow]) -> dict[str, list[BotUse]]:
    """By bot, those that are gone among them. `rows` are all versions, newest first."""
    first = await first_bot(services)
    uses: dict[str, list[BotUse]] = {}
    for nodes in await _graphs(services):
        for node in nodes:
            title = node.get("title") or {}
            for bot in set(_named(node)):
                told = uses.setdefault(bot or first, [])
                use = BotUse(kind="node" if bot else "first", title=title)
                if use not in told:
                    told.append(use)
    for row in _published(rows):
        then = row.policy.get("then")
        for spare in then if isinstance(then, list | tuple) else ():
            uses.setdefault(str(spare), []).append(BotUse(kind="then", of=row.id))
    return uses


def _published(rows: Sequence[BotRow]) -> list[BotRow]:
    newest: dict[str, BotRow] = {}
    for row in rows:
        if row.status == "published":
            newest.setdefault(row.id, row)
    return list(newest.values())


async def _graphs(services: Services) -> list[list[dict[str, Any]]]:
    """The nodes of every flow that conversations run on."""
    newest: dict[str, dict[str, Any]] = {}
    for row in await services.flows.all():
        if row.status == "published":
            newest.setdefault(row.id, row.graph)
    if AFTER_SALES not in newest:
        sample = await asyncio.to_thread(read_sample, AFTER_SALES)
        newest[AFTER_SALES] = msgspec.to_builtins(sample)
    return [graph.get("nodes") or [] for graph in newest.values()]


def _named(node: dict[str, Any]) -> Iterator[str]:
    settings = node.get("settings") or {}
    found = list(_values(settings))
    yield from found
    if node.get("kind") == _ANSWER and not settings.get("bot"):
        yield ""


def _values(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in _NAMES and isinstance(inner, str):
                if inner:
                    yield inner
            else:
                yield from _values(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _values(inner)
