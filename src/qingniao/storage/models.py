"""The tables of the business database. Owns their shape; `migrations/` owns how they came to it.

Rule: every table here is what the migrations add up to (a test compares the two), and only types
that SQLite and PostgreSQL both have are used. Times are milliseconds since 1970-01-01 UTC.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect

__all__ = [
    "alembic_version",
    "arrivals",
    "blob_pieces",
    "blobs",
    "bot_secrets",
    "bot_usage",
    "bots",
    "conversations",
    "counters",
    "cursors",
    "files",
    "flow_secrets",
    "flow_timers",
    "flows",
    "knowledge",
    "metadata",
    "rollups",
    "sessions",
    "signing_keys",
    "site",
    "team_members",
    "teams",
    "users",
    "versions",
    "visitors",
]

metadata: Final = MetaData(
    # Named constraints can be altered later; SQLite's anonymous ones cannot.
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Bind = Callable[[Any], Any]


def _fitting(limit: int | None) -> _Bind:
    """PostgreSQL refuses what SQLite takes: a NUL in a text, and more than the column holds. What
    people write is checked where it comes in; what gets here all the same must not make a
    projection fail for ever, so it is cut."""

    def fit(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return (value.replace("\0", "") if "\0" in value else value)[:limit]

    return fit


class _Word(TypeDecorator[str]):
    """A text with a limit."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self._limit = length

    def bind_processor(self, dialect: Dialect) -> _Bind | None:
        return _fitting(self._limit) if dialect.name == "postgresql" else None


