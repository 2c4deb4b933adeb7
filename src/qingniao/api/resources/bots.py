"""Bots: adding, testing, publishing and taking back.

Rule: a secret goes in and never comes out; only its name is told. It belongs to one platform: a
draft that points elsewhere has none until somebody enters it.
"""

import asyncio
from contextlib import aclosing
from typing import Annotated, Final

import msgspec
from litestar import Router, delete, get, post, put
from litestar.params import JSONBody, PathParameter

from qingniao.api.bot_bodies import (
    BotBack,
    BotChange,
    BotId,
    BotInfo,
    BotKind,
    BotList,
    BotTried,
    BotTry,
    BotVersion,
)
from qingniao.api.faults import BadInput, NotFound
from qingniao.api.identity import Here, admins
from qingniao.api.services import Services
from qingniao.auth.sealing import SealBroken
from qingniao.bots.base import BotError, BotMisconfigured, BotService, Closing, Done, Query
from qingniao.bots.kinds import KINDS, origin_of, place_of
from qingniao.bots.wrappers.budget import MemoryLedger
from qingniao.bots.wrappers.stack import Policy, guarded
from qingniao.storage.bots import Sealed
from qingniao.storage.rows import BotRow

__all__ = ["router"]

TRY_S: Final = 60.0
"""How long a bot may take in a test."""
_TAKEN: Final = frozenset({"local"})
"""Ids of bots that are not made here."""


@get("/", guards=[admins])
async def list_bots(services: Here) -> BotList:
    """Every bot with its versions, and the kinds there are."""
    sealed = await services.bots.secrets()
    by_id: dict[str, list[BotRow]] = {}
    for row in await services.bots.all():
        by_id.setdefault(row.id, []).append(row)
    kinds = [BotKind(kind.name, kind.secrets, kind.base_url) for kind in KINDS.values()]
    return BotList([_info(rows, sealed) for rows in by_id.values()], kinds)


@get("/{bot:str}", guards=[admins])
async def get_bot(bot: Annotated[str, PathParameter()], services: Here) -> BotInfo:
    """One bot."""
    return await _told(bot, services)


@put("/{bot:str}", guards=[admins])
async def save_draft(
    bot: Annotated[str, PathParameter()], data: JSONBody[BotChange], services: Here
) -> BotInfo:
    """Make or replace the bot's draft, and store the secrets that are given."""
    _check_id(bot)
    draft = BotRow(
        id=bot,
        version=0,
        kind=data.kind,
        name=data.name.strip(),
        status="draft",
        settings=data.settings,
        policy=data.policy,
        note=data.note,
        updated=services.clock(),
    )
    origin = origin_of(draft.kind, draft.settings)
    secrets = _opened(draft, await services.bots.secrets(bot), services)
    given = {field: text.strip() for field, text in data.secrets.items()}
    kind = KINDS.get(data.kind)
    stray = [field for field in given if kind is None or field not in kind.secrets]
    if stray:
        raise BadInput(f"{stray[0]} is no secret of this kind of bot.", field="secrets")
    whole = {field: text for field, text in (secrets | given).items() if text}
    _check(draft, whole, services)
    sealed = {
        field: services.sealer.seal(text, place_of(bot, origin, field)) if text else ""
        for field, text in given.items()
    }
    await services.bots.save_draft(draft)
    if sealed:
        await services.bots.put_secrets(bot, origin, sealed, services.clock())
        services.on_bots_changed()
    return await _told(bot, services)


@post("/{bot:str}/test", guards=[admins], status_code=200)
async def try_bot(
    bot: Annotated[str, PathParameter()], data: JSONBody[BotTry], services: Here
) -> BotTried:
    """Ask the platform how it is, or ask the bot something. Nothing is stored."""
    rows = await services.bots.versions(bot)
    row = next((r for r in rows if data.version in (0, r.version)), None)
    if row is None:
        raise NotFound
    built: BotService | None = None
    try:
        secrets = _opened(row, await services.bots.secrets(bot), services, must=True)
        built = services.build_bot(row, secrets)
        async with asyncio.timeout(TRY_S):
            return await (_asked(built, data.text) if data.text.strip() else _looked(built))
    except BotError as exc:
        return BotTried(is_ok=False, code=exc.code, detail=str(exc))
    except TimeoutError:
        return BotTried(is_ok=False, code="bot_timeout", detail=f"No answer within {TRY_S:g} s.")
    finally:
        if isinstance(built, Closing):
            await built.close()


