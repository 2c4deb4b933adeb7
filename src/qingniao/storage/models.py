"""The tables of the business database. Owns their shape; `migrations/` owns how they came to it.

Rule: every table here is what the migrations add up to (a test compares the two), and only types
that SQLite and PostgreSQL both have are used. Times are milliseconds since 1970-01-01 UTC.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

__all__ = [
    "alembic_version",
    "conversations",
    "counters",
    "cursors",
    "files",
    "flows",
    "knowledge",
    "metadata",
    "rollups",
    "sessions",
    "site",
    "users",
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

# SQLite numbers rows by itself only if the key's type is exactly INTEGER.
_Number: Final = BigInteger().with_variant(Integer(), "sqlite")

users: Final = Table(
    "users",
    metadata,
    Column("id", _Number, primary_key=True),
    Column("login", String(64), nullable=False, unique=True),
    Column("name", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password", String(256), nullable=False),
    Column("locale", String(16), nullable=False),
    Column("accepting", Boolean, nullable=False),
    Column("must_change_password", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
)

sessions: Final = Table(
    "sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("user", _Number, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False, index=True),
    Column("expires", BigInteger, nullable=False),
    Column("user_agent", String(256), nullable=False),
)

visitors: Final = Table(
    "visitors",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("conversation", BigInteger, nullable=False, index=True),
    Column("name", String(64), nullable=False),
    Column("phone", String(32), nullable=False),
    Column("email", String(128), nullable=False),
    Column("note", Text, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("locale", String(16), nullable=False),
    Column("page", String(1024), nullable=False),
    Column("title", String(256), nullable=False),
    Column("referrer", String(1024), nullable=False),
    Column("browser", String(256), nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
)

conversations: Final = Table(
    "conversations",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=False),
    Column("visitor", String(32), nullable=False),
    Column("visitor_name", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("assignee", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("session", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("preview", Text, nullable=False),
    Column("sender", String(32), nullable=False),
    Column("why", String(64), nullable=False),
    Column("read_visitor", BigInteger, nullable=False),
    Column("read_agent", BigInteger, nullable=False),
    Index("ix_conversations_all", "time", "id"),
    Index("ix_conversations_waiting", "status", "since", "id"),
    Index("ix_conversations_mine", "assignee", "status", "time", "id"),
)

counters: Final = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("next", BigInteger, nullable=False),
)

cursors: Final = Table(
    "cursors",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False),
)

site: Final = Table(
    "site",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("value", JSON, nullable=False),
)

knowledge: Final = Table(
    "knowledge",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("title", String(256), nullable=False),
    Column("question", Text, nullable=False),
    Column("alternatives", JSON, nullable=False),
    Column("answer", Text, nullable=False),
    Column("category", String(64), nullable=False),
    Column("updated", BigInteger, nullable=False, index=True),
)

flows: Final = Table(
    "flows",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("name", String(128), nullable=False),
    Column("status", String(16), nullable=False, index=True),
    Column("graph", JSON, nullable=False),
    Column("updated", BigInteger, nullable=False),
)

rollups: Final = Table(
    "rollups",
    metadata,
    Column("hour", BigInteger, primary_key=True),
    Column("metric", String(64), primary_key=True),
    Column("label", String(64), primary_key=True),
    Column("value", Float, nullable=False),
)

files: Final = Table(
    "files",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(256), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mime", String(128), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("owner", String(64), nullable=False, index=True),
    Column("created", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("path", String(256), nullable=False),
)

# Alembic's own table, known to us so that a start need not load Alembic to read one word.
alembic_version: Final = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
