"""The WebSocket tests run on the loop that `qingniao serve` runs on: its sockets close and buffer
in their own way."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """pytest-asyncio asks for each test."""
    if item.path.name.startswith("test_websocket_"):
        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}
