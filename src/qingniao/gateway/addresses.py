"""Where connections come from. Owns how much one address may open and say.

Rule: a header is believed only from a proxy that we were told about, and this machine's own
addresses are not limited: an unlisted proxy here would otherwise be one visitor with many faces.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

from qingniao.auth import RateLimit, network_of
from qingniao.clock import Clock
from qingniao.config import GatewayConfig
from qingniao.metrics import Reading
from qingniao.protocol.allowance import Allowance

__all__ = ["Addresses"]

_FORWARDED: Final = re.compile(rb"^x-forwarded-for:(.*)$", re.IGNORECASE | re.MULTILINE)
_BURST_S: Final = 10
"""An office comes back at once after its line was down."""
_FULL_MS: Final = 30_000
"""When to try again where all places of an address are taken."""


class _Network:
    """Who is here from one address."""

    __slots__ = ("connections", "sends")

    def __init__(self, sends: Allowance) -> None:
        self.connections = 0
        self.sends = sends


class Addresses:
    """The networks with open connections; bounded by the connections."""

    def __init__(self, config: GatewayConfig, proxies: frozenset[str], clock: Clock) -> None:
        self._config = config
        self._proxies = proxies
        self._clock = clock
        self._networks: dict[str, _Network] = {}
        rate = config.address_handshakes
        self._handshakes = RateLimit(per_s=rate, burst=max(1, int(rate * _BURST_S)), clock=clock)
        self.refused = 0

    def network(self, peer: str, head: bytes) -> str:
        """What a connection from `peer` with this request head counts as; "": not limited."""
        if peer in self._proxies:
            # The last entry is the one our own proxy wrote; those before it came from outside.
            written = b",".join(_FORWARDED.findall(head)).rpartition(b",")[2].strip()
            peer = written.decode("latin-1")
        # A socket of the file system has no address.
        return "" if not peer or _is_here(peer) else network_of(peer)

    def refusal(self, network: str) -> int:
        """Count a handshake. 0: go ahead. Otherwise: not now, and in how many milliseconds."""
        if not network:
            return 0
        wait = self._handshakes.take(network)
        known = self._networks.get(network)
        if known is not None and known.connections >= self._config.address_connections:
            wait = max(wait, _FULL_MS)
        self.refused += wait > 0
        return wait

    def enter(self, network: str) -> Allowance | None:
        """One more connection; what those from there may send together (`None`: no limit)."""
        if not network:
            return None
        known = self._networks.get(network)
        if known is None:
            sends = Allowance(self._config.address_sends, self._clock())
            known = self._networks[network] = _Network(sends)
        known.connections += 1
        return known.sends

    def leave(self, network: str) -> None:
        """One connection less."""
        known = self._networks.get(network)
        if known is not None:
            known.connections -= 1
            if not known.connections:
                del self._networks[network]

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        most = max((network.connections for network in self._networks.values()), default=0)
        yield "gauge", "address_connections_most", "WebSockets of the busiest address.", most
        yield "counter", "address_refused", "Handshakes refused to an address.", self.refused


def _is_here(peer: str) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
