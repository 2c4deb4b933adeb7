"""Bots: adding, testing, publishing and taking back.

Rule: a secret goes in and never comes out; only its name is told. It belongs to one platform: a
draft that points elsewhere has none until somebody enters it.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Final

import msgspec
from litestar import Router, delete, get, post, put
from litestar.params import JSONBody, PathParameter
from litestar.response import Stream

from qingniao.api.bot_about import About, info_of
from qingniao.api.bot_bodies import (
    BotBack,
    BotChange,
    BotGone,
    BotId,
    BotInfo,
    BotKind,
    BotList,
    BotTold,
    BotTried,
    BotTry,
    HouseBot,
)
from qingniao.api.bot_trying import as_lines, asked, failed, looked, told
from qingniao.api.bot_uses import LOCAL, first_bot
from qingniao.api.faults import BadInput, NotFound
from qingniao.api.identity import Here, admins
from qingniao.api.services import Services
from qingniao.auth.sealing import SealBroken
from qingniao.bots.base import BotError, BotMisconfigured, BotService, BotUnavailable, Closing
from qingniao.bots.kinds import KINDS, origin_of, place_of
from qingniao.bots.wrappers.budget import MemoryLedger
from qingniao.bots.wrappers.stack import Policy, guarded
from qingniao.storage.bots import Sealed
from qingniao.storage.rows import BotRow

__all__ = ["router"]

_TAKEN: Final = frozenset({LOCAL})
"""Ids of bots that are not made here."""


@get("/", guards=[admins])
async def list_bots(services: Here) -> BotList:
    """Every bot with its versions, and the kinds there are."""
    sealed = await services.bots.secrets()
    by_id: dict[str, list[BotRow]] = {}
    rows = await services.bots.all()
    for row in rows:
        by_id.setdefault(row.id, []).append(row)
    about = await About.of(services, rows)
    kinds = [BotKind(kind.name, kind.secrets, kind.base_url) for kind in KINDS.values()]
    answering = {row.id for row in rows if row.status == "published"} | {LOCAL}
    house = HouseBot(
        id=LOCAL,
        can_be_tried=services.local_bot() is not None,
        figures=about.figures(LOCAL),
        failure=about.failures.get(LOCAL),
        uses=about.uses.get(LOCAL, []),
    )
    gone = [BotGone(id=bot, uses=uses) for bot, uses in about.uses.items() if bot not in answering]
    return BotList(
        [info_of(rows, sealed, about) for rows in by_id.values()],
        kinds,
        house,
        gone,
        await first_bot(services),
    )


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
    try:
        built = await _built(bot, data.version, services)
    except BotError as exc:
        return failed(exc)
    try:
        if data.text.strip():
            return await asked(built, data.text, data.locale)
        return await looked(built)
    finally:
        await _close(bot, built)


@post("/{bot:str}/ask", guards=[admins], status_code=200)
async def ask_bot(
    bot: Annotated[str, PathParameter()], data: JSONBody[BotTry], services: Here
) -> Stream:
    """Ask the bot something and read along: one JSON object a line, the last one with `done`."""
    if not data.text.strip():
        raise BadInput("There is no question.", field="text")
    try:
        built = await _built(bot, data.version, services)
    except BotError as exc:
        return _stream(_only(BotTold(done=failed(exc))))

    async def answer() -> AsyncIterator[BotTold]:
        try:
            async for piece in told(built, data.text, data.locale):
                yield piece
        finally:
            await _close(bot, built)

    return _stream(answer())


@post("/{bot:str}/first", guards=[admins], status_code=204)
async def answer_first(bot: Annotated[str, PathParameter()], services: Here) -> None:
    """This one answers from now on, wherever a flow names nobody."""
    rows = await services.bots.versions(bot)
    if bot != LOCAL and not any(row.status == "published" for row in rows):
        raise NotFound
    await services.bot_records.put_first(bot)
    services.on_bots_changed()


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
    await services.bot_records.forget(bot)
    services.on_bots_changed()


async def _built(bot: str, version: int, services: Services) -> BotService:
    """A bot to be tried. Raises `NotFound` and `BotError`."""
    if bot == LOCAL:
        local = services.local_bot()
        if local is None:
            raise BotUnavailable("The bot of the house lives in another process.")
        return local
    rows = await services.bots.versions(bot)
    row = next((r for r in rows if version in (0, r.version)), None)
    if row is None:
        raise NotFound
    secrets = _opened(row, await services.bots.secrets(bot), services, must=True)
    return services.build_bot(row, secrets)


async def _close(bot: str, built: BotService) -> None:
    if bot != LOCAL and isinstance(built, Closing):
        await built.close()


def _stream(pieces: AsyncIterator[BotTold]) -> Stream:
    # A proxy that gathers an answer would show nothing until its end.
    headers = {"X-Accel-Buffering": "no"}
    return Stream(as_lines(pieces), headers=headers, media_type="application/x-ndjson")


async def _only(piece: BotTold) -> AsyncIterator[BotTold]:
    yield piece


async def _told(bot: str, services: Services) -> BotInfo:
    rows = await services.bots.versions(bot)
    if not rows:
        raise NotFound
    about = await About.of(services, await services.bots.all())
    return info_of(rows, await services.bots.secrets(bot), about)


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


router = Router(
    path="/api/v1/bots",
    route_handlers=[
        list_bots, get_bot, save_draft, try_bot, ask_bot, answer_first, publish_bot, roll_back,
        remove_bot,
    ],
    tags=["bots"],
)  # fmt: skip