@post("/{bot:str}/publish", guards=[admins], status_code=200)
async def publish_bot(bot: Annotated[str, PathParameter()], services: Here) -> BotInfo:
    """The draft answers from now on."""
    if await services.bots.publish(bot, services.clock()) is None:
        raise NotFound
    services.on_bots_changed()
    return await _told(bot, services)


@post("/{bot:str}/rollback", guards=[admins], status_code=200)
async def roll_back(
    bot: Annotated[str, PathParameter()], data: JSONBody[BotBack], services: Here
) -> BotInfo:
    """An earlier version answers from now on, under a new number."""
    if await services.bots.roll_back(bot, data.version, services.clock()) is None:
        raise NotFound
    services.on_bots_changed()
    return await _told(bot, services)


@delete("/{bot:str}", guards=[admins])
async def remove_bot(bot: Annotated[str, PathParameter()], services: Here) -> None:
    """Forget a bot with its versions and secrets."""
    if not await services.bots.remove(bot):
        raise NotFound
    services.on_bots_changed()


async def _told(bot: str, services: Services) -> BotInfo:
    rows = await services.bots.versions(bot)
    if not rows:
        raise NotFound
    return _info(rows, await services.bots.secrets(bot))


def _info(rows: list[BotRow], sealed: Sealed) -> BotInfo:
    newest = rows[0]
    held = sealed.get((newest.id, origin_of(newest.kind, newest.settings)), {})
    kind = KINDS.get(newest.kind)
    missing = [field for field in kind.secrets if field not in held] if kind is not None else []
    versions = [
        BotVersion(
            version=row.version,
            kind=row.kind,
            name=row.name,
            status=row.status,
            settings=row.settings,
            policy=row.policy,
            note=row.note,
            updated=row.updated,
        )
        for row in rows
    ]
    return BotInfo(id=newest.id, versions=versions, secrets=sorted(held), missing=missing)


def _check_id(bot: str) -> None:
    try:
        msgspec.convert(bot, BotId)
    except msgspec.ValidationError as exc:
        raise BadInput(
            "An id is of small letters, digits and hyphens, at most 64.", field="id"
        ) from exc
    if bot in _TAKEN:
        raise BadInput("This id belongs to a bot of the house.", field="id")


def _check(draft: BotRow, secrets: dict[str, str], services: Services) -> None:
    """Refuse what could never be published. Secrets may be missing in a draft."""
    kind = KINDS.get(draft.kind)
    stand_ins = dict.fromkeys(kind.secrets, "-") if kind is not None else {}
    try:
        built = services.build_bot(draft, {**stand_ins, **secrets})
    except BotMisconfigured as exc:
        raise BadInput(str(exc), field="settings") from exc
    try:
        guarded(built, msgspec.convert(draft.policy, Policy), MemoryLedger())
    except ValueError as exc:  # msgspec's is one too
        raise BadInput(str(exc), field="policy") from exc


def _opened(
    row: BotRow, sealed: Sealed, services: Services, *, must: bool = False
) -> dict[str, str]:
    """The secrets for the row's platform; what cannot be opened is missing, unless it must be
    there."""
    origin = origin_of(row.kind, row.settings)
    found = {}
    for field, text in sealed.get((row.id, origin), {}).items():
        try:
            found[field] = services.sealer.open(text, place_of(row.id, origin, field))
        except SealBroken as exc:
            if must:
                raise BotMisconfigured(f"{exc} Enter {field} again.") from exc
    return found


async def _looked(bot: BotService) -> BotTried:
    health = await bot.health()
    return BotTried(is_ok=health.is_ok, detail=health.detail)


async def _asked(bot: BotService, text: str) -> BotTried:
    query = Query(conversation=0, text=text, visitor="administrator")
    async with aclosing(bot.reply(query)) as events:
        async for event in events:
            if isinstance(event, Done):
                return BotTried(
                    is_ok=True,
                    text=event.text,
                    citations=[cite.title for cite in event.citations],
                    first_ms=event.usage.first_ms,
                    took_ms=event.usage.took_ms,
                    prompt_tokens=event.usage.prompt_tokens,
                    completion_tokens=event.usage.completion_tokens,
                    cost=event.usage.cost,
                    currency=event.usage.currency,
                )
    return BotTried(is_ok=False, code="bot_truncated", detail="The answer broke off.")


router = Router(
    path="/api/v1/bots",
    route_handlers=[
        list_bots, get_bot, save_draft, try_bot, publish_bot, roll_back, remove_bot,
    ],
    tags=["bots"],
)  # fmt: skip
