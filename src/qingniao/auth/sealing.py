"""Secrets at rest: other people's keys, encrypted by a key that is derived from the signing keys.

    "1." key number "." nonce (12 B) with AES-256-GCM's output, in URL-safe base64

The database alone, or a copy of it, gives nothing away. Rule: what is sealed for one place opens
nowhere else: the place is authenticated with it.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Final

from qingniao.auth.keys import KeyRing
from qingniao.errors import QingniaoError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["SealBroken", "Sealer"]

_VERSION: Final = "1"
_PURPOSE: Final = b"qingniao secrets at rest"
_NONCE_BYTES: Final = 12


class SealBroken(QingniaoError):
    """A stored key cannot be read any more: the signing key it was sealed with is gone."""

    code = "seal_broken"


class Sealer:
    """Seals with the newest key, opens with any that the ring still has."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def seal(self, secret: str, place: str) -> str:
        """Encrypt `secret` for `place`, such as `bot/shop/https://api.dify.ai:443/key`."""
        number = self._keys.current
        nonce = secrets.token_bytes(_NONCE_BYTES)
        box = _box(self._keys, number).encrypt(nonce, secret.encode(), place.encode())
        return f"{_VERSION}.{number}.{urlsafe_b64encode(nonce + box).decode()}"

    def open(self, sealed: str, place: str) -> str:
        """The secret again. Raises `SealBroken`."""
        # Loaded where it is used: an installation without such secrets never pays for it.
        from cryptography.exceptions import InvalidTag

        try:
            version, number, text = sealed.split(".")
            if version != _VERSION:
                raise SealBroken
            content = urlsafe_b64decode(text)
            box = _box(self._keys, int(number))
            nonce, rest = content[:_NONCE_BYTES], content[_NONCE_BYTES:]
            return box.decrypt(nonce, rest, place.encode()).decode()
        except (ValueError, InvalidTag) as exc:
            raise SealBroken from exc


def _box(keys: KeyRing, number: int) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = keys.get(number)
    if key is None:
        raise SealBroken
    # HKDF of one block (RFC 5869): the ring's keys are uniform, and each purpose gets its own.
    drawn = hmac.digest(_PURPOSE, key, hashlib.sha256)
    return AESGCM(hmac.digest(drawn, _PURPOSE + b"\x01", hashlib.sha256))
