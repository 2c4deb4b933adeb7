"""What a flow has done outside of the conversation: asked of other machines, written on record, and
found out before a turn begins.

Owns the requests of `http` and `set`; refuses to know a node. Rule: nothing here raises, and every
wait has an end: what cannot be done is an event that says so.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from msgspec import structs

from qingniao.errors import QingniaoError
from qingniao.flow.effects import Fetch, Remember
from qingniao.flow.events import About, Fetched, Remembered, ServiceFailed, TimedOut
from qingniao.flow.plan import Needs
from qingniao.flow.secrets import origin_of
from qingniao.log import get_logger
from qingniao.outgoing.client import Ask, Outgoing
from qingniao.storage.rows import Visitor
from qingniao.workers.answers import NotJson, taken
from qingniao.workers.sending import SecretMissing, filled

__all__ = ["MAX_ANSWER_BYTES", "Hands", "Secrets"]

_log: Final = get_logger("workers")

MAX_ANSWER_BYTES: Final = 262_144
"""Of another machine's answer; a flow takes a few short values from it."""
ABOUT_S: Final = 0.5
REMEMBER_S: Final = 3.0
CONNECT_S: Final = 5.0
MAX_TAGS: Final = 50
MAX_NOTE_CHARS: Final = 2_000
_ATTRIBUTES: Final = (
    "id", "name", "phone", "email", "note", "locale", "page", "title", "referrer", "browser",
)  # fmt: skip


class Visitors(Protocol):
    """The part of `storage.visitors.Visitors` that is used here."""

    async def get(self, visitor: str) -> Visitor | None:
        """Somebody on record or remembered."""
        ...

    async def change(
        self, visitor: str, changes: Mapping[str, Any], *, conversation: int, now_ms: int
    ) -> Visitor:
        """Write down what is given."""
        ...


Secrets = Callable[[str], Awaitable[Mapping[str, str]]]
"""The secrets of flows for one origin such as `https://api.example.com:443`, by name."""
Renamed = Callable[[int, str], Awaitable[None]]
"""A conversation's visitor is called that from now on."""


class Hands:
    """One for all conversations."""

    def __init__(
        self,
        outgoing: Outgoing,
        visitors: Visitors,
        *,
        secrets: Secrets,
        agents_online: Callable[[], Awaitable[int]],
        renamed: Renamed,
        clock: Callable[[], int],
    ) -> None:
        self._outgoing = outgoing
        self._visitors = visitors
        self._secrets = secrets
        self._agents_online = agents_online
        self._renamed = renamed
        self._clock = clock

    async def about(self, visitor: str, needs: Needs, *, is_first: bool) -> About:
        """What is known as a turn begins; what cannot be found out in time is left out."""
        about = About(now_ms=self._clock(), is_first=is_first)
        if needs.visitor:
            about = await self._with_visitor(about, visitor)
        if needs.agents:
            about = await self._with_agents(about)
        return about

    async def fetch(self, fetch: Fetch) -> Fetched | ServiceFailed | TimedOut:
        """Ask another machine, past the guard of addresses."""
        started_s = time.perf_counter()
        try:
            async with asyncio.timeout(fetch.deadline_s):
                secrets = await self._secrets(origin_of(fetch.url))
                whole = filled(fetch, secrets)
                ask = Ask(
                    method=whole.method,
                    url=whole.url,
                    headers=whole.headers,
                    body=whole.body.encode() if whole.body else None,
                    connect_s=min(CONNECT_S, fetch.deadline_s),
                    idle_s=fetch.deadline_s,
                )
                async with self._outgoing.ask(ask) as received:
                    status = received.status
                    content = await received.read(MAX_ANSWER_BYTES)
            values = taken(content, fetch.take) if fetch.take else {}
        except TimeoutError:
            return TimedOut()
        except SecretMissing as exc:
            return ServiceFailed(reason=str(exc))
        except NotJson:
            if 200 <= status < 300:
                return ServiceFailed(reason="The answer is not JSON.")
            values = {}
        except QingniaoError as exc:
            return ServiceFailed(reason=str(exc))
        except Exception as exc:  # what a visitor wrote must not break the worker
            _log.error("fetch_broke", exc=exc)
            return ServiceFailed(reason="The request could not be sent.")
        took_ms = round((time.perf_counter() - started_s) * 1000)
        return Fetched(status=status, values=values, took_ms=took_ms)

    async def remember(
        self, visitor: str, conversation: int, remember: Remember
    ) -> Remembered | ServiceFailed | TimedOut:
        """Write on record. Done again after a crash it changes nothing more."""
        try:
            async with asyncio.timeout(REMEMBER_S):
                before = await self._visitors.get(visitor)
                changes: dict[str, Any] = dict(remember.attributes)
                if remember.tags or remember.untag:
                    tags = before.tags if before is not None else ()
                    changes["tags"] = _tagged(tags, remember)
                changed = await self._visitors.change(
                    visitor, changes, conversation=conversation, now_ms=self._clock()
                )
                if changed.name != (before.name if before is not None else ""):
                    await self._renamed(changed.conversation or conversation, changed.name)
        except TimeoutError:
            return TimedOut()
        except QingniaoError as exc:
            _log.warning("not_remembered", conversation=conversation, error=exc.code)
            return ServiceFailed(reason="The visitor's record could not be changed.")
        return Remembered()

    async def _with_visitor(self, about: About, visitor: str) -> About:
        try:
            async with asyncio.timeout(ABOUT_S):
                found = await self._visitors.get(visitor)
        except (TimeoutError, QingniaoError) as exc:
            _log.warning("visitor_unknown", error=type(exc).__name__)
            return about
        if found is None:
            return structs.replace(about, attributes={"id": visitor})
        attributes = {name: str(getattr(found, name)) for name in _ATTRIBUTES}
        return structs.replace(
            about, attributes={n: t for n, t in attributes.items() if t}, tags=found.tags
        )

    async def _with_agents(self, about: About) -> About:
        try:
            async with asyncio.timeout(ABOUT_S):
                return structs.replace(about, agents_online=await self._agents_online())
        except (TimeoutError, QingniaoError) as exc:
            _log.warning("agents_unknown", error=type(exc).__name__)
            return about


def _tagged(tags: tuple[str, ...], remember: Remember) -> tuple[str, ...]:
    kept = [tag for tag in tags if tag not in remember.untag]
    return tuple(dict.fromkeys((*kept, *remember.tags)))[:MAX_TAGS]
