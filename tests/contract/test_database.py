"""What every business database promises. One suite; engines are parameters of `open_database`."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster
from sqlalchemy import create_engine, insert, select

from qingniao.auth import Passwords
from qingniao.bots.base import Usage
from qingniao.errors import StartError, StorageError
from qingniao.storage.bot_records import BotFailure, BotRecords
from qingniao.storage.bots import BotLedger, Bots
from qingniao.storage.conversations import ConversationIndex
from qingniao.storage.database import Database, _upgrade
from qingniao.storage.errors import Taken
from qingniao.storage.first_run import first_run
from qingniao.storage.flow_secrets import FlowSecrets
from qingniao.storage.flows import DraftChanged, Flows
from qingniao.storage.ids import Cursors, IdRange, Ids
from qingniao.storage.knowledge import KnowledgeEntries
from qingniao.storage.migrations import HEAD, KNOWN
from qingniao.storage.models import counters, metadata
from qingniao.storage.rollups import Rollup, Rollups
from qingniao.storage.rows import (
    Arrival,
    BotRow,
    FlowRow,
    IndexRow,
    KnowledgeEntry,
    SessionRow,
    Site,
)
from qingniao.storage.site import SiteSettings
from qingniao.storage.teams import Teams, UnknownMember
from qingniao.storage.timers import FlowTimers
from qingniao.storage.users import Sessions, Users
from qingniao.storage.visitors import Arrivals, Visitors

Open = Callable[[], Awaitable[Database]]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Of an empty PostgreSQL database; empty for a file."""
    return "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
