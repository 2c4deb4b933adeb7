"""Several processes, one database: what each engine promises them, and what a server can do wrong.

Two `Database`s are two processes here: they share nothing but the server.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from blockbuster import BlockBuster
from sqlalchemy import insert, select, text, update

from qingniao.auth import KeyRing, Passwords, Signer
from qingniao.errors import ConfigError, StartError, StorageError
from qingniao.servers.postgres import PostgresServer
from qingniao.storage.conversations import ConversationIndex, Counted
from qingniao.storage.database import Database
from qingniao.storage.database_postgres import postgres_engine
from qingniao.storage.errors import Unreachable
from qingniao.storage.first_run import first_run
from qingniao.storage.flows import Flows
from qingniao.storage.ids import IdRange, Ids
from qingniao.storage.keys import SIGNS_AFTER_MS, SharedKeys
from qingniao.storage.knowledge import KnowledgeEntries
from qingniao.storage.migrations import HEAD, KNOWN
from qingniao.storage.models import arrivals, counters, metadata, signing_keys
from qingniao.storage.rollups import Rollup, Rollups
from qingniao.storage.rows import Arrival, FlowRow, IndexRow, KnowledgeEntry, Site
from qingniao.storage.site import LIFE_S, SiteSettings
from qingniao.storage.users import Users
from qingniao.storage.versions import KNOWLEDGE, Version, Versions
from qingniao.storage.visitors import Arrivals, Visitors

Open = Callable[[], Awaitable[Database]]
NOW = 1_795_500_000_000


@pytest.fixture
async def connect(postgres_url: str) -> AsyncIterator[Open]:
    """Another process on the same database."""
    opened: list[Database] = []

    async def one() -> Database:
        opened.append(await Database.connect(postgres_url, pool=4, timeout_s=3))
        return opened[-1]

    yield one
    for database in opened:
        await database.close()


@pytest.fixture
async def pair(connect: Open) -> list[Database]:
    return [await connect(), await connect()]


def row(number: int, **fields: object) -> IndexRow:
    given = {"visitor": f"v{number}", "last": 1, "time": number}
    return IndexRow(id=number, **given | fields)  # type: ignore[arg-type]


async def test_processes_that_start_at_once_make_one_schema(connect: Open):
    databases = await asyncio.gather(*(connect() for _ in range(5)))
    assert len({await Ids(database).reserve("x", 1) for database in databases}) == 5


async def test_one_of_many_first_starts_gets_the_password(connect: Open):
    databases = await asyncio.gather(*(connect() for _ in range(4)))
    flow = FlowRow(id="main", version=1, name="Main", status="published", graph={"v": 1})
    entry = KnowledgeEntry(id="q", title="T", question="Q", answer="A")
    made = await asyncio.gather(
        *(
            first_run(
                database,
                Passwords(memory_kib=64, passes=1),
                now_ms=NOW,
                knowledge=[entry],
                flows=[flow],
            )
            for database in databases
        )
    )
    assert len([one for one in made if one is not None]) == 1
    assert await Users(databases[0]).count() == 1
    assert [one.version for one in await Flows(databases[0]).all()] == [1]


async def test_numbers_of_two_processes_never_meet(pair: list[Database]):
    ranges = [IdRange(Ids(database), "conversation", size=3) for database in pair * 2]
    taken = await asyncio.gather(*(ranges[n % 4].take() for n in range(200)))
    assert len(set(taken)) == 200


def counted(rows: Sequence[IndexRow], after: int, amount: int) -> list[Counted]:
    return [
        Counted(one.id, after, (Rollup(hour=1, metric="messages", value=amount),)) for one in rows
    ]


async def test_two_projections_of_the_same_conversations_count_once(pair: list[Database]):
    indexes = [ConversationIndex(database, Visitors(database, Arrivals())) for database in pair]
    first = [row(n, last=2) for n in range(1, 41)]
    answers = await asyncio.gather(
        *(index.project(first, counted(first, 0, 2)) for index in indexes * 3)
    )
    assert answers == [[]] * 6
    second = [row(n, last=5) for n in range(40, 0, -1)]
    await asyncio.gather(*(index.project(second, counted(second, 2, 3)) for index in indexes * 3))
    sums = await Rollups(pair[0]).between("messages", 0, 2)
    assert [one.value for one in sums] == [40 * 5]
    assert (await indexes[1].lasts(range(1, 41))) == dict.fromkeys(range(1, 41), 5)


async def test_whoever_is_late_is_told_to_count_again(pair: list[Database]):
    first, second = (ConversationIndex(one, Visitors(one, Arrivals())) for one in pair)
    early, late = [row(1, last=2, preview="early")], [row(1, last=5, preview="late")]
    assert await first.project(early, counted(early, 0, 2)) == []
    # It had begun when nothing was stored, and would count the first two again.
    assert await second.project(late, counted(late, 0, 5)) == [1]
    assert (await second.lasts([1])) == {1: 2}
    assert await second.project(late, counted(late, 2, 3)) == []
    # One that was frozen meanwhile changes nothing, nor is it told to do more.
    assert await first.project([row(1, last=4)], counted([row(1, last=4)], 2, 2)) == []
    found = await first.get(1)
    assert found is not None
    assert (found.last, found.preview) == (5, "late")
    assert [one.value for one in await Rollups(pair[0]).between("messages", 0, 2)] == [5]


async def test_a_thawed_projection_takes_no_read_mark_back(pair: list[Database]):
    first, second = (ConversationIndex(one, Visitors(one, Arrivals())) for one in pair)
    await first.project([row(1, last=5, read_agent=5)])
    await second.project([row(1, last=5, read_agent=3)])
    found = await first.get(1)
    assert found is not None
    assert found.read_agent == 5


async def test_an_arrival_told_to_one_process_is_known_to_all(pair: list[Database]):
    first, second = (Visitors(database, Arrivals()) for database in pair)
    arrival = Arrival(visitor="v1", conversation=1, at=NOW, locale="en", page="https://shop/")
    await first.arrived(arrival)
    assert first.arrivals.get("v1") is None
    seen = await second.get("v1")
    assert seen is not None
    assert (seen.locale, seen.page, seen.conversation) == ("en", "https://shop/", 1)
    await ConversationIndex(pair[1], second).project([row(1)])
    assert await first.get("v1") == seen
    async with pair[0].read() as connection:
        assert (await connection.execute(select(arrivals))).all() == []
    await second.arrived(Arrival(visitor="v1", conversation=1, at=NOW + 5, page="https://shop/2"))
    again = await first.get("v1")
    assert again is not None
    assert (again.locale, again.page, again.first_seen) == ("en", "https://shop/2", NOW)


async def test_many_arrivals_at_once_are_all_written(pair: list[Database]):
    visitors = Visitors(pair[0], Arrivals())
    await asyncio.gather(
        *(
            visitors.arrived(Arrival(visitor=f"v{n}", conversation=n, at=NOW))
            for n in range(1, 1_201)
        )
    )
    async with pair[1].read() as connection:
        assert len((await connection.execute(select(arrivals.c.visitor))).all()) == 1_200
    assert visitors.arrivals.oldest(1) == []


async def test_what_a_column_cannot_hold_does_not_stop_a_projection(pair: list[Database]):
    visitors = Visitors(pair[0], Arrivals())
    await visitors.arrived(
        Arrival(visitor="v1", conversation=1, at=NOW, locale="x" * 500, title="a\0b" * 200)
    )
    index = ConversationIndex(pair[0], visitors)
    await index.project([row(1, preview="before\0after", visitor_name="n" * 100)])
    found, visitor = await index.get(1), await visitors.get("v1")
    assert found is not None
    assert visitor is not None
    assert (found.preview, found.visitor_name) == ("beforeafter", "n" * 64)
    assert (visitor.locale, visitor.title) == ("x" * 16, ("ab" * 200)[:256])
    page = await index.page("all", user=1, search="before\0after", limit=10)
    assert [one.id for one in page.rows] == [1]


async def test_drafts_saved_at_once_leave_one(pair: list[Database]):
    stores = [Flows(database) for database in pair * 3]
    await asyncio.gather(
        *(store.save_draft("main", name="M", graph={"n": 1}, now_ms=1) for store in stores)
    )
    assert [(one.version, one.status) for one in await stores[0].all()] == [(1, "draft")]
    published = await asyncio.gather(*(store.publish("main", 2) for store in stores))
    assert len([one for one in published if one is not None]) == 1


async def test_imports_at_once_do_not_hold_each_other_up(pair: list[Database]):
    entries = [KnowledgeEntry(id=f"q{n}", title="T", question="Q", answer="A") for n in range(900)]
    stores = [KnowledgeEntries(database) for database in pair]
    orders = (entries, entries[::-1], entries[::2] + entries[1::2], entries)
    await asyncio.gather(*(stores[n % 2].put(some, n) for n, some in enumerate(orders)))
    assert len(await stores[0].all()) == 900


async def test_changes_of_the_site_are_seen_soon_and_none_is_lost(pair: list[Database]):
    now_s = 0.0
    first, second = (SiteSettings(one, timer=lambda: now_s) for one in pair)
    assert (await first.get(), await second.get()) == (Site(), Site())
    await first.change(lambda held: Site(name="Shop", colour=held.colour))
    changed = await second.change(lambda held: Site(name=held.name, colour="#112233"))
    assert (changed.name, changed.colour) == ("Shop", "#112233")
    assert (await first.get()).colour == Site().colour
    now_s = LIFE_S
    assert await first.get() == changed


async def test_only_what_was_built_of_the_newest_is_announced(pair: list[Database]):
    first, second = (Versions(database) for database in pair)
    claims = await asyncio.gather(
        *(
            store.claim(KNOWLEDGE, name, for_ms=9_999)
            for store, name in ((first, "a"), (second, "b"))
        )
    )
    assert sorted(claims) == [False, True]
    assert await first.announce(KNOWLEDGE, version="v0", sha256="0", source="")
    assert (await second.get(KNOWLEDGE)).is_current
    knowledge = KnowledgeEntries(pair[0])
    await knowledge.put([KnowledgeEntry(id="q", title="T", question="Q", answer="A")], 1)
    stale = await first.get(KNOWLEDGE)
    assert not stale.is_current
    await knowledge.put([KnowledgeEntry(id="q", title="T", question="Q", answer="B")], 2)
    fresh = await second.get(KNOWLEDGE)
    assert fresh.source != stale.source
    assert not await first.announce(KNOWLEDGE, version="v1", sha256="1", source=stale.source)
    assert await second.announce(KNOWLEDGE, version="v2", sha256="2", source=fresh.source)
    found = await first.get(KNOWLEDGE)
    assert (found.version, found.sha256, found.is_current) == ("v2", "2", True)


async def test_one_token_is_good_with_every_process(pair: list[Database]):
    keys = await asyncio.gather(*(SharedKeys.open(database) for database in pair * 3))
    signers = [Signer(one.ring) for one in keys]
    token, _ = signers[0].visitor("v1", 7, NOW)
    assert {signer.read_visitor(token, NOW).conversation for signer in signers} == {7}


async def test_a_new_key_signs_only_once_everybody_can_know_it(pair: list[Database]):
    first, second = [await SharedKeys.open(database) for database in pair]
    old, _ = Signer(first.ring).visitor("v1", 7, NOW)
    assert await first.rotate() == 2
    assert first.ring.current == 1
    assert second.ring.get(2) is None
    await second.look()
    assert second.ring.get(2) == first.ring.get(2) is not None
    async with pair[0].write() as connection:
        # A minute later.
        earlier = signing_keys.c.created - SIGNS_AFTER_MS
        await connection.execute(update(signing_keys).values(created=earlier))
    await first.look()
    assert first.ring.current == 2
    new, _ = Signer(first.ring).visitor("v1", 7, NOW)
    for token in (old, new):
        assert Signer(second.ring).read_visitor(token, NOW).visitor == "v1"


async def test_an_embedded_installation_brings_its_keys(pair: list[Database], tmp_path: Path):
    embedded = await asyncio.to_thread(KeyRing.open, tmp_path / "keys")
    token, _ = Signer(embedded).visitor("v1", 7, NOW)
    await SharedKeys.open(pair[0], seed=tmp_path / "keys")
    shared = await SharedKeys.open(pair[1])
    assert Signer(shared.ring).read_visitor(token, NOW).conversation == 7


# What a server can do wrong.


async def test_a_restart_of_the_server_costs_nobody_a_restart(
    connect: Open, postgres: PostgresServer
):
    database = await connect()
    await asyncio.gather(*(Ids(database).reserve("x", 1) for _ in range(8)))
    await asyncio.to_thread(postgres.restart)
    assert await Ids(database).reserve("x", 1) == 1009
    await asyncio.to_thread(postgres.kill)
    try:
        with pytest.raises(StorageError):
            await Ids(database).reserve("x", 1)
        with pytest.raises(Unreachable, match="cannot be reached"):
            await Users(database).count()
        # A visitor is let in all the same.
        visitors = Visitors(database, Arrivals())
        await visitors.arrived(Arrival(visitor="v1", conversation=1, at=NOW))
    finally:
        await asyncio.to_thread(postgres.start)
    assert await Ids(database).reserve("x", 1) == 1010
    assert visitors.arrivals.get("v1") is not None


async def test_a_restart_in_the_middle_of_a_write_is_our_error(
    connect: Open, postgres: PostgresServer
):
    database = await connect()
    with pytest.raises(StorageError):
        async with database.write() as connection:
            await connection.execute(insert(counters), {"name": "x", "next": 1})
            await asyncio.to_thread(postgres.restart)
            await connection.execute(insert(counters), {"name": "y", "next": 1})
    async with database.read() as connection:
        assert (await connection.execute(select(counters))).all() == []


async def test_a_server_that_does_not_answer_is_our_error_in_time(
    postgres_url: str, postgres: PostgresServer
):
    database = await Database.connect(postgres_url, pool=1, timeout_s=0.5)
    assert await Users(database).count() == 0
    await asyncio.to_thread(postgres.pause)
    try:
        async with asyncio.timeout(20):
            with pytest.raises(StorageError, match="in time"):
                await Users(database).count()
            with pytest.raises(StorageError, match="in time"):
                await Ids(database).reserve("x", 1)
    finally:
        await asyncio.to_thread(postgres.resume)
    assert await Ids(database).reserve("x", 1) >= 1001
    await database.close()


async def test_whoever_keeps_a_lock_too_long_loses_it(postgres_url: str):
    frozen = await Database.connect(postgres_url, pool=1, timeout_s=0.5)
    other = await Database.connect(postgres_url, pool=1, timeout_s=5)
    await Ids(frozen).reserve("x", 1)
    with pytest.raises(StorageError):
        async with frozen.write() as connection:
            await connection.execute(update(counters).values(next=1))
            async with asyncio.timeout(20):
                assert await Ids(other).reserve("x", 1) == 1002
            await connection.execute(update(counters).values(next=1))
    await frozen.close()
    await other.close()


async def test_more_than_the_pool_wait_for_their_turn_and_then_hear_no(postgres_url: str):
    database = await Database.connect(postgres_url, pool=2, timeout_s=0.5)
    numbers = await asyncio.gather(*(Ids(database).reserve("x", 1) for _ in range(20)))
    assert len(set(numbers)) == 20
    async with database.read(), database.read():
        with pytest.raises(StorageError, match=r"busy|in time"):
            await Users(database).count()
    assert await Users(database).count() == 0
    await database.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: url.replace("/test", "/nobody"), "no such database"),
        (lambda url: f"{url.rpartition(':')[0]}:1/test", "cannot be reached"),
    ],
)
async def test_what_is_wrong_with_the_url_is_said_without_it(
    postgres_url: str, change: Callable[[str], str], said: str
):
    url = change(postgres_url).replace("qingniao@", "qingniao:a-secret@")
    with pytest.raises(StartError, match=said) as caught:
        await Database.connect(url, timeout_s=3)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense"])
async def test_a_url_of_another_kind_is_a_wrong_setting(url: str):
    with pytest.raises(ConfigError, match=r"database\.url"):
        await Database.connect(url)


@pytest.mark.parametrize("rest", ["h:port/x", "h/x?sslmode=nonsense"])
async def test_a_url_that_cannot_be_read_stops_the_start(rest: str):
    with pytest.raises(StartError, match=r"does not understand.*database\.url"):
        await Database.connect(f"postgresql://qingniao:a-secret@{rest}")


async def test_the_first_of_several_hosts_may_be_gone(postgres_url: str, postgres: PostgresServer):
    hosts = f"127.0.0.1:1,127.0.0.1:{postgres.port}"
    url = postgres_url.replace(f"127.0.0.1:{postgres.port}", hosts)
    database = await Database.connect(f"{url}?sslmode=prefer&target_session_attrs=primary")
    assert await Users(database).count() == 0
    await database.close()


async def test_a_newer_schema_on_a_server_is_refused_by_name(connect: Open):
    database = await connect()
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StartError, match=r"newer version of Qingniao.*9999"):
        await connect()


async def test_other_tables_may_live_beside_ours_but_not_under_our_names(
    postgres_url: str, postgres: PostgresServer
):
    execute = postgres.execute
    await asyncio.to_thread(execute, "CREATE TABLE theirs (id int)", database="test")
    await (await Database.connect(postgres_url)).close()
    await asyncio.to_thread(
        execute, "DROP TABLE alembic_version", "DROP TABLE visitors", database="test"
    )
    with pytest.raises(StartError, match="not one of Qingniao's"):
        await Database.connect(postgres_url)


async def test_processes_of_a_new_version_that_start_at_once_upgrade_once(
    connect: Open, postgres_url: str, loop_is_never_blocked: BlockBuster
):
    # Alembic reads its scripts from disk; at that moment nobody is served yet.
    loop_is_never_blocked.deactivate()
    from qingniao.storage.migrations.upgrade import upgrade

    engine = postgres_engine(postgres_url, migrates=True)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, KNOWN[0])
    await engine.dispose()
    databases = await asyncio.gather(*(connect() for _ in range(3)))
    assert [await Versions(one).get(KNOWLEDGE) for one in databases] == [Version()] * 3


async def test_the_migrations_add_up_to_the_tables_on_a_server(
    postgres_url: str, loop_is_never_blocked: BlockBuster
):
    # Alembic reads its scripts from disk; at that moment nobody is served yet.
    loop_is_never_blocked.deactivate()
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy.engine import Connection

    from qingniao.storage.migrations.upgrade import upgrade

    def compare(connection: Connection) -> list[object]:
        upgrade(connection, HEAD)
        upgrade(connection, HEAD)
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    engine = postgres_engine(postgres_url, migrates=True)
    async with engine.begin() as connection:
        assert await connection.run_sync(compare) == []
    await engine.dispose()
