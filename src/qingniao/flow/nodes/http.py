"""`http`: ask another machine and keep what it says. Owns the request as it is drawn.

Values are put in so that they stay values: percent-encoded into the address, escaped into JSON.
Rule: the host is fixed, a secret is only ever named here, and what comes back are at most a few
short values.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal

from msgspec import Struct

from qingniao.flow.effects import Fetch
from qingniao.flow.events import Event, Fetched, TimedOut
from qingniao.flow.nodes.base import FAILED, Act, Fault, Kind, Port, Scene, Value
from qingniao.flow.nodes.remembering import reason_of
from qingniao.flow.nodes.waiting import kept, name_faults
from qingniao.flow.templates import (
    json_faults,
    mark,
    names,
    render,
    render_json,
    render_url,
    template_faults,
    unmarked,
    url_faults,
)

__all__ = ["MAX_TAKEN", "SECRET", "Http", "HttpSettings"]

SECRET: Final = "secret."  # noqa: S105  how the name of one begins
MAX_TAKEN: Final = 10
MAX_HEADERS: Final = 20
MAX_DEADLINE_S: Final = 60.0
MAX_BODY_CHARS: Final = 16_000
MAX_URL_CHARS: Final = 2_000
_SECRET: Final = re.compile(r"(?<!\{\{)\{\{\s*secret\.(\w{1,64})\s*\}\}")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]+")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_NOT_OURS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"}
)
_PATH: Final = re.compile(r"[\w$@-]+(?:\.[\w$@-]+){0,9}")

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class HttpSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`url`, `headers` and the JSON `body` may hold `{{name}}`, and `{{secret.name}}` for a secret
    of this flow. `take`: for each variable where in the answer its value is, such as
    `data.items.0.no`. `deadline_s` bounds the whole exchange, in seconds."""

    url: str
    method: Method = "GET"
    headers: dict[str, str] = {}
    body: str = ""
    take: dict[str, str] = {}
    deadline_s: float = 10.0


class Http(Kind[HttpSettings]):
    """Asks, and leaves by how it went."""

    name = "http"
    settings = HttpSettings

    def ports(self, settings: HttpSettings) -> tuple[Port, ...]:
        return (
            Port("done"),
            Port("refused", otherwise=FAILED),
            Port("timeout", otherwise=FAILED),
            Port(FAILED),
        )

    def faults(self, settings: HttpSettings) -> Iterator[str]:
        mend = "Give an address such as https://api.example.com/orders/{{order_no}}."
        for text in url_faults(settings.url):
            yield Fault(text, code="url", mend=mend)
        if settings.body:
            for text in json_faults(settings.body):
                yield Fault(text, code="body", mend='Write JSON such as {"order": "{{order_no}}"}.')
            if settings.method == "GET":
                yield Fault("A GET has no body.", code="body", mend="Use POST, or remove it.")
        if len(settings.body) > MAX_BODY_CHARS or len(settings.url) > MAX_URL_CHARS:
            yield Fault(
                f"The body has at most {MAX_BODY_CHARS} characters, the address {MAX_URL_CHARS}.",
                code="request_too_long",
                mend="Shorten it.",
            )
        yield from _header_faults(settings.headers)
        yield from _take_faults(settings.take)
        if not 0.5 <= settings.deadline_s <= MAX_DEADLINE_S:
            yield Fault(
                f"It may take between half a second and {MAX_DEADLINE_S:.0f} seconds.",
                code="deadline",
                mend="Give seconds in that range; a visitor is waiting.",
            )

    def templates(self, settings: HttpSettings) -> Iterator[str]:
        yield settings.url
        yield from settings.headers.values()
        yield settings.body

    def reads(self, settings: HttpSettings) -> Iterator[str]:
        for name in self._named(settings):
            if not name.startswith(SECRET):
                yield name

    def sets(self, settings: HttpSettings) -> Iterator[str]:
        yield from settings.take

    def uses(self, settings: HttpSettings) -> Iterator[tuple[str, str]]:
        for name in self._named(settings):
            if name.startswith(SECRET):
                yield "secret", name[len(SECRET) :]

    def enter(self, settings: HttpSettings, scene: Scene) -> Act:
        def lookup(name: str) -> Value | None:
            # What a visitor wrote must not become the name of a secret in the worker's hands.
            return unmarked(scene.lookup(name))

        fetch = Fetch(
            method=settings.method,
            url=render_url(_marked(settings.url), lookup),
            headers={
                name: _CONTROLS.sub(" ", render(_marked(text), lookup))
                for name, text in settings.headers.items()
            },
            body=render_json(_marked(settings.body), lookup),
            take=settings.take,
            deadline_s=settings.deadline_s,
        )
        return Act(effects=(fetch,), awaits="fetched")

    def resume(self, settings: HttpSettings, scene: Scene, event: Event) -> Act:
        if isinstance(event, TimedOut):
            return Act(port="timeout", note={"reason": reason_of(event)})
        if not isinstance(event, Fetched):
            return Act(port=FAILED, note={"reason": reason_of(event)})
        note: dict[str, Value] = {"status": event.status, "took_ms": event.took_ms}
        taken = {name: kept(event.values.get(name, "")) for name in settings.take}
        missing = [name for name in settings.take if name not in event.values]
        if missing:
            note["missing"] = missing
        facts: dict[str, Value] = {"http_status": event.status}
        port = "done" if 200 <= event.status < 300 else "refused"
        return Act(port=port, variables=taken, facts=facts, note=note)

    def _named(self, settings: HttpSettings) -> Iterator[str]:
        for text in self.templates(settings):
            yield from names(text)


def _marked(text: str) -> str:
    """With places for secrets instead of their names: whoever sends puts them in."""
    return _SECRET.sub(lambda found: mark(found.group(1)), text)


def _header_faults(headers: dict[str, str]) -> Iterator[Fault]:
    if len(headers) > MAX_HEADERS:
        yield Fault(
            f"At most {MAX_HEADERS} headers can be sent.",
            code="headers",
            mend="Remove some.",
            most=MAX_HEADERS,
        )
    for name, text in headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _NOT_OURS:
            yield Fault(
                f"The header {name[:64]!r} cannot be set.",
                code="header",
                mend="Remove it; the connection's own headers are set by the sender.",
                header=name[:64],
            )
        for fault in template_faults(text):
            yield Fault(fault, code="template", mend="Leave only a name between the braces.")


def _take_faults(take: dict[str, str]) -> Iterator[Fault]:
    if len(take) > MAX_TAKEN:
        yield Fault(
            f"At most {MAX_TAKEN} values can be taken from an answer.",
            code="take",
            mend="Remove some.",
            most=MAX_TAKEN,
        )
    for name, path in take.items():
        yield from name_faults(name)
        if not _PATH.fullmatch(path):
            yield Fault(
                f"{path[:60]!r} is no place in an answer.",
                code="path",
                mend="Write names and numbers with dots between them, such as data.items.0.no.",
                path=path[:60],
            )
