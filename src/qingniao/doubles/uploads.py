"""Uploaded forms, taken apart. Rule: in memory and bounded by the body's own bound."""

import io

from msgspec import Struct
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartParser,
    parse_options_header,
)

from qingniao.doubles.double import BadBody, Call
from qingniao.doubles.inbox import MAX_BODY_BYTES

__all__ = ["Part", "parts_of"]


class Part(Struct, frozen=True, kw_only=True):
    """One field of a form, or one file."""

    name: str
    filename: str | None
    """`None`: not a file."""
    kind: str
    content: bytes

    @property
    def text(self) -> str:
        """The content as UTF-8. Raises `BadBody`."""
        try:
            return self.content.decode()
        except UnicodeDecodeError as exc:
            raise BadBody(f"{self.name} is not UTF-8") from exc


def parts_of(call: Call) -> list[Part]:
    """Empty when the body is no form. Raises `BadBody` for a broken one."""
    kind, options = parse_options_header(call.request.headers.get("content-type", ""))
    if kind != "multipart/form-data" or "boundary" not in options:
        return []
    try:
        return [
            Part(
                name=part.name,
                filename=part.filename,
                kind=part.content_type or "application/octet-stream",
                content=part.raw,
            )
            for part in MultipartParser(
                io.BytesIO(call.request.body),
                options["boundary"],
                # Never to a file: this runs on the event loop.
                spool_limit=MAX_BODY_BYTES,
                memory_limit=MAX_BODY_BYTES,
            )
        ]
    except MultipartError as exc:
        raise BadBody(str(exc)) from exc
