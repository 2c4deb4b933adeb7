"""What files are told to be, from their first bytes alone."""

import struct

import pytest

from qingniao.api.media_types import HEAD_BYTES, safe_name, sniff


def jpeg(width: int, height: int, *, padding: int = 0) -> bytes:
    """A photo's head, with `padding` bytes of camera data before its size."""
    app = b"\xff\xe1" + struct.pack(">H", padding + 2) + b"x" * padding if padding else b""
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 17, 8, height, width, 3) + b"\0" * 9
    return b"\xff\xd8" + b"\xff\xe0\x00\x10JFIF\0" + b"\0" * 9 + app + frame


def webp(form: bytes, rest: bytes) -> bytes:
    return b"RIFF\x00\x01\x00\x00WEBP" + form + b"\x10\0\0\0" + rest + b"\0" * 20


@pytest.mark.parametrize(
    ("head", "mime", "size"),
    [
        (jpeg(640, 480), "image/jpeg", (640, 480)),
        (jpeg(4000, 3000, padding=60_000), "image/jpeg", (4000, 3000)),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg", (0, 0)),
        (b"\xff\xd8\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "image/jpeg", (0, 0)),
        (b"GIF89a" + struct.pack("<HH", 7, 5) + b"\0\0\0;", "image/gif", (7, 5)),
        (webp(b"VP8X", b"\0\0\0\0\x3f\x00\x00\x1f\x00\x00"), "image/webp", (64, 32)),
        (webp(b"VP8L", b"\x2f\x3f\xc0\x07\x00"), "image/webp", (64, 32)),
        (webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a\x40\x00\x20\x00"), "image/webp", (64, 32)),
        (
            b"BM" + b"\0" * 12 + struct.pack("<Iii", 40, 9, -4) + b"\0" * 9,
            "image/bmp",
            (9, 4),
        ),
        (b"%PDF-1.7\n", "application/pdf", (0, 0)),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video/mp4", (0, 0)),
        (b"\0\0\0\x18ftypqt  \0\0\0\0", "video/quicktime", (0, 0)),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "image/heic", (0, 0)),
        (b"ID3\x03", "audio/mpeg", (0, 0)),
        (b"RIFF\0\0\0\0WAVEfmt " + b"\0" * 20, "audio/wav", (0, 0)),
        ("你好，世界".encode(), "text/plain", (0, 0)),
        ("订单号，金额\r\n1，2".encode("gb18030"), "text/plain", (0, 0)),
        (b"1 < 2 and 3 > 2", "text/plain", (0, 0)),
        (b"BM but only in name, not an image", "text/plain", (0, 0)),
    ],
)
def test_a_known_type_is_told_and_measured(head: bytes, mime: str, size: tuple[int, int]):
    kind = sniff(head, whole=True)
    assert kind is not None
    assert (kind.mime, (kind.width, kind.height)) == (mime, size)
    shown = mime in ("image/jpeg", "image/gif", "image/webp", "image/bmp", "image/png")
    assert kind.inline is shown


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\n\t <!-- x --><html>",
        b"<STYLE>",
        b"</script>",
        b"<?php system($_GET[0]);",
        b"\xef\xbb\xbf<svg/onload=1>",
        b"text with a \x00 in it",
        b"\x1b\x00\x07",
        b"RIFF\0\0\0\0AVI " + b"\0" * 30,
        b"Rar!\x1a\x07\x01\x00",
        b"\xca\xfe\xba\xbe\x00\x00\x00\x34",
    ],
)
def test_what_runs_and_what_is_unknown_is_nothing(head: bytes):
    assert sniff(head, whole=True) is None


def test_a_text_may_be_cut_within_a_character_but_not_end_in_one():
    text = "好".encode() * (HEAD_BYTES // 3 + 1)
    head = text[:HEAD_BYTES]
    assert len(head) % 3 == 1
    assert sniff(head, whole=False) is not None
    assert sniff(b"ok\xff", whole=True) is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("photo.JPG", "photo.JPG"),
        ("photo.jpeg", "photo.jpeg"),
        ("setup.exe", "setup.exe.jpg"),
        ("C:\\Users\\me\\a.jpg", "a.jpg"),
        ("", "file.jpg"),
        (".jpg", "jpg.jpg"),
        ("a\u202egpj.exe", "agpj.exe.jpg"),
        ("截图 2024.jpg", "截图 2024.jpg"),
    ],
)
def test_a_name_ends_as_its_type_does(given: str, kept: str):
    kind = sniff(jpeg(1, 1), whole=True)
    assert kind is not None
    assert safe_name(given, kind) == kept
