"""The guard of outgoing addresses. Owns what counts as inside; refuses to resolve or connect.

An administrator may type any address, and what is typed must not reach this machine, its
neighbours or the cloud's metadata service. Rule: what is judged is the address that is connected
to, never its name: a name may mean something else a moment later.
"""

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from qingniao.errors import ConfigError
from qingniao.outgoing.errors import AddressRefused

__all__ = ["Guard", "is_inside"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
"""IPv4 in the last 32 bits; long out of use, and still understood by some systems."""
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")


def is_inside(address: Address) -> bool:
    """Would this address be reached without leaving the house? Everything that is not plainly on
    the public Internet counts, and so does an IPv4 address that another form wraps."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _LOCAL_NAT64:
            return True
        wrapped = _wrapped(address)
        if wrapped is not None:
            return is_inside(wrapped)
        if address.is_site_local:
            return True
    return (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or address.is_loopback
    )


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or address in _COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


class Guard:
    """Judges addresses. `allow` holds what may be asked although it is inside: networks such as
    `10.1.0.0/16`, single addresses, or names such as `dify.internal`, wherever those lead. `*`
    allows everything. Raises `ConfigError` for anything else."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        networks: list[Network] = []
        names: set[str] = set()
        self._everything = False
        for entry in allow:
            if entry == "*":
                self._everything = True
                continue
            try:
                networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                name = entry.lower().rstrip(".")
                if not name or any(c in name for c in "/:@*? "):
                    raise ConfigError(
                        f"outgoing.allow: {entry!r} is neither a network nor a host name."
                    ) from None
                names.add(name)
        self._networks = tuple(networks)
        self._names = frozenset(names)

    @classmethod
    def of(cls, written: str) -> "Guard":
        """From a setting: entries separated by commas."""
        return cls(entry.strip() for entry in written.split(",") if entry.strip())

    def admits(self, host: str, address: str) -> bool:
        """May `address` be connected to, for the sake of `host`?"""
        if self._everything or host.lower().rstrip(".") in self._names:
            return True
        try:
            # A zone (`fe80::1%eth0`) belongs to a link, and a link is inside.
            judged = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if not is_inside(judged):
            return True
        plain = _wrapped(judged) if isinstance(judged, ipaddress.IPv6Address) else None
        return any(
            judged in network or (plain is not None and plain in network)
            for network in self._networks
        )

    def check(self, url: str) -> None:
        """Refuse what can be refused before a name is resolved. Raises `AddressRefused`."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise AddressRefused("This is not an address: it cannot be read.") from None
        if parts.scheme not in ("http", "https"):
            raise AddressRefused("An address must begin with https:// or http://.")
        if not host:
            raise AddressRefused("The address names no host.")
        if parts.username is not None or parts.password is not None:
            raise AddressRefused(
                "A name or password does not belong into an address: there is a field for the key."
            )
        try:
            ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return
        if not self.admits(host, host):
            raise self.refusal(host)

    @staticmethod
    def refusal(host: str) -> AddressRefused:
        """The sentence for the person who typed it."""
        return AddressRefused(
            f"{host} is inside this network. If that is meant, let an operator add it to "
            "`outgoing.allow`."
        )
