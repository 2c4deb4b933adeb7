"""Knowledge built once and used by several processes: named by version, whole, swapped at once.

Each `Worker` is a process: it shares nothing with the others but the database and the blob store.
"""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import update

from qingniao.errors import StorageError
from qingniao.knowledge.entries import Entry
from qingniao.storage.blobs_folder import FolderBlobs
from qingniao.storage.database import Database
from qingniao.storage.knowledge import KnowledgeEntries
from qingniao.storage.models import versions
from qingniao.storage.rows import KnowledgeEntry
from qingniao.storage.versions import KNOWLEDGE, Versions
from qingniao.training import KEPT, MANIFEST, Built
from qingniao.workers import shared_learning
from qingniao.workers.learning import LearningFailed, build_apart
from qingniao.workers.parcels import PARCELS, ParcelDamaged, fetch, put
from qingniao.workers.shared_learning import CLAIM_S, SharedLearning


class Worker:
    def __init__(self, house: "House", name: str) -> None:
        self.folder = house.root / name
        self.used: list[Built] = []
        self.learning = SharedLearning(
            self.folder,
            house.entries,
            self.used.append,
            versions=Versions(house.database),
            blobs=house.blobs,
            look_s=0.05,
            timer=lambda: house.now_s,
        )

    def answer(self, question: str) -> str:
        return self.used[-1].retriever.search(question)[0].entry.answer

    def versions(self) -> set[str]:
        return {path.parent.name for path in self.folder.glob(f"*/{MANIFEST}")}


class House:
    def __init__(self, root: Path, database: Database) -> None:
        self.root = root
        self.database = database
        self.blobs = FolderBlobs(root / "blobs", spare_bytes=0)
        self.blobs.open()
        self.knowledge = KnowledgeEntries(database)
        self.now_s = 1.0
        self.builds = 0

    async def entries(self) -> list[Entry]:
        return [
            Entry(id=row.id, question=row.question, answer=row.answer)
            for row in await self.knowledge.all()
        ]

    async def write(self, answer: str) -> None:
        entry = KnowledgeEntry(id="q", title="", question="怎么退货", answer=answer)
        await self.knowledge.put([entry], 1)

    async def parcels(self) -> list[str]:
        return [name async for name in self.blobs.list(PARCELS)]


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    database = await Database.open(tmp_path / "house.db")
    made = await asyncio.to_thread(House, tmp_path, database)

    async def count(corpus: bytes, source: Path, folder: Path) -> None:
        made.builds += 1
        await build_apart(corpus, source, folder)

    monkeypatch.setattr(shared_learning, "build_apart", count)
    await made.write("七天")
    yield made
    await database.close()


async def test_many_that_start_at_once_build_once_and_all_answer(house: House):
    workers = [Worker(house, f"w{n}") for n in range(4)]
    await asyncio.gather(*(worker.learning.learn() for worker in workers))
    assert house.builds == 1
    assert {worker.answer("怎么退货") for worker in workers} == {"七天"}
    assert len({worker.learning.version for worker in workers}) == 1
    assert len(await house.parcels()) == 1


async def test_a_change_reaches_everybody_and_is_built_once(house: House):
    workers = [Worker(house, f"w{n}") for n in range(2)]
    await asyncio.gather(*(worker.learning.learn() for worker in workers))
    await house.write("十五天")
    for _ in range(2):
        await asyncio.gather(*(worker.learning.look() for worker in workers))
    assert [worker.answer("怎么退货") for worker in workers] == ["十五天"] * 2
    assert house.builds == 2


async def test_nobody_has_to_say_that_something_changed(house: House):
    worker = Worker(house, "w")
    await worker.learning.learn()
    task = asyncio.create_task(worker.learning.run())
    await house.write("三十天")
    async with asyncio.timeout(30):
        while worker.answer("怎么退货") != "三十天":
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_importing_the_same_again_builds_and_fetches_nothing(house: House):
    worker = Worker(house, "w")
    await worker.learning.learn()
    await house.write("七天")
    await worker.learning.look()
    assert (house.builds, len(worker.used)) == (1, 1)
    assert (await Versions(house.database).get(KNOWLEDGE)).is_current


async def test_a_worker_that_starts_later_takes_what_is_there(house: House):
    await Worker(house, "first").learning.learn()
    late = Worker(house, "late")
    await late.learning.learn()
    assert (house.builds, late.answer("怎么退货")) == (1, "七天")
    # And once more without the store of contents, from its own folder.
    await asyncio.to_thread(shutil.rmtree, house.root / "blobs")
    again = Worker(house, "late")
    await again.learning.learn()
    assert again.answer("怎么退货") == "七天"


async def test_what_a_crash_left_half_way_is_removed_at_a_start(house: House):
    worker = Worker(house, "w")
    for name, age_s in ((".old", 3_600), (".new", 0)):
        draft = worker.folder / name
        (draft / "index").mkdir(parents=True)
        os.utime(draft, times=(time.time() - age_s,) * 2)
    await worker.learning.learn()
    assert [path.name for path in worker.folder.glob(".*")] == [".new"]


