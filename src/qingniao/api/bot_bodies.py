"""What travels about bots: requests and answers as in `docs/reference/http.md`.

Rule: a secret stands in what comes in and in nothing that goes out.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from qingniao.api.bot_uses import BotUse
from qingniao.bots.figures import BotFigures
from qingniao.storage.bot_records import BotFailure

__all__ = [
    "BotBack",
    "BotChange",
    "BotGone",
    "BotId",
    "BotInfo",
    "BotKind",
    "BotList",
    "BotTold",
    "BotTried",
    "BotTry",
    "BotVersion",
    "HouseBot",
]

BotId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


class BotVersion(Struct, frozen=True, kw_only=True):
    """Secrets are never among the settings."""

    version: int
    kind: str
    name: str
    status: str
    settings: dict[str, Any]
    policy: dict[str, Any]
    note: str
    updated: int


class BotInfo(Struct, frozen=True, kw_only=True):
    """A bot with its versions, newest first. `secrets` names those that are set for the newest
    version's platform; `missing` those of its kind that are not. `figures` are those of the last 24
    hours, `failure` the last one, whenever it was."""

    id: str
    versions: list[BotVersion]
    secrets: list[str]
    missing: list[str]
    figures: BotFigures = field(default_factory=BotFigures)
    failure: BotFailure | None = None
    uses: list[BotUse] = []


class HouseBot(Struct, frozen=True, kw_only=True):
    """The bot that comes with the house. It can be tried where the process that serves this also
    answers visitors."""

    id: str
    can_be_tried: bool
    figures: BotFigures
    failure: BotFailure | None
    uses: list[BotUse]


class BotGone(Struct, frozen=True, kw_only=True):
    """An id that is asked and answers nobody: there is no such bot, or it is not published."""

    id: str
    uses: list[BotUse]


class BotKind(Struct, frozen=True):
    name: str
    secrets: tuple[str, ...]
    base_url: str


class BotList(Struct, frozen=True):
    bots: list[BotInfo]
    kinds: list[BotKind]
    house: HouseBot
    gone: list[BotGone]
    first: str
    """Who answers where a flow names nobody."""


class BotChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole draft. `secrets` are written and never read; those left out stay as they are."""

    kind: Annotated[str, Meta(max_length=16)]
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    settings: dict[str, Any] = {}
    policy: dict[str, Any] = {}
    note: Annotated[str, Meta(max_length=256)] = ""
    secrets: dict[str, Annotated[str, Meta(max_length=16_384)]] = {}


class BotTry(Struct, frozen=True, kw_only=True):
    """`version` 0 is the newest. With a `text` the bot is asked it, otherwise how it is. `locale`
    is that of the visitor one pretends to be."""

    text: Annotated[str, Meta(max_length=4_000)] = ""
    version: Annotated[int, Meta(ge=0)] = 0
    locale: Annotated[str, Meta(max_length=16)] = "zh-CN"


class BotTried(Struct, frozen=True, kw_only=True):
    """What came back. `detail` is a sentence for an administrator."""

    is_ok: bool
    code: str = ""
    detail: str = ""
    text: str = ""
    citations: list[str] = []
    first_ms: int = 0
    took_ms: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    currency: str = ""
    confidence: float | None = None
    partial: bool = False
    actions: list[str] = []


class BotTold(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an answer that is being written: a piece, that the pieces so far are taken back,
    a sign of life, or the end."""

    delta: str = ""
    retracted: bool = False
    working: str | None = None
    done: BotTried | None = None


class BotBack(Struct, frozen=True):
    version: Annotated[int, Meta(ge=1)]
