"""Settings: one tree, documented in place, strict. Rule: a wrong setting stops the start by name.

Sources, later ones win: the defaults here; a TOML file (`--config`, `QINGNIAO_CONFIG`, or
`qingniao.toml` in the data folder); environment variables `QINGNIAO_<SECTION>_<KEY>`. A key
or a `QINGNIAO_` variable that does not exist is an error, with the nearest one that does.
"""

import difflib
import math
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from qingniao.errors import ConfigError
from qingniao.protocol.frames import Limits

__all__ = [
    "AIConfig",
    "ApiConfig",
    "BlobsConfig",
    "BusConfig",
    "Config",
    "DatabaseConfig",
    "GatewayConfig",
    "OutgoingConfig",
    "PipelineConfig",
    "StorageConfig",
    "WireConfig",
    "WorkersConfig",
    "load_config",
]


class GatewayConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sockets."""

    connections: int = 100_000
    """Open sockets, HTTP included, or as many as the system lets a process open; above it HTTP 503
    (policy: refuse)."""
    connections_each: int = 32
    """Connections of one visitor or agent at once; above it the new one closes with 3002 (policy:
    refuse)."""
    handshakes_waiting: int = 4_096
    """WebSocket handshakes waiting for their turn; above it HTTP 503 (policy: refuse)."""
    address_connections: int = 2_000
    """WebSockets of one address at once; above it HTTP 429 (policy: refuse). This machine's own
    addresses are not limited: what comes from there is a proxy, a test, or you."""
    address_handshakes: float = 50.0
    """WebSocket handshakes of one address a second, averaged over ten; above it HTTP 429 (policy:
    refuse)."""
    address_sends: float = 500.0
    """Sends of everybody at one address a second; above it `busy` (policy: refuse)."""
    requests: int = 1_024
    """`follow` and `history` frames waiting on one connection; above it close code 3506 (policy:
    disconnect)."""
    frames: int = 500
    """Frames other than sends of one connection in a second; above it close code 3506 (policy:
    disconnect)."""
    http_requests: int = 1_000
    """HTTP requests and connections at once; above it HTTP 503 (policy: refuse)."""
    outbox_bytes: int = 1_048_576
    """Bytes that may wait for one slow reader; above it the connection closes with 3008 (policy:
    disconnect). A page of history is the largest single thing that must fit."""
    outbox_soft_bytes: int = 65_536
    """Bytes waiting above which typing and deltas are left out (policy: drop_newest)."""
    outboxes_bytes: int = 268_435_456
    """Bytes waiting for all slow readers together; above it those with more than their share close
    with 3008 (policy: disconnect)."""
    head_timeout_ms: int = 10_000
    """Time for a client to send its HTTP request head. Slow heads are closed."""
    inbox_interval_ms: int = 250
    """How often agents hear of changed conversations in their lists."""
    inbox_changes: int = 500
    """Changed conversations per interval above which agents are told to reload."""
    notice_ms: int = 0
    """On SIGTERM: how long `/healthz` says "draining" before nobody is taken in any more. Behind a
    load balancer: longer than it takes to notice."""
    drain_ms: int = 5_000
    """After that: time to store what was accepted and to end what is under way. Three seconds later
    the process has ended, whatever hangs."""


class PipelineConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The one way in."""

    waiting: int = 8_192
    """Messages of visitors waiting to be stored; above it they hear `busy` (policy: refuse)."""
    waiting_staff: int = 8_192
    """The same for agents and workers, who have a line of their own and go first (policy:
    refuse)."""
    waiting_bytes: int = 33_554_432
    """Bytes waiting in either line; above it: `busy` (policy: refuse)."""
    batch: int = 512
    """Messages in one commit at most; a quarter of them visitors', if so many wait."""
    batch_bytes: int = 1_048_576
    """Bytes of the messages in one commit at most."""
    batch_ms: int = 10
    """How long one commit may hold the event loop, about: batches shrink to fit."""
    retry_after_ms: int = 40
    """What `busy` asks for when the intake is full, or half of it; longer if what waits takes
    longer to store."""


class StorageConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The message log."""

    heads: int = 20_000
    """Conversations whose state is kept in memory, about 1 KB each; the ones loaded first go first
    and are read again when needed (policy: drop_oldest)."""
    readers: int = 4
    """With PostgreSQL: connections of this process that read the log; who needs one more waits, and
    after `database.timeout_ms` it is an error (policy: refuse). One more commits."""
    retention_days: int = 0
    """With PostgreSQL: days after which messages are dropped, by whole months of storing; 0 keeps
    everything. Conversations keep their state; what is gone is shown to nobody."""


class DatabaseConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Business data: accounts, visitors, lists, knowledge, settings."""

    url: str = ""
    """`postgresql://user:password@host:port/name`, which several processes may share (several
    hosts, `?sslmode=` and the like as with `psql`); empty: one SQLite file in the data folder."""
    pool: int = 5
    """Connections of this process to PostgreSQL at most; who needs one more waits, and after
    `database.timeout_ms` it is an error (policy: refuse)."""
    timeout_ms: int = 10_000
    """The longest wait for PostgreSQL: to connect, for a free connection, for a statement. A
    transaction that is idle for so long is ended by the server."""


class BlobsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Contents of files, and what was built of the knowledge base for several processes."""

    url: str = ""
    """`s3://bucket/prefix`, `postgresql` (in the business database) or `file:///folder` (one that
    all processes see); empty: a folder in the data folder."""
    endpoint: str = ""
    """The object store's URL, if it is not Amazon's; else `AWS_ENDPOINT_URL` says it."""
    region: str = ""
    """Of the bucket; else `AWS_REGION` says it."""
    access_key: str = ""
    """Its key; else `AWS_ACCESS_KEY_ID` or the machine's role says it."""
    secret_key: str = ""
    """The secret to the key; else `AWS_SECRET_ACCESS_KEY` says it."""
    timeout_ms: int = 10_000
    """The longest wait for one answer of the object store."""


class WorkersConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens after a message is stored."""

    waiting: int = 100_000
    """Conversations waiting for one kind of worker; above it the hint is left out and the sweeper
    brings it again (policy: refuse)."""
    team_wait_ms: int = 60_000
    """How long a conversation waits for the team it was handed to, while somebody of that team is
    there and has no room; then everybody is asked. With nobody of it there, everybody is at once.
    """


class BusConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What several processes tell each other. Nothing rests on it: without it all is slower."""

    url: str = ""
    """Redis or Valkey: `redis://[user:password@]host:port[,host:port…][/database]`, or `rediss://`
    for TLS with `?ca=file`. What answers there, one server, sentinels (`?name=` if they watch
    several) or a cluster, is found out. Empty: in memory, for one process."""
    prefix: str = "qn"
    """In front of every key and channel; installations that share a Redis need different ones."""
    shards: int = 4
    """Streams that each kind of work is spread over. All processes must have the same."""
    waiting: int = 20_000
    """Commands that wait for servers that are away; above it they are left out, and read from the
    log (policy: drop_newest). Typing and drafts are left out at once."""
    deadline_ms: int = 2_000
    """A server that does not answer for so long is away."""
    claim_ms: int = 10_000
    """Work whose worker has not been heard of for so long is given to another: for so long a
    visitor waits for the answer of a worker that died."""
    tries: int = 5
    """Work that was taken over so often is set aside for ten minutes, and logged."""


class AIConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The flow's worker."""

    parallel: int = 32
    """Conversations answered at once; the others stay in line."""
    bot: str = ""
    """Id of the bot that answers where a flow names none; empty: the local one. Only until an
    administrator chooses one in the console."""
    while_answering: Literal["queue", "cancel"] = "queue"
    """What a visitor writes while a bot is answering waits until it has (`queue`), or stops it, and
    all of it is answered at once (`cancel`)."""


class ApiConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The HTTP interface."""

    visitors_per_minute: int = 120
    """New visitors' tokens per address and minute (policy: refuse, 429 with Retry-After). An office
    shares one address; raise it when a proxy hides all of them."""
    uploads_per_minute: int = 30
    """Uploads per person and minute (policy: refuse)."""
    trusted_proxies: str = ""
    """Addresses of proxies in front, comma-separated, whose X-Forwarded-For is believed."""


class OutgoingConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asking other machines, such as bot platforms."""

    allow: str = ""
    """What may be asked although it is inside the network, comma-separated: networks such as
    10.1.0.0/16, addresses, or host names, wherever those lead. `*` allows everything."""
    connections: int = 2_000
    """Connections to other machines at once; above it a request waits, and fails after its time to
    connect (policy: refuse)."""
    connections_each: int = 1_000
    """The same to one machine (policy: refuse)."""


class WireConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one connection may do; sent to clients as `welcome.limits`."""

    frame_bytes: int = 65_536
    body_chars: int = 4_000
    credit: int = 32
    rate: float = 10.0
    agent_rate: float = 100.0
    follows: int = 512
    beat_ms: int = 45_000
    hello_ms: int = 10_000
    replay: int = 100
    file_bytes: int = 20_971_520

    def limits(self, *, agent: bool) -> Limits:
        """The limits of one side."""
        return Limits(
            frame_bytes=self.frame_bytes,
            body_chars=self.body_chars,
            credit=self.credit,
            rate=self.agent_rate if agent else self.rate,
            follows=self.follows,
            beat_ms=self.beat_ms,
            hello_ms=self.hello_ms,
            replay=self.replay,
            file_bytes=self.file_bytes,
        )


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set."""

    host: str = "127.0.0.1"
    """Address to listen on. The default is reachable from this machine only."""
    port: int = 8080
    data: str = "data"
    """Folder of everything that must survive: logs, database, files, keys."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    public_url: str = ""
    """The address visitors see, such as https://chat.example.com; default: as requested."""
    gateway: GatewayConfig = GatewayConfig()
    pipeline: PipelineConfig = PipelineConfig()
    storage: StorageConfig = StorageConfig()
    database: DatabaseConfig = DatabaseConfig()
    blobs: BlobsConfig = BlobsConfig()
    bus: BusConfig = BusConfig()
    workers: WorkersConfig = WorkersConfig()
    ai: AIConfig = AIConfig()
    api: ApiConfig = ApiConfig()
    wire: WireConfig = WireConfig()
    outgoing: OutgoingConfig = OutgoingConfig()


_SECTIONS: Final = {
    "gateway": GatewayConfig,
    "pipeline": PipelineConfig,
    "storage": StorageConfig,
    "database": DatabaseConfig,
    "blobs": BlobsConfig,
    "bus": BusConfig,
    "workers": WorkersConfig,
    "ai": AIConfig,
    "api": ApiConfig,
    "wire": WireConfig,
    "outgoing": OutgoingConfig,
}
_MAY_BE_ZERO: Final = frozenset({"gateway.notice_ms", "storage.retention_days"})
_PREFIX: Final = "QINGNIAO_"
_NOT_SETTINGS: Final = frozenset(
    {"QINGNIAO_CONFIG", "QINGNIAO_PASSWORD", "QINGNIAO_REQUIRE_ENGINES"}
)


