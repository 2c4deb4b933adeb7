"""The server under load, and how its visitors and agents get in.

Owns the server of our own when no other is named, and the ways to a visitor's token: signed here
with the keys of a data folder that may be read, or asked for over HTTP as any page does. Rule: a
server that says "later" is asked later.
"""

import asyncio
import contextlib
import http.client
import json
import re
import secrets
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from qingniao.auth import KeyRing, Signer
from qingniao.clock import wall_ms
from qingniao.errors import ConfigError, StartError
from qingniao.replay.house import Api, OwnServer

__all__ = ["SETTINGS", "Asked", "Minted", "Target", "answering", "own_server"]

SETTINGS: Final = {
    # All agents of a load are one account.
    "QINGNIAO_GATEWAY_CONNECTIONS_EACH": "100000",
    # Everybody comes from one machine here, and says more than a person would: what the limits are
    # there to slow down is what is to be measured.
    "QINGNIAO_LOG_LEVEL": "error",
    "QINGNIAO_API_VISITORS_PER_MINUTE": "1000000",
    "QINGNIAO_WIRE_RATE": "1000000",
    "QINGNIAO_WIRE_AGENT_RATE": "1000000",
}
"""Of a server of our own."""

_TIMEOUT_S: Final = 30.0
_FRESH: Final = 1_000_000
"""Conversations of a server of our own begin here, far from those that it gives itself."""


class Target(Protocol):
    """A server and its doors."""

    url: str

    async def visitors(self, count: int, came: Callable[[int], None]) -> list[tuple[str, int]]:
        """Tokens of as many new visitors, each with its conversation. `came` hears how many there
        are. Raises `StartError`."""
        ...

    async def ticket(self) -> str:
        """What agents say hello with, good for a minute. Raises `StartError`."""
        ...


class _Agents:
    """The account that all agents share: each of them is one more browser of it."""

    def __init__(self, url: str, login: str, password: str, new_password: str = "") -> None:
        self.url = url.rstrip("/")
        self._login, self.password, self._new_password = login, password, new_password
        self._api = Api(url)
        self._is_signed_in = False

    async def ticket(self) -> str:
        """See `Target`."""
        try:
            if not self._is_signed_in:
                await self._api.sign_in(self._login, self.password, self._new_password)
                self.password = self._new_password or self.password
                self._is_signed_in = True
            return await self._api.ticket()
        except StartError as exc:
            raise StartError(f"Agents cannot sign in as {self._login}: {_said(exc)}") from exc


def _said(refusal: StartError) -> str:
    """The server's own sentence, out of its answer."""
    found = re.search(r'"text":"([^"]+)"', str(refusal))
    return found[1] if found else str(refusal)


class Minted(_Agents):
    """Signs the tokens itself: costs the server nothing, and is quick."""

    def __init__(
        self, url: str, data: Path, login: str, password: str, *, own: bool = False
    ) -> None:
        """`own`: nobody else's conversations are in there. Raises `ConfigError`."""
        super().__init__(url, login, password, secrets.token_urlsafe(12) if own else "")
        keys = data / "keys"
        if not keys.is_file():
            raise ConfigError(f"--data {data} is not a server's data folder: it has no keys.")
        self._signer = Signer(KeyRing.open(keys))
        # Numbers that no conversation has: of another server's we know only how many a millisecond
        # could have brought.
        self._next = _FRESH if own else wall_ms() * 1_000

    async def visitors(self, count: int, came: Callable[[int], None]) -> list[tuple[str, int]]:
        """See `Target`."""
        first, self._next = self._next, self._next + count
        now = wall_ms()
        numbers = range(first, first + count)
        tokens = [(self._signer.visitor(f"load{n}", n, now)[0], n) for n in numbers]
        came(count)
        return tokens


class Asked(_Agents):
    """Asks over HTTP for each visitor, as a page does, and as slowly as the server wants."""

    async def visitors(self, count: int, came: Callable[[int], None]) -> list[tuple[str, int]]:
        """See `Target`."""
        made: list[tuple[str, int]] = []
        connection = await asyncio.to_thread(self._connect)
        try:
            while len(made) < count:
                answer = await asyncio.to_thread(self._ask, connection)
                if isinstance(answer, float):
                    # Meanwhile the server may end a connection that is quiet: the next call opens
                    # another.
                    connection.close()
                    await asyncio.sleep(answer)
                    continue
                made.append(answer)
                came(len(made))
        finally:
            connection.close()
        return made

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        sort = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        return sort(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)

    def _ask(self, connection: http.client.HTTPConnection) -> tuple[str, int] | float:
        """A token and its conversation, or the seconds to wait."""
        try:
            headers = {"Content-Type": "application/json", "X-Qingniao": "1"}
            connection.request("POST", "/api/v1/visitors", b"{}", headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 429:
                return float(answer.headers.get("Retry-After") or 1)
            if answer.status != 200:
                raise StartError(
                    f"{self.url} gives no visitor's token: {answer.status} "
                    f"{body.decode(errors='replace')[:200]}"
                )
            made = json.loads(body)
            return str(made["token"]), int(made["conversation"])
        except (OSError, http.client.HTTPException) as exc:
            raise StartError(f"{self.url} cannot be reached: {exc}.") from exc
        except (ValueError, KeyError, TypeError) as exc:
            raise StartError(f"{self.url} does not answer as a Qingniao server does.") from exc


async def answering(url: str) -> None:
    """Is a Qingniao server there? Raises `StartError` when not."""
    request = urllib.request.Request(f"{url.rstrip('/')}/api/v1/site")  # noqa: S310  their URL
    try:
        answer = await asyncio.to_thread(urllib.request.urlopen, request, timeout=_TIMEOUT_S)
        with answer:
            is_ours = "greeting" in json.loads(answer.read())
    except (urllib.error.HTTPError, http.client.HTTPException, ValueError, TypeError):
        is_ours = False
    except OSError as exc:
        why = exc.reason if isinstance(exc, urllib.error.URLError) else exc
        raise StartError(f"{url} cannot be reached: {why}.") from exc
    if not is_ours:
        raise StartError(f"{url} does not answer as a Qingniao server does.")


@contextlib.asynccontextmanager
async def own_server(settings: dict[str, str] | None = None) -> AsyncIterator[Minted]:
    """A server of our own on a free port, with an empty folder that goes with it."""
    async with OwnServer(SETTINGS | (settings or {})) as server:
        yield Minted(server.url, server.data, "admin", server.password, own=True)
