"""What a file is, told by its first bytes; its name and the sender's word count for nothing.

Owns the list of what is taken. Rule: what is not recognised is refused, and only raster images that
every browser decodes are ever shown in place; HTML and SVG are text that runs, and are refused.
"""

import re
import struct
from typing import Final

from msgspec import Struct

__all__ = ["HEAD_BYTES", "Kind", "safe_name", "sniff"]

HEAD_BYTES: Final = 256 * 1024
"""How much `sniff` wants to see: a photo may carry this much before it says its size."""


class Kind(Struct, frozen=True, kw_only=True):
    """A type of file. `extensions`: those its name may end in, the first is added if none does."""

    mime: str
    extensions: tuple[str, ...]
    inline: bool = False
    width: int = 0
    height: int = 0


_PNG: Final = b"\x89PNG\r\n\x1a\n"
_TEXT: Final = Kind(mime="text/plain", extensions=("txt", "csv", "log", "md", "json", "tsv"))
_ZIP: Final = Kind(mime="application/zip", extensions=("zip",))
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_IN_ZIP: Final = (
    (b"word/", Kind(mime=_OFFICE + "wordprocessingml.document", extensions=("docx",))),
    (b"xl/", Kind(mime=_OFFICE + "spreadsheetml.sheet", extensions=("xlsx",))),
    (b"ppt/", Kind(mime=_OFFICE + "presentationml.presentation", extensions=("pptx",))),
)
_BY_START: Final = (
    (b"%PDF-", Kind(mime="application/pdf", extensions=("pdf",))),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        Kind(mime="application/x-cfb", extensions=("doc", "xls", "ppt", "wps", "et", "dps")),
    ),
    (b"ID3", Kind(mime="audio/mpeg", extensions=("mp3",))),
    (b"\xff\xfb", Kind(mime="audio/mpeg", extensions=("mp3",))),
    (b"\xff\xf3", Kind(mime="audio/mpeg", extensions=("mp3",))),
    (b"OggS", Kind(mime="audio/ogg", extensions=("ogg", "oga", "opus"))),
    (b"#!AMR", Kind(mime="audio/amr", extensions=("amr",))),
    (b"\x1a\x45\xdf\xa3", Kind(mime="video/webm", extensions=("webm", "mkv"))),
)
_BY_BRAND: Final = {
    b"qt  ": Kind(mime="video/quicktime", extensions=("mov",)),
    b"M4A ": Kind(mime="audio/mp4", extensions=("m4a",)),
    b"heic": Kind(mime="image/heic", extensions=("heic",)),
    b"heix": Kind(mime="image/heic", extensions=("heic",)),
    b"mif1": Kind(mime="image/heic", extensions=("heic",)),
}
_MP4: Final = Kind(mime="video/mp4", extensions=("mp4", "m4v", "3gp"))

_MARKUP: Final = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*<(?:!|\?|/?(?:html|head|body|svg|script|xml|iframe|style|link|meta)\b)",
    re.IGNORECASE,
)
_NOT_TEXT: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
# Controls, path separators, what Windows forbids, and marks that turn the reading direction round.
_NOT_IN_NAMES: Final = re.compile(
    '[\x00-\x1f\x7f-\x9f/\\\\:*?"<>|\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]'
)


def sniff(head: bytes, *, whole: bool) -> Kind | None:
    """The type of a file that begins with `head`; `None` for what is not taken.

    `whole`: there is nothing after `head`.
    """
    for recognise in (_image, _riff, _archive, _media):
        kind = recognise(head)
        if kind is not None:
            return kind
    for start, kind in _BY_START:
        if head.startswith(start):
            return kind
    return _TEXT if _is_text(head, whole=whole) else None


def safe_name(given: str, kind: Kind) -> str:
    """A name to show and to save under: no path, no tricks, and an ending that tells the type."""
    base = re.split(r"[/\\]", given)[-1]
    name = _NOT_IN_NAMES.sub("", base).strip(" .")[-120:] or "file"
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    return name if ending in kind.extensions else f"{name}.{kind.extensions[0]}"


def _image(head: bytes) -> Kind | None:
    if head.startswith(_PNG):
        if len(head) < 33 or head[12:16] != b"IHDR":
            return None
        return _shown("png", *struct.unpack_from(">II", head, 16))
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return _shown("gif", *struct.unpack_from("<HH", head, 6)) if len(head) >= 13 else None
    if head.startswith(b"\xff\xd8\xff"):
        return _shown("jpeg", *_jpeg_size(head), also=("jpg",), unsized=True)
    if head.startswith(b"BM") and len(head) >= 26:
        (header,) = struct.unpack_from("<I", head, 14)
        if header in (40, 52, 56, 108, 124):
            width, height = struct.unpack_from("<ii", head, 18)
            return _shown("bmp", width, abs(height))
    return None


def _shown(
    name: str, width: int, height: int, *, also: tuple[str, ...] = (), unsized: bool = False
) -> Kind | None:
    """An image of that size; one without a size is none, unless it may be told further on."""
    if not unsized and (width <= 0 or height <= 0):
        return None
    return Kind(
        mime=f"image/{name}", extensions=(*also, name), inline=True, width=width, height=height
    )


def _jpeg_size(head: bytes) -> tuple[int, int]:
    """Walk the segments up to the frame header; (0, 0) if it is not within `head`."""
    at = 2
    while at + 9 <= len(head):
        if head[at] != 0xFF:
            return 0, 0
        marker = head[at + 1]
        if marker == 0xFF:
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        else:
            (length,) = struct.unpack_from(">H", head, at + 2)
            at += 2 + max(length, 2)
    return 0, 0


def _riff(head: bytes) -> Kind | None:
    if head[:4] != b"RIFF" or len(head) < 30:
        return None
    if head[8:12] == b"WAVE":
        return Kind(mime="audio/wav", extensions=("wav",))
    return _webp(head) if head[8:12] == b"WEBP" else None


def _webp(head: bytes) -> Kind | None:
    form = head[12:16]
    if form == b"VP8X":
        width = int.from_bytes(head[24:27], "little") + 1
        height = int.from_bytes(head[27:30], "little") + 1
    elif form == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif form == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", head, 26))
    else:
        return None
    return _shown("webp", width, height)


def _archive(head: bytes) -> Kind | None:
    if not head.startswith(b"PK\x03\x04"):
        return None
    # Office writes its parts' names in the clear; which folder comes up tells the program.
    if b"[Content_Types].xml" in head[:4096] or b"docProps/" in head[:4096]:
        for folder, kind in _IN_ZIP:
            if folder in head:
                return kind
    return _ZIP


def _media(head: bytes) -> Kind | None:
    if head[4:8] != b"ftyp" or len(head) < 16:
        return None
    return _BY_BRAND.get(head[8:12], _MP4)


def _is_text(head: bytes, *, whole: bool) -> bool:
    if not head or _MARKUP.match(head) or _NOT_TEXT.search(head):
        return False
    for encoding in ("utf-8", "gb18030"):
        for cut in range(1 if whole else 4):
            # The head may end within a character.
            try:
                head[: len(head) - cut].decode(encoding)
            except UnicodeDecodeError:
                continue
            return True
    return False
