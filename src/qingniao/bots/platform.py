"""What every bot behind a platform's HTTP interface shares: its name, and how it is looked at.

Rule: a subclass says what a platform told of itself; that it failed or stayed silent is said here.
"""

import asyncio
from abc import ABC, abstractmethod
from typing import Final

from qingniao.bots.base import BotError, Health
from qingniao.bots.http import Endpoint

__all__ = ["PlatformBot"]

HEALTH_S: Final = 5.0


class PlatformBot(ABC):
    """Implements `name` and `health` of `BotService` for what is asked at one endpoint."""

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        self._endpoint = endpoint
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    async def health(self) -> Health:
        """See `BotService.health`."""
        try:
            async with asyncio.timeout(HEALTH_S):
                return await self._look()
        except TimeoutError:
            return Health(is_ok=False, detail=f"{self._endpoint.host} stayed silent for too long.")
        except BotError as exc:
            return Health(is_ok=False, detail=str(exc))

    @abstractmethod
    async def _look(self) -> Health:
        """Ask the platform how it is. Raises `BotError`."""