def load_config(
    environ: Mapping[str, str] | None = None, file: Path | None = None, **given: Any
) -> Config:
    """Read the settings. `given` (command line) wins over everything. Raises `ConfigError`."""
    environ = os.environ if environ is None else environ
    from_env = _from_environ(environ)
    path = file or (Path(environ["QINGNIAO_CONFIG"]) if environ.get("QINGNIAO_CONFIG") else None)
    if path is None:
        beside = Path(given.get("data") or from_env.get("data") or Config().data) / "qingniao.toml"
        path = beside if beside.is_file() else None
    tree = _from_file(path) if path is not None else {}
    for source in (from_env, {k: v for k, v in given.items() if v is not None}):
        for key, value in source.items():
            if isinstance(value, dict):
                tree.setdefault(key, {}).update(value)
            else:
                tree[key] = value
    try:
        config = msgspec.convert(tree, Config, strict=False)
    except msgspec.ValidationError as exc:
        raise ConfigError(_said(exc)) from exc
    _validate(config)
    return config


def _from_file(path: Path) -> dict[str, Any]:
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise ConfigError(f"The configuration file {path} cannot be read: {exc.strerror}.") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"The configuration file {path} is not TOML: {exc}.") from exc
    for key, value in tree.items():
        _known(key, Config.__struct_fields__, f"{path}: ")
        if key in _SECTIONS:
            if not isinstance(value, dict):
                raise ConfigError(f"{path}: {key} is a section: write [{key}] above its keys.")
            for inner in value:
                _known(inner, _SECTIONS[key].__struct_fields__, f"{path}: [{key}] ")
    return tree


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    names = {
        f"{_PREFIX}{key}".upper(): (key,)
        for key in Config.__struct_fields__
        if key not in _SECTIONS
    } | {
        f"{_PREFIX}{section}_{key}".upper(): (section, key)
        for section, struct in _SECTIONS.items()
        for key in struct.__struct_fields__
    }
    tree: dict[str, Any] = {}
    for name, value in environ.items():
        if not name.startswith(_PREFIX) or name in _NOT_SETTINGS:
            continue
        _known(name, tuple(names), "environment variable ")
        where = names[name]
        if len(where) == 1:
            tree[where[0]] = value
        else:
            tree.setdefault(where[0], {})[where[1]] = value
    return tree


def _said(exc: msgspec.ValidationError) -> str:
    what, _, where = str(exc).partition(" - at ")
    key = where.strip("`").removeprefix("$.")
    return f"Wrong setting: {key}: {what}. docs/reference/settings.md says what it takes."


def _known(key: str, known: tuple[str, ...], where: str) -> None:
    if key in known:
        return
    # What all names begin with says nothing about how near they are.
    short = {name.removeprefix(_PREFIX): name for name in known}
    near = difflib.get_close_matches(key.removeprefix(_PREFIX), short, 1)
    hint = (
        f" Did you mean {short[near[0]]}?"
        if near
        else " docs/reference/settings.md lists them all."
    )
    raise ConfigError(f"Unknown setting: {where}{key}.{hint}")


def _validate(config: Config) -> None:
    if not 0 <= config.port <= 65_535:
        raise ConfigError(f"port must be between 0 and 65535, got {config.port}.")
    if config.blobs.url == "postgresql" and not config.database.url:
        raise ConfigError("blobs.url is postgresql, but database.url names no database.")
    for section in _SECTIONS:
        for key in _SECTIONS[section].__struct_fields__:
            value = getattr(getattr(config, section), key)
            if f"{section}.{key}" in _MAY_BE_ZERO and value == 0:
                continue
            if not isinstance(value, str) and not 0 < value < math.inf:
                raise ConfigError(f"{section}.{key} must be greater than 0, got {value}.")
    if config.pipeline.batch < 2:
        raise ConfigError("pipeline.batch must be at least 2: one for each line.")
    if config.pipeline.batch_bytes < 4 * config.wire.frame_bytes:
        raise ConfigError("pipeline.batch_bytes must be at least four times wire.frame_bytes.")
    if config.gateway.outbox_bytes < config.gateway.outbox_soft_bytes:
        raise ConfigError("gateway.outbox_bytes must not be below gateway.outbox_soft_bytes.")
