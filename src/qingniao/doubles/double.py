"""What all doubles have: a port, a key, routes, a script from outside, and a memory of who asked
what.

Owns the control address `/double`, the same for every platform: `GET` tells the scenarios and the
last requests, `PUT` sets a script for the next ones, `DELETE` takes it away. Refuses to know any
platform's shapes. Rule: nothing is random; the same requests in the same order get the same
answers, ids included.
"""

import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import ClassVar, Final, TypeVar

import msgspec
from msgspec import Struct

from qingniao.doubles.disturbance import disturbed
from qingniao.doubles.faq import Entry, Faq, Shelf, made_id, pieces
from qingniao.doubles.messages import Exchange, Reply, Request
from qingniao.doubles.scenario import COMMON, LINE, Script, parse, taken_out
from qingniao.doubles.wire import Server
from qingniao.errors import ConfigError

__all__ = [
    "Answer",
    "BadBody",
    "Call",
    "Clock",
    "Double",
    "Json",
    "Refusal",
    "Said",
    "json_reply",
    "labels_of",
]

Json = dict[str, object]
Answer = Callable[..., Reply]
Clock = Callable[[], float]
"""Seconds since 1970; a test may hold it still."""
T = TypeVar("T")

_REMEMBERED: Final = 1_000
_PLANNED: Final = 100
_CONTROL: Final = "/double"
_BETWEEN: Final = re.compile(r"[,，;；、|\n]")
_LOOPS: Final = 1_000


