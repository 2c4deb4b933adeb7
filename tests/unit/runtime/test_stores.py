"""Which engine the settings choose."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qingniao.config import BlobsConfig, Config, load_config
from qingniao.errors import ConfigError, StartError
from qingniao.runtime.learning import make_learning
from qingniao.runtime.stores import open_blobs, open_database, open_keys
from qingniao.storage.blobs_database import DatabaseBlobs
from qingniao.storage.blobs_folder import FolderBlobs
from qingniao.storage.blobs_s3 import S3Blobs
from qingniao.storage.database import Database
from qingniao.workers.learning import Learning


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = await open_database(Config(data=str(tmp_path)))
    yield made
    await made.close()


async def put(folder: Path, database: Database, url: str) -> None:
    blobs = await open_blobs(Config(data=str(folder), blobs=BlobsConfig(url=url)), database)
    writer = await blobs.create()
    await writer.write(b"x")
    await writer.commit("ab/x")
    await blobs.close()


async def test_without_settings_everything_is_in_the_data_folder(
    database: Database, tmp_path: Path
):
    config = Config(data=str(tmp_path))
    assert isinstance(await open_blobs(config, database), FolderBlobs)
    await put(tmp_path, database, "")
    ring, shared = await open_keys(config, database)
    assert (shared, ring.current) == (None, 1)

    async def entries() -> list[object]:
        return []

    learning = make_learning(
        config,
        database,
        FolderBlobs(tmp_path),
        entries,
        lambda _: None,  # type: ignore[arg-type]
    )
    assert isinstance(learning, Learning)
    there = await asyncio.to_thread(lambda: {path.name for path in tmp_path.iterdir()})
    assert {"qingniao.db", "files", "keys"} <= there
    assert (tmp_path / "files/ab/x").read_bytes() == b"x"


async def test_a_folder_that_all_processes_see_can_be_named(database: Database, tmp_path: Path):
    await put(tmp_path, database, f"file://{tmp_path}/our%20share")
    assert (tmp_path / "our share/ab/x").read_bytes() == b"x"


async def test_contents_go_where_the_url_says(
    database: Database, tmp_path: Path, object_store: str
):
    given = {"endpoint": object_store, "region": "r", "access_key": "k", "secret_key": "s"}
    config = Config(data=str(tmp_path), blobs=BlobsConfig(url="s3://qingniao/stores", **given))
    assert isinstance(await open_blobs(config, database), S3Blobs)
    config = Config(data=str(tmp_path), blobs=BlobsConfig(url="s3://nobody/stores", **given))
    with pytest.raises(StartError, match=r"blobs\.url"):
        await open_blobs(config, database)
    config = Config(data=str(tmp_path), blobs=BlobsConfig(url="postgresql"))
    assert isinstance(await open_blobs(config, database), DatabaseBlobs)


@pytest.mark.parametrize("url", ["ftp://x/y", "file://host/folder", "file:", "files"])
async def test_a_url_of_no_store_is_a_wrong_setting(database: Database, tmp_path: Path, url: str):
    with pytest.raises(ConfigError, match=r"blobs\.url"):
        await put(tmp_path, database, url)


def test_contents_in_a_database_need_one():
    with pytest.raises(ConfigError, match=r"database\.url"):
        load_config({"QINGNIAO_BLOBS_URL": "postgresql"})


async def test_processes_that_share_a_database_share_their_keys(postgres_url: str, tmp_path: Path):
    databases = [await Database.connect(postgres_url) for _ in range(2)]
    rings = []
    for number, one in enumerate(databases):
        ring, shared = await open_keys(Config(data=str(tmp_path / str(number))), one)
        assert shared is not None
        rings.append(ring)
    assert rings[0].keys == rings[1].keys
    for one in databases:
        await one.close()