class _Words(TypeDecorator[str]):
    """A text without one."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> _Bind | None:
        return _fitting(None) if dialect.name == "postgresql" else None


# SQLite numbers rows by itself only if the key's type is exactly INTEGER.
_Number: Final = BigInteger().with_variant(Integer(), "sqlite")

users: Final = Table(
    "users",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("login", _Word(64), nullable=False, unique=True),
    Column("name", _Word(64), nullable=False),
    Column("role", _Word(16), nullable=False),
    Column("password", _Word(256), nullable=False),
    Column("locale", _Word(16), nullable=False),
    Column("accepting", Boolean, nullable=False),
    Column("must_change_password", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("id", _Word(32), primary_key=True),
    Column("token_hash", _Word(64), nullable=False, unique=True),
    Column("user", _Number, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False, index=True),
    Column("expires", BigInteger, nullable=False),
    Column("user_agent", _Word(256), nullable=False),
)

teams: Final = Table(
    "teams",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=False),
    Column("name", _Word(64), nullable=False),
    # Without case a name can be three times as long.
    Column("folded", _Word(192), nullable=False, unique=True),
    Column("description", _Words, nullable=False),
    Column("created", BigInteger, nullable=False),
)

team_members: Final = Table(
    "team_members",
    metadata,
    Column("team", _Number, ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "user", _Number, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    ),
)

visitors: Final = Table(
    "visitors",
    metadata,
    Column("id", _Word(32), primary_key=True),
    Column("conversation", BigInteger, nullable=False, index=True),
    Column("name", _Word(64), nullable=False),
    Column("phone", _Word(32), nullable=False),
    Column("email", _Word(128), nullable=False),
    Column("note", _Words, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("locale", _Word(16), nullable=False),
    Column("page", _Word(1024), nullable=False),
    Column("title", _Word(256), nullable=False),
    Column("referrer", _Word(1024), nullable=False),
    Column("browser", _Word(256), nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
)

conversations: Final = Table(
    "conversations",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=False),
    Column("visitor", _Word(32), nullable=False),
    Column("visitor_name", _Word(64), nullable=False),
    Column("status", _Word(16), nullable=False),
    Column("assignee", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("session", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("preview", _Words, nullable=False),
    Column("sender", _Word(32), nullable=False),
    Column("why", _Word(64), nullable=False),
    Column("read_visitor", BigInteger, nullable=False),
    Column("read_agent", BigInteger, nullable=False),
    Index("ix_conversations_all", "time", "id"),
    Index("ix_conversations_waiting", "status", "since", "id"),
    Index("ix_conversations_mine", "assignee", "status", "time", "id"),
)

counters: Final = Table(
    "counters",
    metadata,
    Column("name", _Word(32), primary_key=True),
    Column("next", BigInteger, nullable=False),
)

cursors: Final = Table(
    "cursors",
    metadata,
    Column("name", _Word(64), primary_key=True),
    Column("position", BigInteger, nullable=False),
)

site: Final = Table(
    "site",
    metadata,
    Column("key", _Word(32), primary_key=True),
    Column("value", JSON, nullable=False),
)

knowledge: Final = Table(
    "knowledge",
    metadata,
    Column("id", _Word(64), primary_key=True),
    Column("title", _Word(256), nullable=False),
    Column("question", _Words, nullable=False),
    Column("alternatives", JSON, nullable=False),
    Column("answer", _Words, nullable=False),
    Column("category", _Word(64), nullable=False),
    Column("updated", BigInteger, nullable=False, index=True),
)

flows: Final = Table(
    "flows",
    metadata,
    Column("id", _Word(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("name", _Word(128), nullable=False),
    Column("status", _Word(16), nullable=False, index=True),
    Column("graph", JSON, nullable=False),
    Column("updated", BigInteger, nullable=False),
)

flow_timers: Final = Table(
    "flow_timers",
    metadata,
    Column("conversation", _Number, primary_key=True, autoincrement=False),
    Column("due", BigInteger, nullable=False, index=True),
)

flow_secrets: Final = Table(
    "flow_secrets",
    metadata,
    Column("origin", _Word(256), primary_key=True),
    Column("name", _Word(64), primary_key=True),
    Column("sealed", _Words, nullable=False),
    Column("updated", BigInteger, nullable=False),
)

bots: Final = Table(
    "bots",
    metadata,
    Column("id", _Word(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("kind", _Word(16), nullable=False),
    Column("name", _Word(128), nullable=False),
    Column("status", _Word(16), nullable=False, index=True),
    Column("settings", JSON, nullable=False),
    Column("policy", JSON, nullable=False),
    Column("note", _Word(256), nullable=False),
    Column("updated", BigInteger, nullable=False),
)

bot_secrets: Final = Table(
    "bot_secrets",
    metadata,
    Column("bot", _Word(64), primary_key=True),
    Column("origin", _Word(256), primary_key=True),
    Column("field", _Word(32), primary_key=True),
    Column("sealed", _Words, nullable=False),
    Column("updated", BigInteger, nullable=False),
)

bot_usage: Final = Table(
    "bot_usage",
    metadata,
    Column("bot", _Word(64), primary_key=True),
    Column("period", BigInteger, primary_key=True),
    Column("tokens", BigInteger, nullable=False),
    Column("cost", Float, nullable=False),
    Column("replies", BigInteger, nullable=False),
)

rollups: Final = Table(
    "rollups",
    metadata,
    Column("hour", BigInteger, primary_key=True),
    Column("metric", _Word(64), primary_key=True),
    Column("label", _Word(64), primary_key=True),
    Column("value", Float, nullable=False),
)

files: Final = Table(
    "files",
    metadata,
    Column("id", _Word(32), primary_key=True),
    Column("name", _Word(256), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mime", _Word(128), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("owner", _Word(64), nullable=False, index=True),
    Column("created", BigInteger, nullable=False),
    Column("sha256", _Word(64), nullable=False),
    Column("path", _Word(256), nullable=False),
)

blobs: Final = Table(
    "blobs",
    metadata,
    Column("path", _Word(512), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("sha256", _Word(64), nullable=False),
)

blob_pieces: Final = Table(
    "blob_pieces",
    metadata,
    Column("path", _Word(512), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

arrivals: Final = Table(
    "arrivals",
    metadata,
    Column("visitor", _Word(32), primary_key=True),
    Column("conversation", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
    Column("locale", _Word(16), nullable=False),
    Column("page", _Word(1024), nullable=False),
    Column("title", _Word(256), nullable=False),
    Column("referrer", _Word(1024), nullable=False),
    Column("browser", _Word(256), nullable=False),
)

versions: Final = Table(
    "versions",
    metadata,
    Column("name", _Word(64), primary_key=True),
    Column("version", _Word(64), nullable=False),
    Column("source", _Word(64), nullable=False),
    Column("built", _Word(64), nullable=False),
    Column("sha256", _Word(64), nullable=False),
    Column("builder", _Word(64), nullable=False),
    Column("builds_until", BigInteger, nullable=False),
)

signing_keys: Final = Table(
    "signing_keys",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", _Word(64), nullable=False),
    Column("created", BigInteger, nullable=False),
)

# Alembic's own table, known to us so that a start need not load Alembic to read one word.
alembic_version: Final = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
