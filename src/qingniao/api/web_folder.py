"""The console, the demonstration shop and the widget: files that the web build left in one folder.

Owns their caching, compression and policies. Rule: a path is looked up among the files that exist;
nothing outside of the folder can be named.
"""

import asyncio
import gzip
import hashlib
import mimetypes
import re
from collections import OrderedDict
from pathlib import Path, PurePosixPath
from typing import Final

from msgspec import Struct

__all__ = ["Page", "WebFolder"]

KEPT_BYTES: Final = 16 * 1024 * 1024
"""Contents kept in memory, those asked for longest ago go first (policy: drop_oldest)."""

# The build's hash: eight characters or more, a digit or a capital among them.
_HASHED: Final = re.compile(r"[.-](?=[\w-]*[A-Z0-9])[\w-]{8,}\.[a-z0-9]+$", re.ASCII)
_COMPRESSIBLE: Final = re.compile(r"^(text/|application/(javascript|json|manifest)|image/svg)")
_TYPES: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".svg": "image/svg+xml",
    ".map": "application/json",
}

CONSOLE_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""antd writes its styles into the page, hence `'unsafe-inline'` for styles; never for scripts."""
DEMO_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)


class Page(Struct, frozen=True, kw_only=True):
    """One file, ready to be sent. `packed` is its gzip form, empty if that is not smaller."""

    content: bytes
    packed: bytes
    etag: str
    headers: tuple[tuple[str, str], ...]


class WebFolder:
    """The folder, with a bounded memory of what was asked for."""

    def __init__(self, root: Path, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._root = root
        self._kept_bytes = kept_bytes
        self._bytes = 0
        self._pages: OrderedDict[str, Page] = OrderedDict()

    async def page(self, path: str) -> Page | None:
        """What is at a URL path; `None` if nothing is. `/console/…` falls back to its index."""
        name = _name_of(path)
        if name is None:
            return None
        kept = self._pages.get(name)
        if kept is not None:
            self._pages.move_to_end(name)
            return kept
        page = await asyncio.to_thread(self._load, name)
        if page is None and name.startswith("console/") and "." not in name.rpartition("/")[2]:
            # An address within the application: its own router knows it.
            return await self.page("/console/index.html")
        if page is not None and name not in self._pages:
            self._pages[name] = page
            self._bytes += _weight(page)
            while self._bytes > self._kept_bytes and len(self._pages) > 1:
                self._bytes -= _weight(self._pages.popitem(last=False)[1])
        return page

    def _load(self, name: str) -> Page | None:
        path = self._root / name
        if not path.is_file() or not path.resolve().is_relative_to(self._root.resolve()):
            return None
        content = path.read_bytes()
        mime = _TYPES.get(path.suffix) or mimetypes.guess_type(name)[0]
        mime = mime or "application/octet-stream"
        packed = b""
        if _COMPRESSIBLE.match(mime):
            beside = path.with_name(path.name + ".gz")
            packed = beside.read_bytes() if beside.is_file() else gzip.compress(content, 9, mtime=0)
        return Page(
            content=content,
            packed=packed if len(packed) < len(content) else b"",
            etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
            headers=_headers(name, mime),
        )


def _name_of(path: str) -> str | None:
    """A path within the folder, or `None` for what cannot be one."""
    if "\\" in path or "\0" in path:
        return None
    name = path.lstrip("/")
    if not name or name.endswith("/"):
        name += "index.html"
    parts = PurePosixPath(name).parts
    if any(part.startswith(".") for part in parts) or name.endswith(".gz"):
        return None
    return "/".join(parts)


def _headers(name: str, mime: str) -> tuple[tuple[str, str], ...]:
    text = mime.startswith("text/") or mime in ("application/json", "image/svg+xml")
    headers = [("Content-Type", f"{mime}; charset=utf-8" if text else mime)]
    public = name == "widget.js" or name.startswith("widget/")
    if public:
        # Pasted into other people's pages.
        headers.append(("Access-Control-Allow-Origin", "*"))
        headers.append(("Cross-Origin-Resource-Policy", "cross-origin"))
    if mime == "text/html":
        policy = CONSOLE_POLICY if name.startswith("console/") else DEMO_POLICY
        headers.append(("Content-Security-Policy", policy))
        headers.append(("Cache-Control", "no-cache"))
    elif _HASHED.search(name):
        headers.append(("Cache-Control", "public, max-age=31536000, immutable"))
    elif public:
        headers.append(("Cache-Control", "public, max-age=300"))
    else:
        headers.append(("Cache-Control", "no-cache"))
    return tuple(headers)


def _weight(page: Page) -> int:
    return len(page.content) + len(page.packed)
