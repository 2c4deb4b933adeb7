"""Flows: drawing, checking, trying, publishing and taking back.

Rule: nothing is published that could leave a visitor without an answer or a person, and nobody's
drawing is overwritten by somebody who has not seen it.
"""

from typing import Annotated, Any, Final

import msgspec
from litestar import Response, Router, delete, get, post, put
from litestar.params import FromQuery, JSONBody, PathParameter

from qingniao.api.faults import BadInput, DraftConflict, FlowUnsound, FlowUsed, NotFound, TimedOut
from qingniao.api.flow_bodies import (
    FlowBack,
    FlowChecked,
    FlowCounts,
    FlowDraft,
    FlowDrawing,
    FlowId,
    FlowInfo,
    FlowKinds,
    FlowList,
    FlowPublish,
    FlowSaved,
    FlowSecret,
    FlowSecretList,
    FlowTry,
    FlowVersion,
    Tried,
)
from qingniao.api.flow_kinds import kinds
from qingniao.api.identity import Here, admins
from qingniao.api.services import Services
from qingniao.flow.book import Book, bind
from qingniao.flow.check import Known, Problem, check, errors
from qingniao.flow.counting import label_of, metric_of
from qingniao.flow.events import About
from qingniao.flow.formats import FORMAT, FlowFromNewer
from qingniao.flow.graph import MAX_FLOW_BYTES, MAX_NODES, Flow, convert, pick
from qingniao.flow.nodes.start import StartSettings
from qingniao.flow.plan import FlowUnreadable, Plan, called_by, place, prepare, ways_out
from qingniao.flow.secrets import origin_of, place_of
from qingniao.flow.trial import Trying
from qingniao.storage.flows import DraftChanged
from qingniao.storage.rows import FlowRow

__all__ = ["router"]

BODY_BYTES: Final = MAX_FLOW_BYTES + 65_536
"""A drawing with what is around it."""
MAX_HOURS: Final = 24 * 366

Id = Annotated[str, PathParameter()]


@get("/", guards=[admins])
async def list_flows(services: Here) -> FlowList:
    """Every flow with its versions, and what it does."""
    by_id: dict[str, list[FlowRow]] = {}
    for row in await services.flows.all():
        by_id.setdefault(row.id, []).append(row)
    book = bind(await _published(services), _NONE)
    return FlowList([_info(rows, book) for rows in by_id.values()])


@get("/kinds", guards=[admins])
async def list_kinds() -> FlowKinds:
    """What can be drawn: for each kind the schema of its settings and its ways out."""
    return FlowKinds(FORMAT, MAX_NODES, kinds())


@get("/secrets", guards=[admins])
async def list_secrets(services: Here) -> FlowSecretList:
    """The names of the secrets that flows may send."""
    return FlowSecretList(await services.flow_secrets.names())


@put("/secrets", guards=[admins])
async def put_secret(data: JSONBody[FlowSecret], services: Here) -> FlowSecretList:
    """Store a secret for one origin, or take it away."""
    origin = origin_of(data.origin)
    if not origin.startswith(("https://", "http://")) or "://:" in origin:
        raise BadInput("An origin is an address such as https://api.example.com.", field="origin")
    sealed = ""
    if data.secret:
        sealed = services.sealer.seal(data.secret, place_of(origin, data.name))
    await services.flow_secrets.put(origin, data.name, sealed, services.clock())
    return FlowSecretList(await services.flow_secrets.names())


@get("/{flow:str}", guards=[admins])
async def get_flow(flow: Id, services: Here, version: FromQuery[int] = 0) -> FlowDrawing:
    """A version; without one the draft, or what is published."""
    return _drawing(await _row(flow, version, services))


@put("/{flow:str}", guards=[admins], request_max_body_size=BODY_BYTES)
async def save_draft(flow: Id, data: JSONBody[FlowDraft], services: Here) -> FlowSaved:
    """Make or replace the draft. It may have problems, which are told; what cannot be read at all
    is refused."""
    _check_id(flow)
    drawn = _read(data.graph, flow)
    problems = check(drawn, await _known(services))
    if problems and problems[0].code in ("too_large", "too_many_lines"):
        raise BadInput(f"{problems[0].text} {problems[0].mend}", field="graph")
    try:
        row = await services.flows.save_draft(
            flow,
            name=(data.name.strip() or pick(drawn.name, "zh-CN") or flow)[:128],
            graph=msgspec.to_builtins(drawn),
            now_ms=services.clock(),
            began_from=data.began_from,
        )
    except DraftChanged as exc:
        raise DraftConflict from exc
    return FlowSaved(version=row.version, updated=row.updated, problems=problems)


@post("/{flow:str}/check", guards=[admins], status_code=200)
async def check_flow(flow: Id, services: Here) -> FlowChecked:
    """What is to mend in the draft, or in what is published, as things are now."""
    row = await _row(flow, 0, services)
    problems = check(_read(row.graph, flow), await _known(services))
    return FlowChecked(may_publish=not errors(problems), problems=problems)


