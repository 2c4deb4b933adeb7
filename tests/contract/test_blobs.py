"""What every store of contents promises. One suite; engines are parameters of `blobs`."""

import asyncio
import hashlib
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qingniao.errors import ConfigError, StartError, StorageError
from qingniao.storage.blobs import CHUNK_BYTES, Blobs
from qingniao.storage.blobs_database import DatabaseBlobs
from qingniao.storage.blobs_folder import FolderBlobs
from qingniao.storage.blobs_s3 import PIECE_BYTES, S3Blobs
from qingniao.storage.database import Database

NAME = "ab/abcdefgh12345678"
LIMIT = 8 * 1024 * 1024


def s3(endpoint: str, prefix: str = "", **changes: object) -> S3Blobs:
    given = {
        "endpoint": endpoint,
        "region": "us-east-1",
        "access_key": "key",
        "secret_key": "secret",
        "limit_bytes": LIMIT,
    }
    return S3Blobs(f"s3://qingniao/{prefix}", **given | changes)  # type: ignore[arg-type]


@pytest.fixture(params=["folder", "s3", "sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Which, and its address if it is a server."""
    servers = {"s3": "object_store", "postgresql": "postgres_url"}
    server = servers.get(request.param)
    return request.param, request.getfixturevalue(server) if server else ""


@pytest.fixture
async def blobs(engine: tuple[str, str], tmp_path: Path) -> AsyncIterator[Blobs]:
    database: Database | None = None
    made: Blobs
    kind, address = engine
    match kind:
        case "folder":
            made = FolderBlobs(tmp_path / "files", spare_bytes=0, limit_bytes=LIMIT)
            await asyncio.to_thread(made.open)
        case "s3":
            made = s3(address, tmp_path.name)
        case "sqlite":
            database = await Database.open(tmp_path / "house.db")
            made = DatabaseBlobs(database, limit_bytes=LIMIT)
        case _:
            database = await Database.connect(address)
            made = DatabaseBlobs(database, limit_bytes=LIMIT)
    yield made
    await made.close()
    if database is not None:
        await database.close()


async def put(blobs: Blobs, name: str, content: bytes) -> None:
    writer = await blobs.create()
    try:
        await writer.write(content)
        await writer.commit(name)
    finally:
        await writer.abort()


async def read(blobs: Blobs, path: str, start: int, end: int) -> bytes:
    return b"".join([piece async for piece in blobs.read(path, start, end)])


async def names(blobs: Blobs, folder: str) -> list[str]:
    return sorted([name async for name in blobs.list(folder)])


async def test_a_content_appears_whole_with_its_size_and_hash(blobs: Blobs):
    content = bytes(range(256)) * 3000
    writer = await blobs.create()
    for at in range(0, len(content), 1000):
        await writer.write(content[at : at + 1000])
    assert await blobs.size(NAME) is None
    stored = await writer.commit(NAME)
    assert stored.path == NAME
    assert (stored.size, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert len(content) > CHUNK_BYTES
    assert await blobs.size(NAME) == len(content)
    assert await read(blobs, NAME, 0, len(content)) == content


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, 1),
        (CHUNK_BYTES - 1, CHUNK_BYTES + 1),
        (CHUNK_BYTES, 2 * CHUNK_BYTES),
        (PIECE_BYTES - 5, PIECE_BYTES + 5),
        (100, 100),
        (7, 6 * 1024 * 1024),
    ],
)
async def test_any_range_can_be_read(blobs: Blobs, start: int, end: int):
    content = bytes(range(251)) * 25_100
    assert len(content) > 6 * 1024 * 1024
    await put(blobs, NAME, content)
    assert await read(blobs, NAME, start, end) == content[start:end]


async def test_an_empty_content_is_one(blobs: Blobs):
    await put(blobs, NAME, b"")
    assert await blobs.size(NAME) == 0
    assert await read(blobs, NAME, 0, 0) == b""


async def test_aborting_leaves_nothing_and_may_be_repeated(blobs: Blobs):
    writer = await blobs.create()
    await writer.write(b"x" * CHUNK_BYTES)
    await writer.abort()
    await writer.abort()
    assert await names(blobs, "ab") == []


async def test_aborting_after_committing_does_no_harm(blobs: Blobs):
    writer = await blobs.create()
    await writer.write(b"x")
    await writer.commit(NAME)
    await writer.abort()
    assert await read(blobs, NAME, 0, 1) == b"x"


