"""`bus.url`: one line that names the servers. Owns its grammar; refuses to connect.

    redis://host:6379                       one server, a cluster's node, or a sentinel: asked which
    redis://user:secret@a:6379,b:6379/2     several of them, and a database
    rediss://a:6380?ca=/etc/redis/ca.pem    over TLS, with that authority
    redis://a:26379,b:26379?name=chat       sentinels that watch more than one primary

Rule: a password is never part of a text that is shown.
"""

import ssl
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

from qingniao.errors import ConfigError

__all__ = ["Address", "Servers", "parse_url"]

_PORT: Final = 6379
_KEYS: Final = ("ca", "name")

Address = tuple[str, int]
"""Host and port."""


class Servers(Struct, frozen=True, kw_only=True):
    """Where to begin looking, and what to say at the door."""

    seeds: tuple[Address, ...]
    user: str = ""
    password: str = ""
    database: int = 0
    name: str = ""
    """Of the primary, where sentinels watch several."""
    tls: bool = False
    ca: str = ""
    """File of the authority that signed the servers' certificates; "" for the system's."""

    def __repr__(self) -> str:
        return f"Servers({', '.join(f'{host}:{port}' for host, port in self.seeds)})"

    def context(self) -> ssl.SSLContext | None:
        """For TLS. Reads a file: not on the event loop. Raises `ConfigError`."""
        if not self.tls:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca or None)
        except OSError as exc:
            raise ConfigError(f"bus.url: the file {self.ca} cannot be read.") from exc


def parse_url(url: str) -> Servers:
    """Raises `ConfigError`, without the password."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss"):
        raise ConfigError("bus.url must begin with redis:// or rediss://.")
    said, _, hosts = parts.netloc.rpartition("@")
    user, _, password = said.partition(":")
    seeds = tuple(_address(host) for host in hosts.split(",") if host)
    if not seeds:
        raise ConfigError("bus.url names no server.")
    database = parts.path.strip("/")
    if database and not database.isdecimal():
        raise ConfigError("bus.url: what follows the servers must be a database's number.")
    query = parse_qs(parts.query, keep_blank_values=True)
    for key in query:
        if key not in _KEYS:
            raise ConfigError(f"bus.url: there is no ?{key}=; there are {', '.join(_KEYS)}.")
    return Servers(
        seeds=seeds,
        user=unquote(user),
        password=unquote(password),
        database=int(database or 0),
        name=query.get("name", [""])[-1],
        tls=parts.scheme == "rediss",
        ca=query.get("ca", [""])[-1],
    )


def _address(text: str) -> Address:
    if text.startswith("["):  # [::1]:6379
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    if not host or (port and not (port.isdecimal() and 0 < int(port) < 65_536)):
        raise ConfigError("bus.url: a server is written as host:port.")
    return host, int(port or _PORT)
