"""Files: taking them in and giving them out.

The type is told by content and the name is made harmless (`media_types`). Rule: what a visitor
uploaded must not run on our origin: every answer carries `nosniff` and a sandboxing policy, and
only raster images are shown in place.
"""

import re
import secrets
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import quote

from litestar import Request, Response, Router, get, post
from litestar.handlers.base import BaseRouteHandler
from litestar.params import FromPath
from litestar.response import Stream
from msgspec import UNSET

from qingniao.api.bodies import FileAnswer, FileInfo
from qingniao.api.faults import (
    BadUpload,
    MustChangePassword,
    NotFound,
    SignedOut,
    TooLarge,
    TooManyTries,
    TypeNotAllowed,
)
from qingniao.api.identity import Connection, Here, check_intent, identify
from qingniao.api.media_types import HEAD_BYTES, safe_name, sniff
from qingniao.api.multipart import one_file
from qingniao.api.services import Services
from qingniao.auth import BadToken
from qingniao.storage.blobs import BlobWriter
from qingniao.storage.rows import FileRow

__all__ = ["content", "router"]

_INLINE: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})
_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


async def known(connection: Connection, _handler: BaseRouteHandler) -> None:
    """A visitor by token, or an agent by cookie."""
    services: Services = connection.app.state["services"]
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        try:
            claim = services.signer.read_visitor(token.strip(), services.clock())
        except BadToken as exc:
            raise SignedOut from exc
        connection.state["owner"] = f"v{claim.visitor}"
        return
    check_intent(connection)
    identity = await identify(connection, services)
    if identity is None:
        raise SignedOut
    if identity.user.must_change_password:
        raise MustChangePassword
    connection.state["owner"] = f"a{identity.user.id}"


# The body is measured while it is read: the limit is a setting, the framework's is fixed here.
@post("/", guards=[known], status_code=200, request_max_body_size=None)
async def upload(request: Request[Any, Any, Any], services: Here) -> FileAnswer:
    """Store one file; the answer goes into a `file` entry."""
    owner: str = request.state["owner"]
    wait_ms = await services.upload_limit.take(owner)
    if wait_ms:
        raise TooManyTries(wait_ms)
    if (request.content_length or 0) > services.file_bytes + 16 * 1024:
        raise TooLarge
    writer = await services.blobs.create()
    try:
        row = await _receive(request, services, writer, owner)
    finally:
        await writer.abort()
    await services.files.add(row)
    return FileAnswer(
        FileInfo(
            id=row.id,
            name=row.name,
            size=row.size,
            mime=row.mime,
            w=row.width or UNSET,
            h=row.height or UNSET,
        )
    )


async def _receive(
    request: Request[Any, Any, Any], services: Services, writer: BlobWriter, owner: str
) -> FileRow:
    head = bytearray()
    size = 0

    async def take(piece: bytes) -> None:
        nonlocal size
        size += len(piece)
        if size > services.file_bytes:
            raise TooLarge
        if len(head) < HEAD_BYTES:
            head.extend(piece[: HEAD_BYTES - len(head)])
        await writer.write(piece)

    name = await one_file(request, take)
    if not size:
        raise BadUpload("The file is empty.")
    kind = sniff(bytes(head), whole=size == len(head))
    if kind is None:
        raise TypeNotAllowed
    file = secrets.token_urlsafe(16)
    # Two letters of it are a folder: no file system likes a million names in one.
    stored = await writer.commit(f"{file[:2]}/{file}")
    return FileRow(
        id=file,
        name=safe_name(name, kind),
        size=stored.size,
        mime=kind.mime,
        width=kind.width,
        height=kind.height,
        owner=owner,
        created=services.clock(),
        sha256=stored.sha256,
        path=stored.path,
    )


@get("/files/{file:str}", tags=["files"])
async def content(
    file: FromPath[str], request: Request[Any, Any, Any], services: Here
) -> Response[Any]:
    """The content. Whoever knows the id may have it."""
    row = await services.files.get(file) if len(file) <= 32 else None
    if row is None:
        raise NotFound
    inline = row.mime in _INLINE
    etag = f'"{row.sha256[:32]}"'
    headers = {
        "Accept-Ranges": "bytes",
        # A content never changes under its id.
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": _disposition(row.name, inline=inline),
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        # The widget shows images on its host's pages.
        "Cross-Origin-Resource-Policy": "cross-origin",
        "ETag": etag,
    }
    if request.headers.get("if-none-match") == etag:
        return Response(None, status_code=304, headers=headers)
    span = _span(request.headers.get("range", ""), row.size)
    if span is None:
        headers["Content-Range"] = f"bytes */{row.size}"
        return Response(b"", status_code=416, headers=headers, media_type=row.mime)
    start, end = span
    partial = (start, end) != (0, row.size)
    if partial:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{row.size}"
    headers["Content-Length"] = str(end - start)
    pieces = services.blobs.read(row.path, start, end)
    # The first piece before the answer begins: a lost content is an error, not a torn file.
    first = await anext(pieces, b"")
    return Stream(
        _after(first, pieces),
        status_code=206 if partial else 200,
        headers=headers,
        media_type=row.mime,
    )


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _disposition(name: str, *, inline: bool) -> str:
    """RFC 6266: a plain name for old programs, the real one in UTF-8."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    word = "inline" if inline else "attachment"
    return f"{word}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _span(header: str, size: int) -> tuple[int, int] | None:
    """The bytes asked for, end excluded; everything if not understood, `None` if out of reach."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        return 0, size
    first, last = match.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) else None
    start = int(first)
    end = min(size, int(last) + 1) if last else size
    return (start, end) if start < size and start < end else None


router = Router(path="/api/v1/files", route_handlers=[upload], tags=["files"])
