"""Uploads, honest and hostile."""

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import httpx
import pytest

from qingniao.errors import StorageError

if TYPE_CHECKING:
    from tests.unit.api.conftest import House


def png(width: int = 3, height: int = 2) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * (1 + width * 3) * height)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, b"x" * 100)
    return buffer.getvalue()


async def visitor(house: "House") -> httpx.AsyncClient:
    """A widget on another page: a token and nothing else."""
    client = house.browser()
    del client.headers["X-Qingniao"]
    token = (await client.post("/api/v1/visitors", json={})).json()["token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


async def upload(client: httpx.AsyncClient, name: str, content: bytes) -> httpx.Response:
    files = {"file": (name, content, "image/png")}
    return await client.post("/api/v1/files", files=files)


async def test_an_image_is_measured_stored_and_shown(house: "House"):
    client = await visitor(house)
    answer = await upload(client, "截图 1.png", png(30, 20))
    assert answer.status_code == 200, answer.text
    file = answer.json()["file"]
    assert file == {
        "id": file["id"],
        "name": "截图 1.png",
        "size": len(png(30, 20)),
        "mime": "image/png",
        "w": 30,
        "h": 20,
    }
    shown = await house.browser().get(f"/files/{file['id']}")
    assert shown.content == png(30, 20)
    assert shown.headers["content-type"] == "image/png"
    assert shown.headers["content-disposition"] == (
        "inline; filename=\"__ 1.png\"; filename*=UTF-8''%E6%88%AA%E5%9B%BE%201.png"
    )
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert shown.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_an_agent_uploads_with_the_cookie_and_the_intent_header(house: "House"):
    client = await house.sign_in()
    assert (await upload(client, "a.png", png())).status_code == 200
    del client.headers["X-Qingniao"]
    answer = await upload(client, "a.png", png())
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf")


@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Bearer ", "Basic eDp5"])
async def test_strangers_upload_nothing(house: "House", header: str | None):
    client = house.browser()
    if header:
        client.headers["Authorization"] = header
    answer = await upload(client, "a.png", png())
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "signed_out")


@pytest.mark.parametrize(
    "content",
    [
        b"<!DOCTYPE html><script>alert(1)</script>",
        b"\xef\xbb\xbf  <HTML><body>",
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="x()"/>',
        b"<svg onload=alert(1)>",
        b"<script>alert(1)</script>",
        b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00",
        b"\x7fELF\x02\x01\x01\x00",
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR",
        b"GIF89a\x00\x00\x00\x00\x00\x00\x00",
        b"\x00" * 100,
    ],
    ids=lambda content: repr(content[:12]),
)
async def test_what_runs_or_is_not_recognised_is_refused(house: "House", content: bytes):
    answer = await upload(await visitor(house), "photo.png", content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "not_allowed")
    assert [path for path in (house.root / "files").rglob("*") if path.is_file()] == []


async def test_a_polyglot_is_served_as_what_its_first_bytes_say(house: "House"):
    content = b"GIF89a\x01\x00\x01\x00\x00\x00\x00=1;/*<script>alert(1)</script>*/"
    file = (await upload(await visitor(house), "a.html", content)).json()["file"]
    assert (file["mime"], file["name"]) == ("image/gif", "a.html.gif")
    shown = await house.browser().get(f"/files/{file['id']}")
    assert shown.headers["content-type"] == "image/gif"
    assert "sandbox" in shown.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd.txt"),
        ("..\\..\\windows\\system32\\x.txt", "x.txt"),
        ("/", "file.txt"),
        ("...", "file.txt"),
        ("invoice\u202etxt.exe", "invoicetxt.exe.txt"),
        ("a%0D%0ASet-Cookie: x=1.txt", "aSet-Cookie x=1.txt"),
        ("a\tb\x7f|c.txt", "abc.txt"),
        ("报价.csv", "报价.csv"),
        ("x" * 300 + ".txt", "x" * 116 + ".txt"),
        ("page.html", "page.html.txt"),
    ],
)
async def test_names_are_made_harmless(house: "House", given: str, kept: str):
    boundary = "b0undary"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{given}"\r\n\r\n'
        f"plain text\r\n--{boundary}--\r\n"
    )
    client = await visitor(house)
    answer = await client.post(
        "/api/v1/files",
        content=body.encode(),
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    assert answer.status_code == 200, answer.text
    file = answer.json()["file"]
    assert file["name"] == kept
    shown = await client.get(f"/files/{file['id']}")
    assert shown.headers["content-disposition"].startswith("attachment; ")
    assert "\n" not in shown.headers["content-disposition"]
    assert shown.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("names", "mime"),
    [
        (("[Content_Types].xml", "word/document.xml"), "wordprocessingml.document"),
        (("[Content_Types].xml", "xl/workbook.xml"), "spreadsheetml.sheet"),
        (("../../../evil.sh", "word/x"), "application/zip"),
        (("42.zip" * 20,), "application/zip"),
    ],
)
async def test_archives_are_never_opened_only_named(
    house: "House", names: tuple[str, ...], mime: str
):
    file = (await upload(await visitor(house), "x", zipped(*names))).json()["file"]
    assert file["mime"].endswith(mime)
    shown = await house.browser().get(f"/files/{file['id']}")
    assert shown.headers["content-disposition"].startswith("attachment; ")