async def test_processes_of_one_machine_may_share_a_folder(house: House):
    await Worker(house, "first").learning.learn()
    workers = [Worker(house, "shared") for _ in range(6)]
    await asyncio.gather(*(worker.learning.learn() for worker in workers))
    await house.write("十五天")
    for _ in range(2):
        await asyncio.gather(*(worker.learning.look() for worker in workers))
    assert {worker.answer("怎么退货") for worker in workers} == {"十五天"}
    assert house.builds == 2
    assert not [path for path in workers[0].folder.iterdir() if path.name.startswith(".")]


async def test_a_build_that_fails_leaves_the_old_one_and_is_tried_later(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    worker = Worker(house, "w")
    await worker.learning.learn()
    await house.write("十五天")
    faults = 0

    async def fail(_corpus: bytes, _source: Path, _folder: Path) -> None:
        nonlocal faults
        faults += 1
        raise LearningFailed

    with monkeypatch.context() as patch:
        patch.setattr(shared_learning, "build_apart", fail)
        with pytest.raises(LearningFailed):
            await worker.learning.look()
        await worker.learning.look()
        assert faults == 1
    assert worker.answer("怎么退货") == "七天"
    assert (await Versions(house.database).get(KNOWLEDGE)).version == worker.learning.version
    house.now_s += shared_learning.RETRY_S
    await worker.learning.look()
    assert worker.answer("怎么退货") == "十五天"


async def test_what_changes_while_it_is_built_is_not_announced(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    worker = Worker(house, "w")
    await worker.learning.learn()
    await house.write("十五天")

    async def slow(corpus: bytes, source: Path, folder: Path) -> None:
        await build_apart(corpus, source, folder)
        await house.write("三十天")

    with monkeypatch.context() as patch:
        patch.setattr(shared_learning, "build_apart", slow)
        await worker.learning.look()
    assert worker.answer("怎么退货") == "七天"
    await worker.learning.look()
    assert worker.answer("怎么退货") == "三十天"


async def test_a_frozen_builder_holds_up_the_others_for_a_while_only(house: House):
    store = Versions(house.database)
    assert await store.claim(KNOWLEDGE, "frozen", for_ms=round(CLAIM_S * 1000))
    worker = Worker(house, "w")
    await worker.learning.look()
    assert worker.used == []
    async with house.database.write() as connection:
        await connection.execute(
            update(versions).values(builds_until=versions.c.builds_until - round(CLAIM_S * 1000))
        )
    await worker.learning.look()
    assert worker.answer("怎么退货") == "七天"
    # Thawed, it lets go of what is not its own any more.
    assert await store.claim(KNOWLEDGE, "another", for_ms=1_000)
    await store.release(KNOWLEDGE, "frozen")
    assert not await store.claim(KNOWLEDGE, "frozen", for_ms=1_000)


async def test_a_lost_parcel_is_built_again(house: House):
    await Worker(house, "first").learning.learn()
    for name in await house.parcels():
        await house.blobs.delete(name)
    late = Worker(house, "late")
    await late.learning.learn()
    assert (house.builds, late.answer("怎么退货")) == (2, "七天")
    assert len(await house.parcels()) == 1


async def test_a_damaged_parcel_is_built_again(house: House):
    await Worker(house, "first").learning.learn()
    [name] = await house.parcels()
    path = house.root / "blobs" / name
    path.write_bytes(path.read_bytes()[:-1])
    late = Worker(house, "late")
    await late.learning.learn()
    assert (house.builds, late.answer("怎么退货")) == (2, "七天")
    another = Worker(house, "another")
    await another.learning.learn()
    assert (house.builds, another.answer("怎么退货")) == (2, "七天")


async def test_a_damaged_local_version_is_fetched_again(house: House):
    first = Worker(house, "w")
    await first.learning.learn()
    [version] = first.versions()
    (first.folder / version / "intents.msgpack").write_bytes(b"torn")
    again = Worker(house, "w")
    await again.learning.learn()
    assert (house.builds, again.answer("怎么退货")) == (1, "七天")


async def test_a_parcel_that_is_not_what_was_announced_is_refused(house: House):
    worker = Worker(house, "w")
    await worker.learning.learn()
    version = worker.learning.version
    sha256 = await put(house.blobs, worker.folder, version)
    [name] = await house.parcels()
    path = house.root / "blobs" / name
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ParcelDamaged):
        await fetch(house.blobs, house.root / "other", version, sha256)
    assert not list((house.root / "other").iterdir())
    with pytest.raises(StorageError):
        await fetch(house.blobs, house.root / "other", "0" * 16, sha256)


async def test_old_versions_go_here_and_in_the_store(house: House):
    builder, other = Worker(house, "w0"), Worker(house, "w1")
    for n in range(5):
        await house.write(f"{n} 天")
        await builder.learning.look()
        await other.learning.look()
        assert other.answer("怎么退货") == f"{n} 天"
    assert len(await house.parcels()) == 2
    for worker in (builder, other):
        assert worker.learning.version in worker.versions()
        assert len(worker.versions()) == KEPT
        assert not [path for path in worker.folder.iterdir() if path.name.startswith(".")]
