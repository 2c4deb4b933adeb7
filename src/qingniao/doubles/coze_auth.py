"""Who may ask Coze: a personal access token, or one that a signed JWT was exchanged for.

Owns the key pair, the check of a JWT, and the tokens given out. Rule: a JWT counts once, an
exchanged token until its time is over.
"""

import base64
import binascii
from functools import lru_cache
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from msgspec import Struct

from qingniao.doubles.kept import Kept

__all__ = ["APP_ID", "KEY_ID", "PAT", "BadGrant", "Tokens", "private_key_pem"]

PAT: Final = "pat_double"
APP_ID: Final = "1180000000001"
KEY_ID: Final = "qingniao-double-key"
_LONGEST_S: Final = 3_600
"""A JWT may be valid for an hour at most."""
_LONGEST_TOKEN_S: Final = 86_399


class BadGrant(Exception):
    """The JWT is not one of ours; says why."""


class _Head(Struct):
    alg: str
    kid: str
    typ: str = "JWT"


class _Claims(Struct):
    iss: str
    aud: str
    iat: int
    exp: int
    jti: str
    session_name: str = ""


@lru_cache(1)
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def private_key_pem() -> str:
    """What the platform lets you download once: made for this process, worth nothing elsewhere."""
    return (
        _key()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


class Tokens:
    """Tokens given out, and JWTs that were used."""

    def __init__(self) -> None:
        self._until: Kept[float] = Kept()
        self._used: Kept[bool] = Kept()

    def is_good(self, token: str, now: float) -> bool:
        """The personal token always, others until their time is over."""
        return token == PAT or now < (self._until.get(token) or 0.0)

    def give(self, jwt: str, duration_s: int, token: str, host: str, now: float) -> int:
        """Check a JWT and let `token` count from now on; until when. Raises `BadGrant`."""
        claims = _checked(jwt)
        if claims.iss != APP_ID:
            raise BadGrant("the app does not exist")
        if claims.aud not in ("api.coze.cn", "api.coze.com", host, host.partition(":")[0]):
            raise BadGrant("the audience is not this site")
        # A minute of disagreement between two clocks is forgiven.
        if not claims.iat - 60 <= now < claims.exp <= claims.iat + _LONGEST_S:
            raise BadGrant("the JWT is expired, not yet valid, or valid for too long")
        if self._used.get(claims.jti):
            raise BadGrant("the JWT was used before")
        self._used[claims.jti] = True
        until = int(now) + min(duration_s, _LONGEST_TOKEN_S)
        self._until[token] = until
        return until


def _checked(jwt: str) -> _Claims:
    parts = jwt.split(".")
    if len(parts) != 3:
        raise BadGrant("no JWT")
    try:
        head = msgspec.json.decode(_unpacked(parts[0]), type=_Head)
        claims = msgspec.json.decode(_unpacked(parts[1]), type=_Claims)
        if (head.alg, head.kid) != ("RS256", KEY_ID):
            raise BadGrant("the public key does not exist")
        signed = f"{parts[0]}.{parts[1]}".encode()
        public = _key().public_key()
        public.verify(_unpacked(parts[2]), signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as exc:
        raise BadGrant("the signature is wrong") from exc
    except (msgspec.DecodeError, binascii.Error, ValueError) as exc:
        raise BadGrant("the JWT cannot be read") from exc
    return claims


def _unpacked(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