async def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(house: "House"):
    client = await visitor(house)
    answer = await upload(client, "a.txt", b"x" * 100_001)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")

    async def endless():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        for _ in range(50):
            yield b"x" * 10_000

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await client.post("/api/v1/files", content=endless(), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert [path for path in (house.root / "files").rglob("*") if path.is_file()] == []
    assert (await upload(client, "a.txt", b"x" * 100_000)).status_code == 200


PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'


@pytest.mark.parametrize(
    "body",
    [
        PART + b"half of it",
        PART + b"a\r\n" + PART + b"b\r\n--b--\r\n",
        b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--b--\r\n',
        PART + b"\r\n--b--\r\n",
        b"nothing of the kind",
        b"",
    ],
    ids=["truncated", "two files", "no file", "empty file", "no form", "no body"],
)
async def test_a_broken_form_is_refused_and_leaves_nothing(house: "House", body: bytes):
    client = await visitor(house)
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await client.post("/api/v1/files", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_upload")
    assert [path for path in (house.root / "files").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("asked", "status", "content", "span"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=0-999", 200, b"0123456789", None),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=5-2", 416, b"", "bytes */10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("rubbish", 200, b"0123456789", None),
    ],
)
async def test_a_part_can_be_asked_for(
    house: "House", asked: str, status: int, content: bytes, span: str | None
):
    client = await visitor(house)
    file = (await upload(client, "a.txt", b"0123456789")).json()["file"]
    answer = await client.get(f"/files/{file['id']}", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (status, content)
    assert answer.headers.get("content-range") == span
    assert answer.headers["content-length"] == str(len(content))


async def test_an_unchanged_file_is_not_sent_again(house: "House"):
    client = await visitor(house)
    file = (await upload(client, "a.txt", b"0123456789")).json()["file"]
    etag = (await client.get(f"/files/{file['id']}")).headers["etag"]
    answer = await client.get(f"/files/{file['id']}", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content) == (304, b"")


async def test_an_unknown_id_and_a_lost_content_are_errors(house: "House"):
    client = await visitor(house)
    answer = await client.get("/files/" + "x" * 22)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    file = (await upload(client, "a.txt", b"0123456789")).json()["file"]
    row = await house.services.files.get(file["id"])
    assert row is not None
    (house.root / "files" / row.path).unlink()
    answer = await client.get(f"/files/{file['id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "storage")


async def test_a_full_disk_is_said_in_words(house: "House", monkeypatch: pytest.MonkeyPatch):
    async def full() -> None:
        raise StorageError("The disk is nearly full: no more files are taken.")

    client = await visitor(house)
    monkeypatch.setattr(house.services.blobs, "create", full)
    answer = await upload(client, "a.txt", b"text")
    assert answer.status_code == 507
    assert answer.json()["error"] == {
        "code": "storage",
        "text": "The disk is nearly full: no more files are taken.",
        "temporary": True,
    }


async def test_uploads_are_limited_per_person(house: "House"):
    client = await visitor(house)
    for _ in range(30):
        assert (await upload(client, "a.txt", b"text")).status_code == 200
    assert (await upload(client, "a.txt", b"text")).status_code == 429
