"""Passwords: hashing, checking, judging and inventing them.

Rule: the time a check takes does not tell whether the login exists, and at most two checks run at
once, so that a storm of sign-ins costs at most 2 × 19 MiB and leaves the loop free.
"""

import asyncio
import secrets
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from qingniao.auth.errors import PasswordTooWeak

if TYPE_CHECKING:
    from argon2 import PasswordHasher

__all__ = ["MAX_CHARS", "MIN_CHARS", "Passwords", "check_strength", "one_time_password"]

MIN_CHARS: Final = 10
MAX_CHARS: Final = 256
"""Argon2 reads every byte: an upper bound keeps a megabyte of password from costing anything."""

_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""No i, l, o, 0 or 1: it is read from a terminal and typed by hand."""

_WELL_KNOWN: Final = frozenset(
    word
    for line in """
    0123456789 0987654321 1029384756 1122334455 1234512345 1234567890 12345678910 123456789a
    123456789q 1234qwerasdf 147258369a 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc 5201314520 9876543210
    a123456789 aa12345678 abc123456789 abcd123456 abcdefghij administrator admin12345 admin123456
    asdfghjkl1 asdfghjkl; changeme123 customerservice football123 helloworld iloveyou123
    iloveyou520 kefu123456 letmein123 letmein1234 motdepasse password01 password12 password123
    password1234 password12345 passw0rd123 p@ssw0rd123 p@ssword123 princess123 q123456789
    qazwsxedcrfv qingniao123 qq123456789 qwe123456789 qwer123456 qwerty1234 qwerty12345
    qwerty123456 qwertyuiop qwertyuiop123 rootroot123 superadmin sunshine123 test123456
    test1234567 trustno1234 welcome123 welcome1234 woaini1314 woaini1314520 woaini520 zaq12wsxcde3
    zxcvbnm123 zxcvbnm,./
    """.splitlines()
    for word in line.split()
)


def check_strength(password: str, *, login: str = "") -> None:
    """Raise `PasswordTooWeak` with the reason. Length first: it is what protects."""
    if len(password) < MIN_CHARS:
        raise PasswordTooWeak(f"A password needs at least {MIN_CHARS} characters.")
    if len(password) > MAX_CHARS:
        raise PasswordTooWeak(f"A password has at most {MAX_CHARS} characters.")
    plain = password.casefold()
    if plain in _WELL_KNOWN or len(set(plain)) < 4 or _is_a_row(plain):
        raise PasswordTooWeak("This password is among the first that would be tried.")
    name = login.casefold()
    if len(name) >= 4 and name in plain and len(plain) - len(name) < 6:
        raise PasswordTooWeak("A password must not be made from the login.")


def _is_a_row(text: str) -> bool:
    """Do all characters go up, or down, one by one?"""
    steps = {ord(b) - ord(a) for a, b in pairwise(text)}
    return len(steps) == 1 and abs(steps.pop()) <= 1


def one_time_password() -> str:
    """Four groups of four, about 79 bits: `k3fm-x9qa-72hd-wnpe`."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


class Passwords:
    """Argon2id with 19 MiB, two passes, one lane: OWASP's first recommendation, ~30 ms here.

    Each hash carries its own parameters; `needs_rehash` tells when ours have moved on.
    """

    def __init__(self, *, memory_kib: int = 19 * 1024, passes: int = 2) -> None:
        self._memory_kib = memory_kib
        self._passes = passes
        self._room = asyncio.Semaphore(2)
        self._engine: PasswordHasher | None = None
        self._dummy = ""

    async def hash(self, password: str) -> str:
        """The text to store."""
        async with self._room:
            return await asyncio.to_thread(self._hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Is it the right one? With `stored` None it works as long, and says no."""
        if len(password) > MAX_CHARS:
            return False
        async with self._room:
            return await asyncio.to_thread(self._verify, stored, password)

    def needs_rehash(self, stored: str) -> bool:
        """Was it made with other parameters than today's?"""
        return self._hasher().check_needs_rehash(stored)

    def _hash(self, password: str) -> str:
        return self._hasher().hash(password)

    def _verify(self, stored: str | None, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        hasher = self._hasher()
        if stored is None and not self._dummy:
            self._dummy = hasher.hash(secrets.token_urlsafe(16))
        try:
            return hasher.verify(stored or self._dummy, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False

    def _hasher(self) -> "PasswordHasher":
        # Imported on the first use: it loads cffi, and the start need not wait for that.
        from argon2 import PasswordHasher, Type

        if self._engine is None:
            self._engine = PasswordHasher(
                time_cost=self._passes,
                memory_cost=self._memory_kib,
                parallelism=1,
                type=Type.ID,
            )
        return self._engine
