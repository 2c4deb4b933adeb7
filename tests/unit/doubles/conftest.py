"""What every test of a double asks with."""

from collections.abc import AsyncIterator

import httpx
import pytest
from doubles_house import Client


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
        yield Client(http)
