"""Agents who were signed out elsewhere while nobody could say so: their connections end too.

Owns that look; refuses to end a session. Rule: nothing rests on being told; what the database says
holds within half a minute.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

from qingniao.bus.base import SignOut
from qingniao.errors import StorageError
from qingniao.log import get_logger

__all__ = ["SignedIn"]

_log: Final = get_logger("runtime")
_LOOK_S: Final = 20.0


class Ask(Protocol):
    """The part of `storage.users.Sessions` that is read here."""

    async def get(self, session: str, /) -> object | None:
        """`None`: there is no such session any more."""
        ...


class SignedIn:
    """Compares the sessions behind this gateway's connections with those that there are."""

    def __init__(
        self,
        here: Callable[[], Iterable[str]],
        sessions: Ask,
        end: Callable[[SignOut], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`here`: the sessions of the agents connected here; `end` closes one's connections."""
        self._here = here
        self._sessions = sessions
        self._end = end
        self._sleep = sleep

    async def run(self) -> None:
        """Look every now and then, until cancelled."""
        while True:
            await self._sleep(_LOOK_S)
            try:
                await self.look()
            except StorageError as exc:
                _log.warning("sessions_not_read", reason=str(exc))

    async def look(self) -> None:
        """Ask for each session once. Raises `StorageError`."""
        for session in sorted(set(self._here())):
            if await self._sessions.get(session) is None:
                self._end(SignOut(session))
