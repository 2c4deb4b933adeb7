"""What travels about bots: requests and answers as in `docs/reference/http.md`.

Rule: a secret stands in what comes in and in nothing that goes out.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

__all__ = [
    "BotBack",
    "BotChange",
    "BotId",
    "BotInfo",
    "BotKind",
    "BotList",
    "BotTried",
    "BotTry",
    "BotVersion",
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
    version's platform; `missing` those of its kind that are not."""

    id: str
    versions: list[BotVersion]
    secrets: list[str]
    missing: list[str]


class BotKind(Struct, frozen=True):
    name: str
    secrets: tuple[str, ...]
    base_url: str


class BotList(Struct, frozen=True):
    bots: list[BotInfo]
    kinds: list[BotKind]


class BotChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole draft. `secrets` are written and never read; those left out stay as they are."""

    kind: Annotated[str, Meta(max_length=16)]
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    settings: dict[str, Any] = {}
    policy: dict[str, Any] = {}
    note: Annotated[str, Meta(max_length=256)] = ""
    secrets: dict[str, Annotated[str, Meta(max_length=16_384)]] = {}


class BotTry(Struct, frozen=True, kw_only=True):
    """`version` 0 is the newest. With a `text` the bot is asked it, otherwise how it is."""

    text: Annotated[str, Meta(max_length=4_000)] = ""
    version: Annotated[int, Meta(ge=0)] = 0


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


class BotBack(Struct, frozen=True):
    version: Annotated[int, Meta(ge=1)]
