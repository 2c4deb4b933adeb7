"""What waits for slow readers, all of them together. Owns the bound that one of them has now.

A connection is noted here when it is written to and has not taken what came before; who reads is
never looked at. Rule: while all of them together are within `outboxes_bytes`, each may have
`outbox_bytes`; beyond, each may have its share, and who has more is closed with SLOW.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from qingniao.config import GatewayConfig
from qingniao.metrics import Reading

if TYPE_CHECKING:
    from qingniao.gateway.client_socket import ClientSocket

__all__ = ["Outboxes"]

_LOOK_AGAIN: Final = 16
"""Between the heart's looks, one more whenever the total has grown by one in so many."""


class Outboxes:
    """The connections that are behind."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self.soft = config.outbox_soft_bytes
        """Bytes waiting above which typing and deltas are left out."""
        self.limit = config.outbox_bytes
        """Bytes that may wait for one connection now."""
        self._behind: dict[ClientSocket, None] = {}
        self._total = 0
        self._grown = 0
        self.dropped = self.slow = 0

    def note(self, connection: "ClientSocket", size: int) -> None:
        """`size` more bytes wait for a connection that has not taken the ones before."""
        self._behind[connection] = None
        self._grown += size
        config = self._config
        if self._total + self._grown > config.outboxes_bytes and (
            self._grown > config.outboxes_bytes // _LOOK_AGAIN
        ):
            self.look()

    def look(self) -> None:
        """Add up, and close those that have more than their share if there is too little room."""
        config = self._config
        total = 0
        for connection in list(self._behind):
            if waiting := connection.unsent:
                total += waiting
            else:
                del self._behind[connection]
        self._total, self._grown = total, 0
        self.limit = config.outbox_bytes
        if total > config.outboxes_bytes:
            self.limit = max(self.soft, config.outboxes_bytes // len(self._behind))
            for connection in list(self._behind):
                if connection.unsent > self.limit:
                    connection.bye_slow()

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        waiting = [connection.unsent for connection in self._behind]
        yield "gauge", "outbox_bytes", "Bytes that slow readers have not taken.", sum(waiting)
        yield "gauge", "outbox_bytes_most", "The most of one of them.", max(waiting, default=0)
        yield "gauge", "outbox_readers", "Readers that are behind.", len(waiting)
        yield "counter", "whispers_dropped", "Typing and deltas left out.", self.dropped
        yield "counter", "slow_closed", "Connections closed with SLOW.", self.slow
