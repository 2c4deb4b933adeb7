"""Takes one file out of a form while it arrives. Rule: never more than one piece is in memory, and
a form that breaks off is a failure, whatever came before.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from litestar import Request
from litestar.exceptions import HTTPException
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
)

from qingniao.api.faults import BadUpload, TooLarge

__all__ = ["FORM_BYTES", "one_file"]

FORM_BYTES: Final = 16 * 1024
"""What a form may add to its file: boundaries, headers, a small field beside it."""

_PART: Final = "file"


async def one_file(
    request: Request[Any, Any, Any], sink: Callable[[bytes], Awaitable[None]]
) -> str:
    """Hand the part named `file` to `sink`, piece by piece; the answer is the name it was given.

    Raises `BadUpload`, `TooLarge`, and whatever `sink` raises. Other parts are skipped.
    """
    content_type, options = request.content_type
    boundary = options.get("boundary", "")
    if content_type != "multipart/form-data" or not boundary:
        raise BadUpload
    part = _Part()
    try:
        with PushMultipartParser(
            boundary, max_header_size=2048, max_header_count=8, max_segment_count=4, strict=True
        ) as parser:
            async for chunk in request.stream():
                # An empty chunk would tell the parser that the form has ended.
                for event in parser.parse(chunk) if chunk else ():
                    if isinstance(event, MultipartSegment):
                        part.begins(event)
                    elif event and part.is_open:
                        await sink(bytes(event))
    except MultipartError as exc:
        raise BadUpload from exc
    except HTTPException as exc:
        if exc.status_code == 413:
            raise TooLarge from exc
        # The framework's word for a client that went away in the middle.
        raise BadUpload from exc
    if part.name is None:
        raise BadUpload("The form has no part named file.")
    return part.name


class _Part:
    """Which part of the form is being read, and what the file is called."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.is_open = False

    def begins(self, segment: MultipartSegment) -> None:
        self.is_open = segment.name == _PART
        if not self.is_open:
            return
        if self.name is not None:
            raise BadUpload("The form has more than one file.")
        self.name = segment.filename or ""
