"""The kinds of bots that an administrator may add. Owns what each is set up with and its making.

A kind has settings, which are shown and versioned, and secrets, which are not. Rule: what cannot be
made says in a sentence which field is wrong; nothing is asked of a platform here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from qingniao.bots.base import BotMisconfigured, BotService
from qingniao.bots.coze import CozeBot, CozeSettings
from qingniao.bots.coze_auth import CozeApp
from qingniao.bots.dify import DifyBot, DifySettings
from qingniao.bots.fastgpt import FastGPTBot, FastGPTSettings
from qingniao.bots.openai import OpenAIBot, OpenAISettings
from qingniao.bots.remote import RemoteBot, RemoteSettings
from qingniao.outgoing.client import Outgoing

__all__ = ["KINDS", "Kind", "make", "origin_of", "place_of"]

Fields = Mapping[str, Any]


class Kind(Struct, frozen=True, kw_only=True):
    """One kind. `secrets` are the names of its secret fields."""

    name: str
    secrets: tuple[str, ...]
    base_url: str
    """Where it is asked, if the settings do not say."""
    build: Callable[[Outgoing, Fields, str], BotService]


def _dify(outgoing: Outgoing, fields: Fields, name: str) -> BotService:
    return DifyBot(outgoing, msgspec.convert(fields, DifySettings), name=name)


def _fastgpt(outgoing: Outgoing, fields: Fields, name: str) -> BotService:
    return FastGPTBot(outgoing, msgspec.convert(fields, FastGPTSettings), name=name)


def _coze(outgoing: Outgoing, fields: Fields, name: str) -> BotService:
    """`app` and `key_id` beside the secret `private_key` are one thing to `CozeSettings`."""
    given = dict(fields)
    app = {field: given.pop(field) for field in ("app", "key_id", "private_key") if field in given}
    # The private key alone does not make it an application: a draft is tried with a stand-in for
    # each secret that it could have.
    if app.get("app") or app.get("key_id"):
        given["app"] = msgspec.convert(app, CozeApp)
    elif not given.get("token"):
        raise BotMisconfigured("A token, or an application with its private key, is missing.")
    return CozeBot(outgoing, msgspec.convert(given, CozeSettings), name=name)


def _openai(outgoing: Outgoing, fields: Fields, name: str) -> BotService:
    return OpenAIBot(outgoing, msgspec.convert(fields, OpenAISettings), name=name)


def _remote(outgoing: Outgoing, fields: Fields, name: str) -> BotService:
    return RemoteBot(outgoing, msgspec.convert(fields, RemoteSettings), name=name)


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(name="dify", secrets=("key",), base_url="https://api.dify.ai/v1", build=_dify),
        Kind(
            name="fastgpt",
            secrets=("key", "dataset_key"),
            base_url="https://api.fastgpt.in/api",
            build=_fastgpt,
        ),
        Kind(
            name="coze",
            secrets=("token", "private_key"),
            base_url="https://api.coze.cn",
            build=_coze,
        ),
        Kind(name="openai", secrets=("key",), base_url="https://api.openai.com/v1", build=_openai),
        Kind(name="remote", secrets=("key",), base_url="", build=_remote),
    )
}


def origin_of(kind: str, settings: Fields) -> str:
    """Which platform a bot of these settings asks: scheme, host and port of its address."""
    found = KINDS.get(kind)
    url = settings.get("base_url") or (found.base_url if found is not None else "")
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
        return f"{parts.scheme}://{parts.hostname or ''}:{port}"[:256]
    except ValueError:
        return ""


def place_of(bot: str, origin: str, field: str) -> str:
    """For what a secret is sealed: one field of one bot at one platform."""
    return f"bot/{bot}/{origin}/{field}"


def make(
    kind: str, settings: Fields, secrets: Mapping[str, str], outgoing: Outgoing, name: str
) -> BotService:
    """The bot. Raises `BotMisconfigured`."""
    found = KINDS.get(kind)
    if found is None:
        raise BotMisconfigured(f"There is no kind of bot called {kind}.")
    stray = [field for field in found.secrets if field in settings]
    if stray:
        raise BotMisconfigured(f"{stray[0]} is a secret and does not belong into the settings.")
    try:
        return found.build(outgoing, {**settings, **secrets}, name)
    except msgspec.ValidationError as exc:
        what, _, where = str(exc).partition(" - at ")
        field = where.strip("`").removeprefix("$.")
        raise BotMisconfigured(f"{field}: {what}." if field else f"{what}.") from exc
