"""The flows of this process, made of their published versions. Owns when they are made anew, and
the older versions that conversations still wait in.

Rule: a conversation that waits in a version goes on in it, whatever was published since; a flow
that cannot be read is missing, with its reason, and the others are there.
"""

import asyncio
from collections import OrderedDict
from typing import Final

import msgspec
from msgspec import structs

from qingniao.errors import QingniaoError, StartError
from qingniao.flow.book import Book, bind, editions
from qingniao.flow.events import VisitorSaid
from qingniao.flow.formats import FlowFromNewer
from qingniao.flow.graph import Flow, convert
from qingniao.flow.plan import FlowUnreadable, Needs, Plan, prepare
from qingniao.flow.samples import AFTER_SALES
from qingniao.flow.samples import read as read_sample_flow
from qingniao.log import get_logger
from qingniao.storage.flows import Flows
from qingniao.storage.rows import FlowRow

__all__ = ["FlowShelf", "flow_of"]

_log: Final = get_logger("runtime")

LOOK_S: Final = 5.0
"""A few small rows: whoever published may not have been heard."""
EDITIONS: Final = 64
"""Plans of older versions held ready; another one is read and made again, within milliseconds."""


def flow_of(row: FlowRow) -> Flow:
    """The drawing of a stored version. Raises `msgspec.ValidationError` and `FlowFromNewer`."""
    return structs.replace(convert(row.graph), id=row.id, version=row.version)


class FlowShelf:
    """Implements `workers.ports.Flows` and `Plans`."""

    def __init__(self) -> None:
        self._flows: Flows | None = None
        self._book: Book | None = None
        self._sample: Flow | None = None
        self._stamps: list[tuple[str, int, int]] = []
        self._older: OrderedDict[str, Plan] = OrderedDict()
        self._readable: dict[str, Flow] = {}
        """By id the newest version that could be read."""

    def __call__(self) -> Plan:
        """The reception."""
        return self.book.reception

    @property
    def book(self) -> Book:
        """What is published. Raises `StartError` before it was loaded."""
        if self._book is None:
            raise StartError("No flow is published.")
        return self._book

    @property
    def needs(self) -> Needs:
        """See `Flows`."""
        return self.book.needs

    def choose(self, said: VisitorSaid) -> Plan:
        """See `Flows`."""
        return self.book.choose(said)

    async def load(self, flows: Flows) -> None:
        """Take over what has been published. Raises `StorageError`; then everything stays."""
        self._flows = flows
        stamps = await flows.stamps()
        if self._book is not None and stamps == self._stamps:
            return
        found: list[Flow] = []
        for row in await flows.all_published():
            try:
                self._readable[row.id] = flow_of(row)
            except (msgspec.ValidationError, FlowFromNewer) as exc:
                _log.error("flow_not_loaded", flow=row.id, version=row.version, reason=str(exc))
            if row.id in self._readable:
                # The version that ran until a moment ago is better than none.
                found.append(self._readable[row.id])
        if self._sample is None:
            self._sample = await asyncio.to_thread(read_sample_flow, AFTER_SALES)
        self._book, self._stamps = bind(found, self._sample), stamps
        for flow, reason in self._book.unreadable.items():
            _log.error("flow_not_loaded", flow=flow, reason=reason)

    async def keep(self, flows: Flows, released: asyncio.Event) -> None:
        """Load what is published later, when told and every few seconds, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await released.wait()
            except TimeoutError:
                pass  # nobody said anything, which proves nothing
            released.clear()
            try:
                await self.load(flows)
            except QingniaoError as exc:
                _log.warning("flows_not_read", reason=str(exc))

    async def edition(self, edition: str) -> Plan | None:
        """See `Flows`."""
        for plan in (self.book.reception, *self.book.others):
            if plan.edition == edition:
                return plan
        held = self._older.get(edition)
        if held is not None:
            self._older.move_to_end(edition)
            return held
        made = await self._made(edition)
        if made is not None:
            self._older[edition] = made
            if len(self._older) > EDITIONS:
                self._older.popitem(last=False)
        return made

    async def _made(self, edition: str) -> Plan | None:
        wanted = editions(edition)
        if self._flows is None or not wanted:
            return None
        found: list[Flow] = []
        for name, version in wanted:
            row = await self._flows.version(name, version)
            if row is None:
                return None
            try:
                found.append(flow_of(row))
            except (msgspec.ValidationError, FlowFromNewer):
                return None
        try:
            return prepare(found[0], {flow.id: flow for flow in found})
        except FlowUnreadable:
            return None
