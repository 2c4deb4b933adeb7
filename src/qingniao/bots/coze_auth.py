"""Coze's tokens: a personal one as it is, or one that is had for a signed JWT and renewed in time.

Rule: one request for a token at a time, whatever the number of conversations; a token that was
refused is never used again.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from msgspec import Struct

from qingniao.bots.base import BotError, BotMisconfigured
from qingniao.bots.fields import as_text, says
from qingniao.bots.http import Endpoint, bearer, by_status
from qingniao.outgoing.client import Outgoing

__all__ = ["CozeApp", "JwtTokens", "PersonalToken", "Tokens", "signed"]

TOKEN_S: Final = 86_399
JWT_S: Final = 600
EARLY_S: Final = 120.0
"""A token is renewed so long before it ends."""
_ABSOLUTE: Final = 1_000_000_000
"""Above it `expires_in` is a moment, below it a duration: the platform has been seen to send the
former and its documents speak of the latter."""

Clock = Callable[[], float]


class CozeApp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OAuth application of the kind JWT: its id, the id of its public key and the private key,
    in PEM."""

    app: str
    key_id: str
    private_key: str


class Tokens(Protocol):
    """Where a token comes from."""

    async def token(self) -> str:
        """One that is good now. Raises `BotError`."""
        ...

    def refused(self, token: str) -> bool:
        """It was not accepted. True: another can be had, so trying once more makes sense."""
        ...


class PersonalToken:
    """A token that somebody made by hand."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self) -> str:
        return self._token

    def refused(self, token: str) -> bool:
        return False


class JwtTokens:
    """Tokens for an OAuth application, renewed before they end."""

    def __init__(
        self,
        outgoing: Outgoing,
        base_url: str,
        app: CozeApp,
        *,
        clock: Clock = time.time,
        connect_s: float = 5.0,
    ) -> None:
        self._app = app
        self._clock = clock
        self._token = ""
        self._ends_s = 0.0
        self._asking = asyncio.Lock()
        self._endpoint = Endpoint(
            outgoing, base_url, reading=_read_fault, connect_s=connect_s, idle_s=20.0
        )

    async def token(self) -> str:
        async with self._asking:
            if self._token and self._clock() < self._ends_s - EARLY_S:
                return self._token
            # The key is read and used off the loop: both are slow mathematics.
            assertion = await asyncio.to_thread(
                signed, self._app, self._endpoint.host, self._clock()
            )
            told = await self._endpoint.call(
                "POST",
                "/api/permission/oauth2/token",
                {
                    "duration_seconds": TOKEN_S,
                    "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                },
                headers=bearer(assertion),
            )
            token = as_text(told.get("access_token"))
            if not token:
                raise BotMisconfigured("Coze gave no token for this application's key.")
            expires = told.get("expires_in")
            number = float(expires) if isinstance(expires, int | float) else 0.0
            self._ends_s = number if number > _ABSOLUTE else self._clock() + number
            self._token = token
            return token

    def refused(self, token: str) -> bool:
        if token == self._token:
            self._token = ""
        return True


def signed(app: CozeApp, audience: str, now_s: float) -> str:
    """A JWT by which the application proves itself. Raises `BotMisconfigured`."""
    # Heavy to load, and most installations have no such application.
    from base64 import urlsafe_b64encode

    import msgspec
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(app.private_key.strip().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise BotMisconfigured(
            "The private key cannot be read: paste the whole PEM file, its first and last line too."
        ) from exc
    if not isinstance(key, rsa.RSAPrivateKey):
        raise BotMisconfigured("The private key is not an RSA key, as Coze makes them.")

    def part(content: dict[str, Any]) -> bytes:
        return urlsafe_b64encode(msgspec.json.encode(content)).rstrip(b"=")

    head = part({"alg": "RS256", "typ": "JWT", "kid": app.key_id})
    claims = part(
        {
            "iss": app.app,
            "aud": audience,
            "iat": int(now_s),
            "exp": int(now_s) + JWT_S,
            "jti": secrets.token_hex(16),
        }
    )
    signature = key.sign(head + b"." + claims, padding.PKCS1v15(), hashes.SHA256())
    return b".".join((head, claims, urlsafe_b64encode(signature).rstrip(b"="))).decode()


def _read_fault(status: int, body: dict[str, Any], wait_s: float) -> BotError | None:
    if status < 400 and "access_token" in body:
        return None
    said = as_text(body.get("error_message")) or as_text(body.get("msg"))
    said = said or as_text(body.get("error_description")) or as_text(body.get("error"))
    if status == 429 or status >= 500:
        return by_status("Coze", status, wait_s, said)
    return BotMisconfigured(
        "Coze does not accept this application: is its id, its key's id and its key right?"
        f"{says(said)}"
    )
