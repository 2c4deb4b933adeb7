"""The installation's signing keys. Owns one file in the data folder, readable by its owner only;
several processes share theirs through `storage/keys.py` instead.

Rule: keys are added, never changed. The newest signs; every key that is kept verifies, so that
tokens outlive a rotation until the operator deletes the old one.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from qingniao.errors import StartError

__all__ = ["KeyRing"]

KEY_BYTES: Final = 32
HIGHEST_NUMBER: Final = 255
"""A key's number travels in one byte of each token."""


class KeyRing:
    """Numbered keys. One line of the file is `<number> <64 hexadecimal digits>`."""

    def __init__(self, keys: Mapping[int, bytes], *, current: int = 0) -> None:
        self.replace(keys, current=current)

    def replace(self, keys: Mapping[int, bytes], *, current: int = 0) -> None:
        """These are the keys from now on; `current` of them signs, the newest if it is 0. Raises
        `StartError`, and nothing changed, if they are no keys."""
        if not keys:
            raise StartError("There is no signing key.")
        for number, key in keys.items():
            if not 1 <= number <= HIGHEST_NUMBER or len(key) != KEY_BYTES:
                raise StartError(f"Signing key {number} is not a key of {KEY_BYTES} bytes.")
        self._keys = dict(keys)
        self.current = current if current in self._keys else max(self._keys)

    @classmethod
    def fresh(cls) -> "KeyRing":
        """With a first key that nobody has seen."""
        return cls({1: secrets.token_bytes(KEY_BYTES)})

    @property
    def keys(self) -> Mapping[int, bytes]:
        """All of them, by number. Not to be shown."""
        return self._keys

    @classmethod
    def open(cls, path: Path) -> "KeyRing":
        """Read the keys, or make the first one. Blocks on the disk: call it at start."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                _write(path, cls.fresh().keys)
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
            lines = path.read_text("ascii").splitlines()
            keys = {
                int(number): bytes.fromhex(key)
                for number, key in (line.split() for line in lines if line.strip())
            }
        except (OSError, ValueError) as exc:
            raise StartError(f"The signing keys in {path} cannot be read: {exc}") from exc
        return cls(keys)

    @classmethod
    def rotate(cls, path: Path) -> "KeyRing":
        """Add a key that signs from now on. Tokens signed before stay valid."""
        ring = cls.open(path)
        if ring.current == HIGHEST_NUMBER:
            raise StartError(f"{path} holds key {HIGHEST_NUMBER}, the last number there is.")
        keys = ring._keys | {ring.current + 1: secrets.token_bytes(KEY_BYTES)}
        _write(path, keys)
        return cls(keys)

    def get(self, number: int) -> bytes | None:
        """The key of that number, if this installation still accepts it."""
        return self._keys.get(number)


def _write(path: Path, keys: Mapping[int, bytes]) -> None:
    text = "".join(f"{number} {key.hex()}\n" for number, key in sorted(keys.items()))
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    # The mode is given at creation: at no moment can another user open the file.
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