@post("/{flow:str}/publish", guards=[admins], status_code=200)
async def publish_flow(flow: Id, data: JSONBody[FlowPublish], services: Here) -> FlowInfo:
    """The draft is what conversations run on from now on; those inside the old version finish
    there."""
    draft = await services.flows.draft(flow)
    if draft is None:
        raise NotFound
    if draft.updated != data.began_from:
        raise DraftConflict
    _must_be_sound(check(_read(draft.graph, flow), await _known(services)))
    try:
        row = await services.flows.publish(flow, services.clock(), began_from=data.began_from)
    except DraftChanged as exc:
        raise DraftConflict from exc
    if row is None:
        raise NotFound
    services.on_flows_changed()
    return await _told(flow, services)


@post("/{flow:str}/rollback", guards=[admins], status_code=200)
async def roll_back(flow: Id, data: JSONBody[FlowBack], services: Here) -> FlowInfo:
    """An earlier version again, under a new number. It has to be sound as things are now."""
    old = await services.flows.version(flow, data.version)
    if old is None:
        raise NotFound
    _must_be_sound(check(_read(old.graph, flow), await _known(services)))
    if await services.flows.roll_back(flow, data.version, services.clock()) is None:
        raise NotFound
    services.on_flows_changed()
    return await _told(flow, services)


@delete("/{flow:str}/draft", guards=[admins])
async def drop_draft(flow: Id, services: Here) -> None:
    """Forget what was edited."""
    if not await services.flows.drop_draft(flow):
        raise NotFound


@delete("/{flow:str}", guards=[admins])
async def remove_flow(flow: Id, services: Here) -> None:
    """Forget a flow with its versions. One that others call, or the last reception, is kept."""
    published = await _published(services)
    callers = [other.id for other in published if flow in _calls(other) and other.id != flow]
    if callers:
        raise FlowUsed(f"The flow {callers[0]} calls this one; change it first.")
    rest = [other for other in published if other.id != flow]
    if len(rest) < len(published) and bind(rest, _NONE).reception.flow is _NONE:
        raise FlowUsed("No other flow would receive visitors; publish one first.")
    if not await services.flows.remove(flow):
        raise NotFound
    services.on_flows_changed()


