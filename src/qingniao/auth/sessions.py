"""Server-side sessions: what the browser holds, what the server keeps, and when it ends.

Rule: only the SHA-256 of a token is ever stored, so that a copy of the database signs nobody in.
A plain hash is enough because the token is 256 random bits: there is nothing to guess.
"""

import secrets
from hashlib import sha256

from msgspec import Struct

__all__ = ["SessionPolicy", "new_session_token", "token_hash"]


class SessionPolicy(Struct, frozen=True, kw_only=True):
    """How long a session lives. Times in milliseconds."""

    idle_ms: int = 12 * 3600 * 1000
    """Longer than a shift, so that nobody signs in twice a day; short enough for a shared desk."""
    absolute_ms: int = 14 * 24 * 3600 * 1000
    touch_ms: int = 60 * 1000
    """`last_seen` is written at most this often: one disk write a minute per active agent."""

    def is_over(self, *, created: int, last_seen: int, now_ms: int) -> bool:
        """Has it been idle or alive for too long?"""
        return now_ms - last_seen >= self.idle_ms or now_ms - created >= self.absolute_ms


def new_session_token() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What the server keeps of a token, in hexadecimal."""
    return sha256(token.encode()).hexdigest()
