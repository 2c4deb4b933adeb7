"""What a WebSocket's handshake becomes: a picows protocol with a `Connection` as its listener.

Imported only where WebSockets are taken. Rule: this is the only file that touches a non-public
class of picows (`picows.picows.WSProtocol`), so it is pinned exactly in `pyproject.toml`.
"""

import logging
from typing import Any, Final

from picows import WSUpgradeRequest
from picows.common import WSUpgradeResponseWithListener
from picows.picows import WSAutoPingStrategy, WSProtocol  # type: ignore[attr-defined]

from qingniao.gateway.connection import Connection
from qingniao.gateway.handshake import answer
from qingniao.gateway.hub import Hub

__all__ = ["Upgrade"]

_READ_BUFFER: Final = 2_048
# A LoggerAdapter keeps picows from making one logger per connection.
_picows_log: Final = logging.LoggerAdapter(logging.getLogger("picows"), {})


class Upgrade:
    """Makes the protocols of the hub's connections."""

    def __init__(self, hub: Hub) -> None:
        services = hub.services
        self._hub = hub
        self._limits = services.wire.limits(agent=False)
        """Of a connection that has yet to say whose it is."""
        # A little above ours, so that TOO_LARGE can be said in our own words.
        self._most_bytes = services.wire.frame_bytes * 4
        self._timeout_s = services.config.head_timeout_ms / 1000

    def protocol(self, network: str) -> Any:
        """For a socket from there, whose request head comes next."""
        return WSProtocol(
            None, None, False, lambda request: self._listen(request, network), _picows_log,
            False,  # disconnect_on_exception: our handlers answer with `bye`
            self._timeout_s,
            False, 0, 0, WSAutoPingStrategy.PING_WHEN_IDLE,  # the heart beats for all
            False,  # enable_auto_pong: `Connection` answers, also between fragments
            self._most_bytes, None, _READ_BUFFER,
        )  # fmt: skip

    def _listen(self, request: WSUpgradeRequest, network: str) -> Any:
        codec, response = answer(request)
        connection: Connection | None = None
        if codec is not None:
            now_ms = self._hub.services.clock()
            connection = Connection(self._hub, codec, self._limits, now_ms, network)
        return WSUpgradeResponseWithListener(response, connection)
