"""Columns that no script can fill: why we have a dependency, what a field of the wire means.

Rule: what we ask for ourselves has a reason here (a test looks); what others bring has one only if
it needs a remark.
"""

from typing import Final

__all__ = ["BROWSER", "LEFT_OUT", "PYTHON", "WIRE"]

PYTHON: Final = {
    "aiosqlite": "SQLite behind SQLAlchemy's asyncio interface",
    "aiohttp": "asking bot platforms over HTTP: a third of httpx's CPU for each piece of a stream",
    "alembic": "migrations of the business database",
    "asyncpg": "PostgreSQL: the message log and business data of several processes",
    "argon2-cffi": "password hashes (Argon2id)",
    "cryptography": "signs for Coze (RS256) and keeps bots' keys encrypted on disk",
    "greenlet": "SQLAlchemy's asyncio half cannot work without it",
    "hiredis": "Redis's replies, parsed in C (with several processes)",
    "httptools": "uvicorn's HTTP parser in C",
    "litestar": "HTTP routing, validation and OpenAPI from msgspec structs",
    "msgspec": "MessagePack and JSON, typed; the frames and all records",
    "multipart": "uploads, parsed as they arrive",
    "obstore": "S3 and what speaks it: contents of files, parcels of knowledge",
    "picows": "WebSockets at half of the CPU of the next best",
    "prometheus-client": "the text format of `/metrics`",
    "rocksdict": "RocksDB: the message log",
    "sqlalchemy": "the business database",
    "tantivy": "full-text index of the knowledge base",
    "uvicorn": "HTTP/1.1 for everything that is not a WebSocket",
    "uvloop": "the event loop",
}
"""What `pyproject.toml` names."""

LEFT_OUT: Final = {
    "faker": "test data of polyfactory, never imported by the server",
    "mdurl": "for rich's Markdown, never used by the server",
    "markdown-it-py": "rich's Markdown, never used by the server",
    "pygments": "rich's colours for code, never used by the server",
}
"""Weight that comes with others and that an image may leave out."""

BROWSER: Final = {
    "@ant-design/icons": "icons that belong to antd",
    "@dagrejs/dagre": "flows put in order from left to right; comes with the canvas only",
    "@tanstack/react-query": "fetching, caching and paging of lists",
    "@xyflow/react": "the canvas on which flows are drawn; comes when one is opened",
    "antd": "the console's controls",
    "i18next": "texts in Chinese and English, plurals by locale",
    "react": "the console",
    "react-dom": "the console",
    "react-i18next": "i18next's binding to React",
}

WIRE: Final = {
    "frame_bytes": "The largest message with all its fragments; above it: close code 3505.",
    "body_chars": "Characters in one text or note; above it `error` 112.",
    "credit": "Unacked sends under way on one connection; then reading from it pauses.",
    "rate": "Sends a second of a visitor, averaged; above it `busy`.",
    "agent_rate": "The same for an agent.",
    "follows": "Conversations that one connection may follow; above it `error` 117.",
    "beat_ms": "A quiet connection is pinged so often; silence for twice that: code 3009.",
    "hello_ms": "Time from the handshake to `hello`; after it: close code 3502.",
    "replay": "Entries sent after one `follow`; older ones are paged with `history`.",
    "file_bytes": "The largest upload; above it HTTP 413.",
    "port": "Port to listen on; 0 takes any free one.",
    "log_level": "How much is logged; `debug` includes personal data: not for production.",
    "log_format": "`text` for people, `json` for machines; one line an event on standard error.",
}
"""For fields whose meaning is the wire's: `docs/reference/protocol.md`, section 7."""
