"""What only a folder of contents can do wrong; the rest is in `tests/contract/test_blobs.py`."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from qingniao.errors import StartError, StorageError
from qingniao.storage.blobs import CHUNK_BYTES
from qingniao.storage.blobs_folder import FolderBlobs

ID = "ab/abcdefgh12345678"


@pytest.fixture
async def blobs(tmp_path: Path) -> FolderBlobs:
    made = FolderBlobs(tmp_path / "files", spare_bytes=0)
    await asyncio.to_thread(made.open)
    return made


def contents(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


async def read(blobs: FolderBlobs, path: str, start: int, end: int) -> bytes:
    return b"".join([piece async for piece in blobs.read(path, start, end)])


async def test_a_content_appears_whole_with_its_size_and_hash(blobs: FolderBlobs, tmp_path: Path):
    content = bytes(range(256)) * 3000
    writer = await blobs.create()
    for at in range(0, len(content), 1000):
        await writer.write(content[at : at + 1000])
    assert not [name for name in contents(tmp_path) if "incoming" not in name]
    stored = await writer.commit(ID)
    assert stored.path == ID
    assert (stored.size, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert contents(tmp_path) == [f"files/{ID}"]
    assert len(content) > CHUNK_BYTES
    assert await read(blobs, stored.path, 0, len(content)) == content
    assert await read(blobs, stored.path, 300_000, 300_010) == content[300_000:300_010]


async def test_aborting_leaves_nothing_and_may_be_repeated(blobs: FolderBlobs, tmp_path: Path):
    writer = await blobs.create()
    await writer.write(b"x" * CHUNK_BYTES)
    await writer.abort()
    await writer.abort()
    assert contents(tmp_path) == []


async def test_what_a_crash_left_half_way_is_removed_at_the_start(
    blobs: FolderBlobs, tmp_path: Path
):
    writer = await blobs.create()
    await writer.write(b"x" * CHUNK_BYTES)
    assert len(contents(tmp_path)) == 1
    await asyncio.to_thread(FolderBlobs(tmp_path / "files").open)
    assert contents(tmp_path) == []
    await writer.abort()


async def test_a_nearly_full_disk_takes_no_more(tmp_path: Path):
    blobs = FolderBlobs(tmp_path / "files", spare_bytes=2**62)
    await asyncio.to_thread(blobs.open)
    with pytest.raises(StorageError, match="nearly full"):
        await blobs.create()


async def test_a_disk_that_refuses_is_our_error(blobs: FolderBlobs):
    writer = await blobs.create()
    writer._spool.file.close()
    writer._spool.file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115
    with pytest.raises(StorageError):
        await writer.write(b"x" * CHUNK_BYTES)
    await writer.abort()


async def test_what_another_process_has_on_its_way_stays(blobs: FolderBlobs, tmp_path: Path):
    writer = await blobs.create()
    await writer.write(b"x" * CHUNK_BYTES)
    await asyncio.to_thread(FolderBlobs(tmp_path / "files", is_shared=True).open)
    stored = await writer.commit(ID)
    assert await read(blobs, stored.path, 0, CHUNK_BYTES) == b"x" * CHUNK_BYTES


def test_a_folder_that_cannot_be_made_stops_the_start(tmp_path: Path):
    (tmp_path / "files").write_text("in the way")
    with pytest.raises(StartError):
        FolderBlobs(tmp_path / "files").open()