async def open_database(url: str, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens the same database again and again."""
    opened: list[Database] = []

    async def open_one() -> Database:
        path = tmp_path / "house.db"
        opened.append(await (Database.connect(url) if url else Database.open(path)))
        return opened[-1]

    yield open_one
    for database in opened:
        await database.close()


@pytest.fixture
async def database(open_database: Open) -> Database:
    return await open_database()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "house.db")
    yield database
    await database.close()


async def test_opening_twice_changes_nothing(open_database: Open):
    first = await open_database()
    assert await Ids(first).reserve("conversation", 3) == 1001
    await first.close()
    second = await open_database()
    assert await Ids(second).reserve("conversation", 1) == 1004


async def test_a_failed_write_leaves_nothing(database: Database):
    with pytest.raises(RuntimeError, match="half-way"):
        async with database.write() as connection:
            await connection.execute(insert(counters), {"name": "x", "next": 1})
            raise RuntimeError("half-way")
    async with database.read() as connection:
        assert (await connection.execute(select(counters))).all() == []


async def test_a_cancelled_write_leaves_nothing_and_blocks_nobody(database: Database):
    begun = asyncio.Event()

    async def slow() -> None:
        async with database.write() as connection:
            await connection.execute(insert(counters), {"name": "x", "next": 1})
            begun.set()
            await asyncio.sleep(30)

    task = asyncio.create_task(slow())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await Ids(database).reserve("x", 1) == 1001


async def test_readers_do_not_wait_for_a_writer(database: Database):
    async with database.write() as connection:
        await connection.execute(insert(counters), {"name": "x", "next": 1})
        async with asyncio.timeout(2), database.read() as reader:
            assert (await reader.execute(select(counters))).all() == []


async def test_a_driver_error_leaves_as_ours(database: Database):
    async with database.write() as connection:
        await connection.execute(insert(counters), {"name": "x", "next": 1})
    with pytest.raises(StorageError) as caught:
        async with database.write() as connection:
            await connection.execute(insert(counters), {"name": "x", "next": 1})
    assert caught.value.__cause__ is not None


async def test_reserved_numbers_are_never_given_twice(open_database: Open):
    database = await open_database()
    ranges = [IdRange(Ids(database), "conversation", size=7) for _ in range(3)]
    taken = await asyncio.gather(*(ranges[n % 3].take() for n in range(200)))
    assert len(set(taken)) == 200
    await database.close()
    again = IdRange(Ids(await open_database()), "conversation", size=7)
    assert await again.take() > max(taken)


async def test_cursors_start_at_nought_and_keep_what_is_put(database: Database):
    cursors = Cursors(database)
    assert await cursors.get("reports") == 0
    await cursors.put("reports", 7)
    await cursors.put("reports", 9)
    assert await cursors.get("reports") == 9


async def test_a_login_is_one_whatever_its_case(database: Database):
    users = Users(database)
    made = await users.add(login=" Li ", name="Li", role="agent", password_hash="h", now_ms=1)
    assert made.login == "li"
    with pytest.raises(Taken):
        await users.add(login="LI", name="Li", role="agent", password_hash="h", now_ms=1)
    found = await users.credentials("lI")
    assert found == (made, "h")
    assert await users.credentials("wang") is None
    assert await users.change(99, name="x") is None
    changed = await users.change(made.id, disabled=True, locale="en")
    assert changed is not None
    assert (changed.disabled, changed.locale, changed.name) == (True, "en", "Li")


async def test_sessions_are_found_by_hash_and_cleaned_when_over(database: Database):
    users, sessions = Users(database), Sessions(database)
    user = await users.add(login="li", name="Li", role="agent", password_hash="h", now_ms=1)

    def session(name: str, created: int) -> SessionRow:
        return SessionRow(
            id=name,
            user=user.id,
            created=created,
            last_seen=created,
            expires=created + 100,
            user_agent="",
        )

    await sessions.add(session("a", 0), "hash a")
    assert await sessions.find("hash a") == (session("a", 0), user)
    assert await sessions.find("hash b") is None
    await sessions.add(session("b", 100), "hash b")
    assert await sessions.get("a") is None
    await sessions.add(session("c", 100), "hash c")
    assert await sessions.end_all(user.id, keep="c") == ["b"]
    await sessions.touch("c", 150, 250)
    found = await sessions.get("c")
    assert found is not None
    assert (found.last_seen, found.expires) == (150, 250)
    await sessions.end("c")
    assert await sessions.get("c") is None


def row(number: int, **fields: object) -> IndexRow:
    given = {"visitor": f"v{number}", "last": 1, "time": number}
    return IndexRow(id=number, **given | fields)  # type: ignore[arg-type]


async def test_the_index_never_goes_back(database: Database):
    index = ConversationIndex(database, Visitors(database, Arrivals()))
    await index.project([])
    await index.project([row(1, last=5, preview="new"), row(2)])
    await index.project([row(1, last=4, preview="old")])
    found = await index.get(1)
    assert found is not None
    assert (found.last, found.preview) == (5, "new")
    await index.project([row(1, last=5, preview="new", read_agent=5)])
    found = await index.get(1)
    assert found is not None
    assert found.read_agent == 5
    assert await index.get(3) is None


async def test_a_projection_puts_visitors_on_record(database: Database):
    arrivals = Arrivals()
    visitors = Visitors(database, arrivals)
    index = ConversationIndex(database, visitors)
    await visitors.arrived(Arrival(visitor="v1", conversation=1, at=5, page="https://shop/"))
    await index.project([row(1), row(2, visitor_name="小王")])
    assert arrivals.get("v1") is None
    first, second = await visitors.get("v1"), await visitors.get("v2")
    assert first is not None
    assert (first.page, first.first_seen) == ("https://shop/", 5)
    assert second is not None
    assert (second.name, second.conversation) == ("小王", 2)
    await visitors.arrived(Arrival(visitor="v1", conversation=1, at=9, page="https://shop/2"))
    await index.project([row(1, last=2)])
    again = await visitors.get("v1")
    assert again is not None
    assert (again.page, again.first_seen, again.last_seen) == ("https://shop/2", 5, 9)


def test_arrivals_are_bounded_and_forget_the_longest_silent():
    arrivals = Arrivals(capacity=2)
    for name in ("a", "b", "a", "c"):
        arrivals.note(Arrival(visitor=name, conversation=1, at=1))
    assert arrivals.get("b") is None
    assert arrivals.get("a") is not None
    assert arrivals.get("c") is not None


async def test_the_site_is_the_default_until_it_is_changed(open_database: Open):
    database = await open_database()
    settings = SiteSettings(database)
    assert await settings.get() == Site()
    changed = Site(name="My shop", quick={"zh-CN": ("退货",), "en": ()})
    await settings.put(changed)
    assert await settings.get() == changed
    assert await SiteSettings(await open_database()).get() == changed


async def test_knowledge_is_replaced_by_id_and_found_by_text(database: Database):
    knowledge = KnowledgeEntries(database)
    entries = [
        KnowledgeEntry(id=f"q{n}", title=f"T{n}", question=f"问题{n}", answer="50%", category="c")
        for n in range(1200)
    ]
    await knowledge.put(entries, 1)
    await knowledge.put([KnowledgeEntry(id="q7", title="T7", question="新", answer="50_")], 2)
    page, total = await knowledge.page(search="_", limit=10, offset=0)
    assert ([entry.id for entry in page], total) == (["q7"], 1)
    _, total = await knowledge.page(search="50%", limit=10, offset=0)
    assert total == 1199
    assert len(await knowledge.all()) == 1200


async def test_a_flow_is_drafted_published_and_drafted_again(database: Database):
    flows = Flows(database)
    assert await flows.publish("main", 1) is None
    await flows.save_draft("main", name="Main", graph={"v": 1}, now_ms=1)
    draft = await flows.save_draft("main", name="Main", graph={"v": 2}, now_ms=2)
    assert draft.version == 1
    assert await flows.published("main") is None
    published = await flows.publish("main", 3)
    assert published is not None
    assert (published.version, published.status, published.graph) == (1, "published", {"v": 2})
    assert await flows.draft("main") is None
    assert (await flows.save_draft("main", name="Main", graph={}, now_ms=4)).version == 2
    assert await flows.published("main") == published
    await flows.publish("main", 5)
    assert [flow.version for flow in await flows.all()] == [2, 1]


async def test_whoever_has_not_seen_a_draft_does_not_replace_it(database: Database):
    flows = Flows(database)
    first = await flows.save_draft("main", name="M", graph={"v": 1}, now_ms=7, began_from=0)
    for began_from in (0, 6):
        with pytest.raises(DraftChanged):
            await flows.save_draft("main", name="M", graph={}, now_ms=8, began_from=began_from)
    second = await flows.save_draft(
        "main", name="M", graph={"v": 2}, now_ms=7, began_from=first.updated
    )
    assert second.updated == 8, "two drafts of one millisecond are two"
    with pytest.raises(DraftChanged):
        await flows.publish("main", 9, began_from=first.updated)
    assert await flows.draft("main") == second
    assert await flows.publish("main", 9, began_from=second.updated) is not None


async def test_an_earlier_flow_comes_back_and_a_draft_is_kept(database: Database):
    flows = Flows(database)
    for v in (1, 2):
        await flows.save_draft("main", name="M", graph={"v": v}, now_ms=v)
        await flows.publish("main", v)
    await flows.save_draft("main", name="M", graph={"v": 3}, now_ms=3)
    back = await flows.roll_back("main", 1, 4)
    assert back is not None
    assert (back.version, back.graph) == (3, {"v": 1})
    assert [(f.version, f.status) for f in await flows.versions("main")] == [
        (4, "draft"), (3, "published"), (2, "published"), (1, "published"),
    ]  # fmt: skip
    assert await flows.version("main", 4) is None, "a draft is no version"
    assert await flows.version("main", 2) is not None
    assert await flows.roll_back("main", 4, 5) is None
    assert await flows.drop_draft("main")
    assert not await flows.drop_draft("main")
    assert await flows.remove("main")
    assert not await flows.remove("main")


async def test_the_flow_published_last_is_first_whatever_the_clock_says(database: Database):
    flows = Flows(database)
    for name, now_ms in (("b", 100), ("a", 50), ("c", 50)):
        await flows.save_draft(name, name=name, graph={}, now_ms=now_ms)
        await flows.publish(name, now_ms)
    assert [row.id for row in await flows.all_published()] == ["c", "a", "b"]
    before = await flows.stamps()
    await flows.roll_back("b", 1, 10)
    assert [row.id for row in await flows.all_published()] == ["b", "c", "a"]
    assert await flows.stamps() != before


async def test_secrets_of_flows_belong_to_an_origin(database: Database):
    secrets = FlowSecrets(database)
    await secrets.put("https://a:443", "key", "sealed1", 1)
    await secrets.put("https://a:443", "key", "sealed2", 2)
    await secrets.put("https://b:443", "token", "sealed3", 2)
    assert await secrets.sealed("https://a:443") == {"key": "sealed2"}
    assert await secrets.names() == {"https://a:443": ["key"], "https://b:443": ["token"]}
    await secrets.put("https://b:443", "token", "", 3)
    assert await secrets.sealed("https://b:443") == {}


async def test_times_of_flows_are_found_when_they_have_come(database: Database):
    timers = FlowTimers(database)
    for conversation, due_ms in ((1, 30), (2, 10), (3, 20), (1, 15)):
        await timers.set(conversation, due_ms)
    assert await timers.due(20, 9) == [(2, 10), (1, 15), (3, 20)]
    assert await timers.due(20, 1) == [(2, 10)]
    await timers.put_off([1, 2], 12, 99)
    assert await timers.due(20, 9) == [(1, 15), (3, 20)], "only what was due then"
    await timers.drop([(1, 14), (3, 20)])
    assert await timers.due(100, 9) == [(1, 15), (2, 99)]


def bot(**more: Any) -> BotRow:
    fields = {"id": "shop", "version": 0, "kind": "dify", "name": "N", "status": "draft"}
    return BotRow(**fields | {"settings": {"a": 1}, "policy": {}} | more)


async def test_a_bot_is_drafted_published_and_taken_back(database: Database):
    bots = Bots(database)
    assert await bots.publish("shop", 1) is None
    await bots.save_draft(bot(settings={"v": 1}))
    assert (await bots.save_draft(bot(settings={"v": 2}, version=9))).version == 1
    assert await bots.published() == []
    first = await bots.publish("shop", 3)
    assert first is not None
    assert (first.version, first.settings, first.updated) == (1, {"v": 2}, 3)
    assert (await bots.save_draft(bot(settings={"v": 3}))).version == 2
    assert await bots.published() == [first]
    await bots.publish("shop", 4)
    await bots.save_draft(bot(settings={"v": 4}))
    assert await bots.roll_back("shop", 3, 5) is None
    back = await bots.roll_back("shop", 1, 5)
    assert back is not None
    assert (back.version, back.settings) == (3, {"v": 2})
    assert await bots.published() == [back]
    versions = [(row.version, row.status) for row in await bots.versions("shop")]
    assert versions == [(4, "draft"), (3, "published"), (2, "published"), (1, "published")]
    await bots.save_draft(bot(id="other"))
    assert [row.id for row in await bots.all()] == ["other"] + ["shop"] * 4
    assert await bots.remove("shop")
    assert not await bots.remove("shop")


async def test_keys_of_a_bot_are_for_one_platform(database: Database):
    bots = Bots(database)
    await bots.put_secrets("shop", "https://a:443", {"key": "x", "other": "y"}, 1)
    await bots.put_secrets("shop", "https://b:443", {"key": "z"}, 1)
    await bots.put_secrets("shop", "https://a:443", {"key": "new", "other": ""}, 2)
    assert await bots.secrets("shop") == {
        ("shop", "https://a:443"): {"key": "new"}, ("shop", "https://b:443"): {"key": "z"},
    }  # fmt: skip
    assert await bots.secrets("another") == {}
    await bots.remove("shop")
    assert await bots.secrets() == {}


async def test_two_may_enter_the_same_key_of_a_bot_at_once(database: Database):
    bots = Bots(database)
    keys = [f"key-{number}" for number in range(20)]
    await asyncio.gather(*(bots.put_secrets("shop", "o", {"key": key}, 1) for key in keys))
    ((found,),) = [held.values() for held in (await bots.secrets("shop")).values()]
    assert found in keys


async def test_what_bots_use_adds_up(database: Database):
    ledger = BotLedger(database)
    used = Usage(prompt_tokens=10, completion_tokens=5, cost=0.25)
    assert (await ledger.spent("shop", 7)).tokens == 0
    await asyncio.gather(*(ledger.add("shop", 7, used) for _ in range(8)))
    await ledger.add("shop", 8, used)
    spent = await ledger.spent("shop", 7)
    assert (spent.tokens, spent.cost, spent.replies) == (120, 2.0, 8)


async def test_what_bots_did_adds_up_and_the_last_failure_is_kept(database: Database):
    records = BotRecords(database)

    def failed(bot: str, time: int) -> dict[str, BotFailure]:
        return {bot: BotFailure(code="bot", detail=f"at {time}", time=time)}

    amounts = [
        Rollup(hour=7, metric="bot_cost_CNY", label="shop", value=0.25),
        Rollup(hour=7, metric="bot_answers", label="shop", value=1),
        Rollup(hour=7, metric="botany", label="shop", value=1),
    ]
    await asyncio.gather(*(records.add(amounts, failed(f"b{n}", n + 1)) for n in range(8)))
    await records.add([Rollup(hour=6, metric="bot_answers", label="old", value=1)], {})
    assert await records.sums(7) == {"shop": {"bot_cost_CNY": 2.0, "bot_answers": 8.0}}
    assert set(await records.sums(6)) == {"shop", "old"}
    assert sorted(await records.failures()) == [f"b{n}" for n in range(8)]
    await records.add([], failed("b1", 1))
    assert (await records.failures())["b1"].time == 2
    await records.add([], failed("b1", 9))
    assert (await records.failures())["b1"].detail == "at 9"


async def test_choice_of_who_answers_first_goes_with_the_bot(database: Database):
    records = BotRecords(database)
    assert await records.first() == ""
    await records.put_first("shop")
    await records.forget("other")
    assert await records.first() == "shop"
    await records.forget("shop")
    assert await records.first() == ""


async def test_rollups_add_up(database: Database):
    rollups = Rollups(database)
    await rollups.add([Rollup(hour=1, metric="m", value=2), Rollup(hour=2, metric="m", value=1)])
    await rollups.add([Rollup(hour=1, metric="m", value=3), Rollup(hour=1, metric="n", value=9)])
    assert [(r.hour, r.value) for r in await rollups.between("m", 1, 3)] == [(1, 5), (2, 1)]
    assert [r.hour for r in await rollups.between("m", 2, 3)] == [2]


async def test_the_first_run_happens_once(database: Database):
    passwords = Passwords(memory_kib=64, passes=1)
    flow = FlowRow(id="main", version=1, name="Main", status="published", graph={"v": 1})
    entry = KnowledgeEntry(id="q", title="T", question="Q", answer="A")
    made = await first_run(database, passwords, now_ms=1, knowledge=[entry], flows=[flow])
    assert made is not None
    found = await Users(database).credentials(made.login)
    assert found is not None
    user, stored = found
    assert (user.role, user.must_change_password) == ("admin", True)
    assert made.password not in stored
    assert await passwords.verify(stored, made.password)
    published = await Flows(database).published("main")
    assert published is not None
    assert published.graph == {"v": 1}
    assert await first_run(database, passwords, now_ms=2) is None


# What only a file can do wrong.


async def test_a_newer_schema_is_refused_by_name(tmp_path: Path):
    path = tmp_path / "house.db"
    await (await Database.open(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StartError, match=r"newer version of Qingniao.*9999"):
        await Database.open(path)


async def test_a_foreign_database_is_left_alone(tmp_path: Path):
    path = tmp_path / "house.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")
    connection.close()
    with pytest.raises(StartError, match="not one of Qingniao's"):
        await Database.open(path)


async def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path):
    path = tmp_path / "house.db"
    path.write_bytes(b"this is not a database, whatever its name says" * 100)
    with pytest.raises(StartError, match="damaged"):
        await Database.open(path)


async def test_a_folder_that_cannot_be_written_is_said_to_be_so(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StartError):
        await Database.open(tmp_path / "file" / "house.db")
    (tmp_path / "house.db").mkdir()
    with pytest.raises(StartError, match="cannot be opened"):
        await Database.open(tmp_path / "house.db")


async def test_a_read_only_database_is_said_to_be_so(sqlite: Database):
    async with sqlite.read() as connection:
        await connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(StorageError, match="read-only"):
        await Ids(sqlite).reserve("x", 1)


async def test_a_full_disk_is_said_to_be_full(sqlite: Database):
    async with sqlite.read() as connection:
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
        await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    entries = [KnowledgeEntry(id="q", title="T", question="Q", answer="A" * 1_000_000)]
    with pytest.raises(StorageError, match="full"):
        await KnowledgeEntries(sqlite).put(entries, 1)


async def a_user(database: Database, login: str) -> int:
    made = await Users(database).add(
        login=login, name=login, role="agent", password_hash="", now_ms=1
    )
    return made.id


async def test_teams_have_members_and_unlike_names(database: Database):
    teams = Teams(database)
    li, wang = await a_user(database, "li"), await a_user(database, "wang")
    first = await teams.add(name="售后组", description="退货", members=[wang, li], now_ms=1)
    second = await teams.add(name="Returns", description="", members=[li], now_ms=2)
    assert (first.members, second.members) == ((li, wang), (li,))
    with pytest.raises(Taken):
        await teams.add(name=" RETURNS", description="", members=(), now_ms=3)
    with pytest.raises(Taken):
        await teams.change(first.id, name="returns")
    with pytest.raises(UnknownMember, match="999"):
        await teams.change(first.id, name="退换组", members=[999])
    assert await teams.all() == [first, second], "a refused change changes nothing"
    renamed = await teams.change(first.id, name="退换组", members=[wang])
    assert renamed is not None
    assert (renamed.name, renamed.description, renamed.members) == ("退换组", "退货", (wang,))
    assert await teams.all() == [renamed, second]


async def test_number_of_a_deleted_team_is_never_given_again(open_database: Open):
    database = await open_database()
    teams = Teams(database)
    first = await teams.add(name="售后组", description="", members=(), now_ms=1)
    assert await teams.remove(first.id)
    assert not await teams.remove(first.id)
    assert await teams.change(first.id, name="x") is None
    await database.close()
    again = Teams(await open_database())
    assert (await again.add(name="售后组", description="", members=(), now_ms=2)).id > first.id


async def test_two_administrators_may_make_the_same_team_at_once(database: Database):
    teams = Teams(database)
    made = await asyncio.gather(
        *(teams.add(name="售后组", description="", members=(), now_ms=1) for _ in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Taken) for one in made) == 4
    assert len(await teams.all()) == 1


def test_the_migrations_add_up_to_the_tables():
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from qingniao.storage.migrations.upgrade import upgrade

    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        upgrade(connection, HEAD)
        upgrade(connection, HEAD)
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


async def test_migrating_an_empty_file_gives_what_a_first_start_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop_is_never_blocked: BlockBuster
):
    await (await Database.open(tmp_path / "fresh.db")).close()
    # Alembic reads its scripts from disk; at that moment nobody is served yet.
    loop_is_never_blocked.deactivate()
    monkeypatch.setattr("qingniao.storage.database._create", _upgrade)
    database = await Database.open(tmp_path / "migrated.db")
    assert await Ids(database).reserve("conversation", 1) == 1001
    await database.close()

    def shape(name: str) -> list[tuple[str, str, str, int, str]]:
        connection = sqlite3.connect(tmp_path / name)
        columns = connection.execute(
            'SELECT m.name, c.name, c.type, c."notnull", c.pk FROM sqlite_master AS m'
            " JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table' ORDER BY 1, 2"
        ).fetchall()
        connection.close()
        return columns

    assert shape("migrated.db") == shape("fresh.db")
    assert len({table for table, *_ in shape("fresh.db")}) == len(metadata.tables) + 1


def test_alembic_reads_the_same_history_as_we_keep():
    from alembic.script import ScriptDirectory

    from qingniao.storage.migrations.upgrade import configuration

    scripts = ScriptDirectory.from_config(configuration())
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert revisions == list(reversed(KNOWN))
    assert scripts.get_current_head() == HEAD