async def test_the_same_content_may_be_given_again(blobs: Blobs):
    await put(blobs, NAME, b"x" * CHUNK_BYTES + b"y")
    await put(blobs, NAME, b"x" * CHUNK_BYTES + b"y")
    assert await read(blobs, NAME, CHUNK_BYTES - 1, CHUNK_BYTES + 1) == b"xy"
    assert await names(blobs, "ab") == [NAME]


async def test_several_may_give_the_same_content_at_once(blobs: Blobs):
    content = b"z" * (CHUNK_BYTES + 1)
    await asyncio.gather(*(put(blobs, NAME, content) for _ in range(4)))
    assert await read(blobs, NAME, 0, len(content)) == content


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(blobs: Blobs):
    await put(blobs, NAME, b"x")
    await blobs.delete(NAME)
    await blobs.delete(NAME)
    assert await blobs.size(NAME) is None
    with pytest.raises(StorageError):
        await read(blobs, NAME, 0, 1)


async def test_a_folder_lists_what_is_below_it_and_nothing_else(blobs: Blobs):
    for name in ("knowledge/v1.tar", "knowledge/v2.tar", "knowledge2/v3", "kn/x", "a_b/1", "axb/2"):
        await put(blobs, name, b"x")
    assert await names(blobs, "knowledge") == ["knowledge/v1.tar", "knowledge/v2.tar"]
    assert await names(blobs, "a_b") == ["a_b/1"]
    assert await names(blobs, "none") == []


async def test_a_lost_content_is_our_error(blobs: Blobs):
    with pytest.raises(StorageError, match="no longer"):
        await read(blobs, "ab/gone", 0, 5)


async def test_a_content_that_lost_its_end_is_our_error(blobs: Blobs):
    await put(blobs, NAME, b"0123456789")
    with pytest.raises(StorageError, match="shorter"):
        await read(blobs, NAME, 0, 20)


async def test_a_content_beyond_the_limit_is_refused_and_leaves_nothing(blobs: Blobs):
    writer = await blobs.create()
    with pytest.raises(StorageError, match="may not have more than"):
        for _ in range(LIMIT // CHUNK_BYTES + 1):
            await writer.write(b"x" * CHUNK_BYTES)
    await writer.abort()
    assert await names(blobs, "ab") == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "/etc/passwd", "a//b", "a/./b", ".hidden",
                                  "a/..", "1/2/3/4/5", "a/b\n", "x" * 129])  # fmt: skip
async def test_a_name_that_could_be_a_path_is_refused(blobs: Blobs, name: str):
    writer = await blobs.create()
    with pytest.raises(ValueError, match="name"):
        await writer.commit(name)
    await writer.abort()
    for call in (blobs.size, blobs.delete):
        with pytest.raises(ValueError, match="name"):
            await call(name)


# What only an object store can do wrong.


async def test_an_object_store_that_is_gone_is_our_error_in_time():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    blobs = s3(f"http://127.0.0.1:{port}", timeout_s=1.0)
    with pytest.raises(StorageError, match="object store"):
        await blobs.size(NAME)
    with pytest.raises(StorageError, match="object store"):
        await put(blobs, NAME, b"x")
    with pytest.raises(StartError, match=r"blobs\.url"):
        await blobs.check()


async def test_an_object_store_that_never_answers_is_our_error_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        blobs = s3(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.3)
        async with asyncio.timeout(30):
            with pytest.raises(StorageError, match="object store"):
                await read(blobs, NAME, 0, 5)
            with pytest.raises(StorageError, match="object store"):
                await put(blobs, NAME, b"x")
    assert threading.active_count() < 200


async def test_a_bucket_that_is_not_there_stops_the_start(object_store: str):
    blobs = S3Blobs(
        "s3://nobody/x", endpoint=object_store, region="r", access_key="k", secret_key="s"
    )
    with pytest.raises(StartError, match=r"blobs\.url"):
        await blobs.check()
    await s3(object_store).check()


@pytest.mark.parametrize("url", ["http://bucket", "s3://", "bucket"])
def test_a_url_of_no_object_store_is_a_wrong_setting(url: str):
    with pytest.raises(ConfigError, match=r"blobs\.url"):
        S3Blobs(url)
