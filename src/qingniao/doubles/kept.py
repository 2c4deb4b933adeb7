"""What a platform remembers, by id. Rule: bounded; beyond the bound the oldest is forgotten."""

from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["Kept"]

T = TypeVar("T")


class Kept(Generic[T]):
    """What a platform remembers: by id, the oldest forgotten beyond a bound."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._all: dict[str, T] = {}

    def __setitem__(self, key: str, value: T) -> None:
        self._all[key] = value
        if len(self._all) > self._most:
            del self._all[next(iter(self._all))]

    def get(self, key: str) -> T | None:
        """Nothing for an id that is not known, or no longer."""
        return self._all.get(key)

    def forget(self, key: str) -> None:
        """Also one that is not known."""
        self._all.pop(key, None)

    def names(self) -> list[str]:
        """The ids, oldest first."""
        return list(self._all)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._all.values()))