@get("/{flow:str}/export", guards=[admins])
async def export_flow(flow: Id, services: Here, version: FromQuery[int] = 0) -> Response[bytes]:
    """A version as a file that another installation takes as a draft."""
    row = await _row(flow, version, services)
    drawn = msgspec.structs.replace(_read(row.graph, flow), version=row.version)
    name = f"{flow}-{row.version}.json"
    return Response(
        msgspec.json.format(msgspec.json.encode(drawn), indent=2),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@get("/{flow:str}/counts", guards=[admins])
async def count_flow(
    flow: Id, services: Here, version: FromQuery[int] = 0, hours: FromQuery[int] = 168
) -> FlowCounts:
    """How often each way of a published version was taken in the last so many hours."""
    rows = await services.flows.versions(flow)
    published = [row for row in rows if row.status == "published"]
    row = next((r for r in published if version in (0, r.version)), None)
    if row is None:
        raise NotFound
    hours = min(max(hours, 1), MAX_HOURS)
    end = services.clock() // 3_600_000 + 1
    sums: dict[str, int] = {}
    metric = metric_of(flow, row.version)
    for amount in await services.rollups.between(metric, end - hours, end):
        sums[amount.label] = sums.get(amount.label, 0) + round(amount.value)
    drawn = msgspec.structs.replace(_read(row.graph, flow), version=row.version)
    plan = _plan(drawn, await _published(services))
    nodes: dict[str, dict[str, int]] = {}
    for id, placed in plan.nodes.items():
        ports = ("", *(port.name for port in ways_out(placed)))
        taken = {port: sums.get(label_of(id, port), 0) for port in ports}
        nodes[id] = {port: count for port, count in taken.items() if count}
    return FlowCounts(version=row.version, hours=hours, nodes={n: p for n, p in nodes.items() if p})


@post("/{flow:str}/try", guards=[admins], status_code=200, request_max_body_size=BODY_BYTES)
async def try_flow(flow: Id, data: JSONBody[FlowTry], services: Here) -> Tried:
    """One turn, as a visitor would have it. Nothing of it is stored."""
    if data.graph is not None:
        drawn = _read(data.graph, flow)
    else:
        row = await _row(flow, data.version, services)
        drawn = msgspec.structs.replace(_read(row.graph, flow), version=row.version)
    plan = _plan(drawn, await _published(services))
    about = About(
        now_ms=data.now_ms,
        attributes=data.attributes,
        tags=tuple(data.tags),
        agents_online=data.agents_online,
    )
    trying = Trying(
        text=data.text,
        state=data.state,
        said=tuple(data.said),
        locale=data.locale,
        about=about,
        sends=data.sends,
    )
    try:
        return await services.try_flow(plan, trying)
    except TimeoutError as exc:
        raise TimedOut("The flow took longer than any visitor would wait.") from exc


_NONE: Final = Flow(
    id="",
    fallback={},
    nodes=tuple(convert({"id": "", "fallback": {}, "nodes": [{"id": "s", "kind": "start"}]}).nodes),
)
"""Stands for no reception at all."""


async def _row(flow: str, version: int, services: Services) -> FlowRow:
    rows = await services.flows.versions(flow)
    row = next((r for r in rows if version in (0, r.version)), None)
    if row is None:
        raise NotFound
    return row


async def _told(flow: str, services: Services) -> FlowInfo:
    rows = await services.flows.versions(flow)
    if not rows:
        raise NotFound
    return _info(rows, bind(await _published(services), _NONE))


async def _published(services: Services) -> list[Flow]:
    """What is published and can be read, the newest first."""
    found = []
    for row in await services.flows.all_published():
        try:
            drawn = convert(row.graph)
        except (msgspec.ValidationError, FlowFromNewer):
            continue  # told where it is listed, by its role
        found.append(msgspec.structs.replace(drawn, id=row.id, version=row.version))
    return found


async def _known(services: Services) -> Known:
    secrets = await services.flow_secrets.names()
    return Known(
        bots={"local", *(row.id for row in await services.bots.published())},
        flows={drawn.id: drawn for drawn in await _published(services)},
        teams={team.id for team in await services.teams.all()},
        secrets={name for names in secrets.values() for name in names},
    )


def _info(rows: list[FlowRow], book: Book) -> FlowInfo:
    newest = rows[0]
    plans = {plan.flow.id: plan for plan in book.others}
    is_published = any(row.status == "published" for row in rows)
    why = book.unreadable.get(newest.id, "")
    role = "idle"
    if book.reception.flow.id == newest.id:
        role = "reception"
    elif newest.id in plans:
        role = "triggers" if _has_triggers(plans[newest.id]) else "called"
    elif is_published and not why:
        # It would receive visitors if another had not been published after it.
        role = "called"
    versions = [
        FlowVersion(version=r.version, status=r.status, name=r.name, updated=r.updated)
        for r in rows
    ]
    return FlowInfo(id=newest.id, name=newest.name, versions=versions, role=role, why=why)  # type: ignore[arg-type]


def _has_triggers(plan: Plan) -> bool:
    begins = plan.nodes[plan.start].settings
    return isinstance(begins, StartSettings) and bool(begins.triggers)


def _drawing(row: FlowRow) -> FlowDrawing:
    drawn = _read(row.graph, row.id)
    return FlowDrawing(
        id=row.id,
        version=row.version,
        status=row.status,
        name=row.name,
        updated=row.updated,
        graph=msgspec.to_builtins(msgspec.structs.replace(drawn, version=row.version)),
    )


def _check_id(flow: str) -> None:
    try:
        msgspec.convert(flow, FlowId)
    except msgspec.ValidationError as exc:
        raise BadInput(
            "An id is of small letters, digits, hyphens and underscores, at most 64.", field="id"
        ) from exc
    if flow in ("kinds", "secrets"):
        raise BadInput("This id is a word of the interface; choose another.", field="id")


def _read(graph: dict[str, Any], flow: str) -> Flow:
    try:
        drawn = convert({"id": flow, **graph})
    except msgspec.ValidationError as exc:
        raise BadInput(f"The drawing cannot be read: {exc}.", field="graph") from exc
    except FlowFromNewer as exc:
        raise BadInput(str(exc), field="graph") from exc
    return msgspec.structs.replace(drawn, id=flow)


def _plan(drawn: Flow, published: list[Flow]) -> Plan:
    try:
        return prepare(drawn, {other.id: other for other in published if other.id != drawn.id})
    except FlowUnreadable as exc:
        raise BadInput(str(exc), field="graph") from exc


def _calls(drawn: Flow) -> set[str]:
    found = set()
    for node in drawn.nodes:
        try:
            found.add(called_by(place(node)))
        except FlowUnreadable:
            continue  # it calls nobody as it is
    return found


def _must_be_sound(problems: list[Problem]) -> None:
    wrong = errors(problems)
    if wrong:
        first = wrong[0]
        more = f" And {len(wrong) - 1} more." if len(wrong) > 1 else ""
        where = f"{first.node}: " if first.node else ""
        raise FlowUnsound(f"{where}{first.text}{more}", field=first.node or None)


router = Router(
    path="/api/v1/flows",
    route_handlers=[
        list_flows, list_kinds, list_secrets, put_secret, get_flow, save_draft, check_flow,
        publish_flow, roll_back, drop_draft, remove_flow, export_flow, count_flow, try_flow,
    ],
    tags=["flows"],
)  # fmt: skip