class Refusal(Exception):
    """The platform says no; carries what it says."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class BadBody(Exception):
    """The body is not what this address takes."""


class Said(Struct, frozen=True, kw_only=True):
    """What the bot behind a platform answers."""

    pieces: tuple[str, ...]
    sources: tuple[tuple[Entry, float], ...] = ()

    @property
    def text(self) -> str:
        """The whole of it."""
        return "".join(self.pieces)


class Call:
    """One request under way, with the script that holds for it."""

    def __init__(self, request: Request, script: Script) -> None:
        self.request = request
        self.script = script

    def body(self, kind: type[T]) -> T:
        """The JSON body, checked. Raises `BadBody`."""
        try:
            return msgspec.json.decode(self.request.body, type=kind)
        except msgspec.DecodeError as exc:  # also for values of a wrong type
            raise BadBody(str(exc)) from exc

    def question(self, text: str) -> str:
        """The question itself; what stands in double brackets joins the script."""
        text, script = taken_out(text)
        self.script = self.script.joined(script)
        return text

    @property
    def bearer(self) -> str:
        """What follows `Bearer` in the authorization, or nothing."""
        kind, _, token = self.request.headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""


class _Plan(Struct):
    script: Script
    left: int
    path: str


class Double(ABC):
    """One platform on one port. `pace_s` is the wait between two pieces of an answer."""

    platform: ClassVar[str]
    own_scenarios: ClassVar[dict[str, str]] = {}
    """What this platform has beyond the common ones."""

    def __init__(
        self, faq: Faq, *, clock: Clock, pace_s: float = 0.0, ping_s: float = 10.0
    ) -> None:
        self.faq = faq
        self.clock = clock
        self.pace_s = pace_s
        self.ping_s = ping_s
        self.exchanges: deque[Exchange] = deque(maxlen=_REMEMBERED)
        self._plans: list[_Plan] = []
        """The first that fits holds."""
        self._made = 0
        self._server = Server(self._answered)
        self._routes = [
            (spec.partition(" ")[0], _pattern(spec.partition(" ")[2]), answer)
            for spec, answer in self.routes().items()
        ]

    # For the platform

    @abstractmethod
    def routes(self) -> dict[str, Answer]:
        """`METHOD /path/{name}` → a method that takes the `Call` and the names."""

    @abstractmethod
    def refused(self, status: int, message: str) -> Reply:
        """A refusal in the platform's shape: 400 for a bad body, 404 and 405 for a bad address."""

    @abstractmethod
    def fields(self) -> list[tuple[str, dict[str, str]]]:
        """What a person enters where: for each bot of this platform its label and its fields."""

    def said(
        self, call: Call, question: str, labels: Sequence[str] = (), learnt: Shelf | None = None
    ) -> Said:
        """What is answered to a question, as the script wants it.

        With labels, one of them. What was learnt goes before what the shop knows.
        """
        unknown = sorted(call.script.names - self.scenarios().keys())
        if unknown:
            return Said(pieces=(f"这个替身不认识场景：{'、'.join(unknown)}。",))
        if "empty" in call.script:
            return Said(pieces=())
        if labels:
            return Said(pieces=(self.faq.choice(labels, question) or labels[-1],))
        text, sources = self.faq.answer(question)
        if learnt and (found := learnt.sources(question)):
            text, sources = found[0][0].answer, found
        if "loop" in call.script:
            sentence = text.partition("。")[0] + "。"
            return Said(pieces=(sentence,) * _LOOPS, sources=sources)
        if "repeat" in call.script:
            text *= 2
        return Said(pieces=tuple(pieces(text)), sources=sources)

    def new_id(self, kind: str, digits: int = 0) -> str:
        """The next one: a UUID, or a number of so many digits."""
        self._made += 1
        return made_id(self.platform, kind, str(self._made), digits=digits)

    # For everybody

    @classmethod
    def scenarios(cls) -> dict[str, str]:
        """Every name that a script may have here, and what happens."""
        return {**LINE, **COMMON, **cls.own_scenarios}

    @property
    def url(self) -> str:
        """Without a path."""
        host = self._server.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._server.port}"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; a port of 0 takes a free one. Raises `OSError`."""
        await self._server.start(host, port)

    async def close(self) -> None:
        """Idempotent; ends what is under way."""
        await self._server.close()

    def play(self, words: str, *, times: int = 0, path: str = "") -> None:
        """Let a script hold for the next `times` requests (0: all) whose path contains `path`.

        Those for so many requests go first, in the order in which they were set; of those for all
        the newest holds. Raises `ConfigError` for a word that this platform does not know, and when
        too many wait.
        """
        script = parse(words)
        unknown = sorted(script.names - self.scenarios().keys())
        if unknown or not script.names:
            known = ", ".join(sorted(self.scenarios()))
            raise ConfigError(f"No scenario {', '.join(unknown) or '(none)'}. There are: {known}.")
        plans = [plan for plan in self._plans if times or plan.left or plan.path != path]
        if len(plans) >= _PLANNED:
            raise ConfigError(f"{_PLANNED} scripts are set already. Take them away first.")
        plans.insert(sum(plan.left > 0 for plan in plans), _Plan(script, times, path))
        self._plans = plans

    def play_nothing(self) -> None:
        """Be well again."""
        self._plans.clear()

    async def _answered(self, exchange: Exchange) -> Reply:
        request = exchange.request
        if request.path == _CONTROL:
            return self._controlled(request)
        self.exchanges.append(exchange)
        call = Call(request, self._planned(request))
        try:
            reply = self._routed(call)
        except Refusal as refusal:
            reply = refusal.reply
        except BadBody as exc:
            reply = self.refused(400, str(exc))
        return disturbed(msgspec.structs.replace(reply, script=call.script))

    def _routed(self, call: Call) -> Reply:
        is_known = False
        for method, pattern, answer in self._routes:
            found = pattern.fullmatch(call.request.path)
            if found is None:
                continue
            is_known = True
            if method == call.request.method:
                return answer(call, **found.groupdict())
        if is_known:
            return self.refused(405, "Method Not Allowed")
        return self.refused(404, "Not Found")

    def _planned(self, request: Request) -> Script:
        for plan in self._plans:
            if plan.path in request.path:
                if plan.left == 1:
                    self._plans.remove(plan)
                plan.left -= 1 if plan.left else 0
                return plan.script
        return Script()

    def _controlled(self, request: Request) -> Reply:
        if request.method == "DELETE":
            self.play_nothing()
        elif request.method == "PUT":
            times = request.query.get("times", "0")
            try:
                words = request.body.decode()
                self.play(
                    words, times=int(times) if times.isdecimal() else 0,
                    path=request.query.get("path", ""),
                )  # fmt: skip
            except (ConfigError, UnicodeDecodeError) as exc:
                return json_reply({"error": str(exc)}, status=400)
        elif request.method != "GET":
            return json_reply({"error": "GET, PUT or DELETE"}, status=405)
        return json_reply(
            {
                "platform": self.platform,
                "scenarios": self.scenarios(),
                "playing": [
                    {"script": plan.script.scenarios, "left": plan.left, "path": plan.path}
                    for plan in self._plans
                ],
                "asked": [
                    {
                        "method": one.request.method,
                        "path": one.request.path,
                        "status": one.status,
                        "outcome": one.outcome,
                    }
                    for one in self.exchanges
                ],
            }
        )


def json_reply(
    content: object, *, status: int = 200, headers: dict[str, str] | None = None
) -> Reply:
    """One JSON body."""
    return Reply(status=status, headers=headers or {}, events=[msgspec.json.encode(content)])


def labels_of(text: object) -> tuple[str, ...]:
    """`退货, 物流；其他` → the labels; of anything but text none."""
    if not isinstance(text, str):
        return ()
    return tuple(part.strip() for part in _BETWEEN.split(text) if part.strip())


def _pattern(path: str) -> re.Pattern[str]:
    """`/a/{b}` as an expression with a group `b`."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path)))
