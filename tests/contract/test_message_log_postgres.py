"""What PostgreSQL promises beyond the port: many writers, and a server that dies or hangs."""

import asyncio
import datetime as dt
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from message_logs import NOW, PostgresLogs, action, folded, read_on, said, text

from qingniao.chat.head import DEVICES_KEPT
from qingniao.chat.intake import Message, Move
from qingniao.chat.lifecycle import Event, Why
from qingniao.chat.ports import Role
from qingniao.errors import StartError, StorageError
from qingniao.protocol.codes import Code
from qingniao.protocol.frames import EntryType
from qingniao.servers.postgres import PostgresServer
from qingniao.storage import postgres_commits
from qingniao.storage.messages_postgres import PostgresMessageLog
from qingniao.storage.postgres_schema import MONTHS_AHEAD, tend_months

DEADLINE_S = 1.0


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def pair(postgres_url: str, stack: AsyncExitStack) -> tuple[PostgresMessageLog, ...]:
    """Two processes, as far as the database can tell."""
    return tuple([await opened(postgres_url, stack) for _ in range(2)])


async def opened(
    url: str, stack: AsyncExitStack, *, deadline_s: float = DEADLINE_S, **options: int
) -> PostgresMessageLog:
    log = await PostgresMessageLog.open(url, deadline_s=deadline_s, **options)
    stack.push_async_callback(log.close)
    return log


async def sure(log: PostgresMessageLog, message: Message) -> int:
    """Send until it is acked, as clients do; the `seq`."""
    async with asyncio.timeout(30):
        while True:
            try:
                (decision,) = await log.commit([message], NOW)
            except StorageError:
                await asyncio.sleep(0.02)
                continue
            assert decision.code == 0, decision
            return decision.seq


async def test_entries_of_many_writers_have_no_gap_and_are_there_once(
    pair: tuple[PostgresMessageLog, ...], postgres_url: str
) -> None:
    async def writes(log: PostgresMessageLog, writer: int) -> None:
        chance = random.Random(writer)
        sent: Counter[int] = Counter()
        for _ in range(60):
            batch = []
            for _ in range(chance.randrange(1, 9)):
                conversation = chance.randrange(1, 6)
                sent[conversation] += 1
                n = sent[conversation]
                batch.append(
                    text(n, f"{writer}-{n}", conversation=conversation, device=f"d{writer}")
                )
            for decision in await log.commit(batch, NOW):
                assert (decision.code, decision.repeat) == (0, False)

    await asyncio.gather(*(writes(log, number) for number, log in enumerate(pair)))
    logs = PostgresLogs(postgres_url)
    for conversation in range(1, 6):
        entries = await pair[0].entries(conversation, 0, 10_000)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        for writer in (0, 1):
            mine = [e.body for e in entries if str(e.body).startswith(f"{writer}-")]
            assert mine == [f"{writer}-{n}" for n in range(1, len(mine) + 1)]
        head = await pair[1].head(conversation)
        assert head == folded(await logs.records(pair[0], conversation), conversation)
    assert sum(log._commits.overtaken for log in pair) > 0, "they never met"


async def test_new_conversation_is_begun_by_one_of_many(
    postgres_url: str, stack: AsyncExitStack
) -> None:
    logs = [await opened(postgres_url, stack) for _ in range(4)]
    for conversation in range(1, 30):
        decisions = await asyncio.gather(
            *(log.commit([text(1, conversation=conversation, device=f"d{number}")], NOW)
              for number, log in enumerate(logs))
        )  # fmt: skip
        assert sorted(decision.seq for (decision,) in decisions) == [1, 2, 3, 4]


async def test_what_was_decided_on_an_old_head_is_decided_again(
    pair: tuple[PostgresMessageLog, ...],
) -> None:
    here, there = pair
    await here.commit([text(1), action(2, "handoff")], NOW)
    await there.commit([action(1, "take", agent=3)], NOW)
    # `here` still has the head in which the conversation waits.
    give = Move(7, Event.ASSIGN, Why.LEAST_BUSY, 4, "吴桐", 1)
    (decision,) = await here.commit([give], NOW)
    assert decision.code != 0
    head = await here.head(7)
    assert head is not None
    assert head.assignee == 3


async def test_hole_is_not_told_because_of_an_old_head(
    pair: tuple[PostgresMessageLog, ...],
) -> None:
    here, there = pair
    await here.commit([text(1)], NOW)
    await there.commit([text(2)], NOW)
    (decision,) = await here.commit([text(3)], NOW)
    assert (decision.code, decision.seq) == (0, 3)
    (again,) = await there.commit([text(3)], NOW)
    assert (again.repeat, again.seq) == (True, 3)
    (hole,) = await there.commit([text(9)], NOW)
    assert (hole.code, hole.expected) == (Code.HOLE, 4)


async def test_stranger_is_answered_by_what_others_have_begun(
    pair: tuple[PostgresMessageLog, ...],
) -> None:
    here, there = pair
    agent = Message(7, "a3", "d", 1, EntryType.NOTE, "记", agent=3, name="周宁")
    assert (await here.commit([agent], NOW))[0].code == Code.NOT_YOURS
    await there.commit([text(1)], NOW)
    assert (await here.commit([agent], NOW))[0].seq == 2


async def test_device_that_another_process_let_go_is_known(
    pair: tuple[PostgresMessageLog, ...],
) -> None:
    here, there = pair
    await here.commit([text(1, "一")], NOW)
    for number in range(DEVICES_KEPT + 3):
        await there.commit([text(1, "别人", device=f"o{number}")], NOW)
    again, new = await here.commit([text(1, "一"), text(2, "二")], NOW)
    assert again.repeat
    assert new.n == 2
    assert (await said(here)).count("一") == 1


async def test_head_of_commits_that_the_server_lost_is_not_believed(
    pair: tuple[PostgresMessageLog, ...], postgres: PostgresServer
) -> None:
    # As after a failover to a replica that was behind.
    here, there = pair
    await here.commit([text(1)], NOW)
    keep = "CREATE TABLE kept AS SELECT * FROM messages.heads"
    await asyncio.to_thread(postgres.execute, keep, database="test")
    await here.commit([text(2, "丢")], NOW)
    await asyncio.to_thread(
        postgres.execute,
        "DELETE FROM messages.heads", "INSERT INTO messages.heads SELECT * FROM kept",
        "DELETE FROM messages.entries WHERE seq > 1", database="test",
    )  # fmt: skip
    await there.commit([text(1, "别人", device="d2")], NOW)
    (hole,) = await here.commit([text(3)], NOW)
    assert (hole.code, hole.expected) == (Code.HOLE, 2)
    assert (await here.commit([text(2, "又"), text(3)], NOW))[1].seq == 4
    assert await said(here) == ["在吗", "别人", "又", "在吗"]


async def test_time_of_a_conversation_does_not_go_back(
    pair: tuple[PostgresMessageLog, ...],
) -> None:
    ahead, behind = pair
    await ahead.commit([text(1)], NOW + 300_000)
    await behind.commit([text(2), text(1, conversation=8)], NOW)
    await ahead.commit([text(3)], NOW + 300_001)
    times = [entry.time - NOW for entry in await ahead.entries(7, 0, 9)]
    assert times == [300_000, 300_000, 300_001]
    assert [entry.time for entry in await ahead.entries(8, 0, 9)] == [NOW]


async def test_random_sets_of_conversations_never_wait_in_a_circle(
    postgres: PostgresServer,
    postgres_url: str,
    stack: AsyncExitStack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Half of them take the locks first, which is where a circle could be. They may wait long for
    # each other; a circle would be seen sooner (PostgreSQL looks after a second).
    logs = [await opened(postgres_url, stack, deadline_s=20) for _ in range(4)]

    async def writes(log: PostgresMessageLog, writer: int) -> None:
        chance = random.Random(writer)
        sent: Counter[int] = Counter()
        for _ in range(40):
            chosen = chance.sample(range(1, 41), 25)
            sent.update(chosen)
            batch = [text(sent[c], conversation=c, device=f"d{writer}") for c in chosen]
            decisions = (
                await log.commit(batch, NOW)
                if writer % 2
                else await asyncio.gather(log.commit(batch, NOW), also(log, chosen))
            )
            done = decisions if writer % 2 else decisions[0]
            assert all(decision.code == 0 for decision in done)

    async def also(log: PostgresMessageLog, chosen: list[int]) -> None:
        for conversation in chosen:
            await read_on(log, conversation, agent=True, seq=1)
        await log.clear(Role.INDEX, [(conversation, 1 << 40) for conversation in chosen])

    monkeypatch.setattr(postgres_commits, "_FREE_TRIES", 1)
    await asyncio.gather(*(writes(log, number) for number, log in enumerate(logs)))
    assert sum(log._commits.locked for log in logs) > 0
    asking = "SELECT deadlocks FROM pg_stat_database WHERE datname = 'test'"
    assert await asyncio.to_thread(postgres.execute, asking) == "0"


async def test_kill_in_the_middle_of_commits_loses_and_repeats_nothing(
    postgres: PostgresServer, postgres_url: str, stack: AsyncExitStack
) -> None:
    logs = [await opened(postgres_url, stack) for _ in range(2)]
    acked: dict[int, list[int]] = {0: [], 1: []}
    is_over = asyncio.Event()

    async def writes(writer: int) -> None:
        n = 0
        while not is_over.is_set():
            n += 1
            acked[writer].append(
                await sure(logs[writer], text(n, f"{writer}-{n}", device=f"d{writer}"))
            )

    writers = [asyncio.create_task(writes(number)) for number in acked]
    for _ in range(4):
        before = len(acked[0])
        async with asyncio.timeout(30):
            while len(acked[0]) < before + 25:
                await asyncio.sleep(0.002)
        await asyncio.to_thread(postgres.kill)
        await asyncio.to_thread(postgres.start)
    is_over.set()
    await asyncio.gather(*writers)
    entries = await logs[0].entries(7, 0, 10_000)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    for writer, seqs in acked.items():
        mine = [(e.body, e.seq) for e in entries if str(e.body).startswith(f"{writer}-")]
        assert mine == [(f"{writer}-{n}", seq) for n, seq in enumerate(seqs, 1)]


async def test_paused_server_is_told_within_the_deadline_and_forgiven(
    postgres: PostgresServer, postgres_url: str, stack: AsyncExitStack
) -> None:
    log = await opened(postgres_url, stack)
    await log.commit([text(1)], NOW)
    await asyncio.to_thread(postgres.pause)
    try:
        async with asyncio.timeout(20):
            answers = await asyncio.gather(
                log.commit([text(2)], NOW), log.head(7), log.read(7, 0, 9), log.marked(Role.AI),
                log.flush_reads(), log.advanced({7: 0}), return_exceptions=True,
            )  # fmt: skip
        assert [type(answer) for answer in answers] == [StorageError] * 6
    finally:
        await asyncio.to_thread(postgres.resume)
    assert await sure(log, text(2)) == 2
    assert await sure(log, text(3)) == 3
    assert len(await said(log)) == 3


async def test_restart_needs_none_of_ours(
    postgres: PostgresServer, postgres_url: str, stack: AsyncExitStack
) -> None:
    log = await opened(postgres_url, stack)
    await log.commit([text(1)], NOW)
    await asyncio.to_thread(postgres.stop)
    with pytest.raises(StorageError, match="cannot be reached"):
        await log.commit([text(2)], NOW)
    with pytest.raises(StorageError, match="cannot be reached"):
        await log.flush_reads()
    await asyncio.to_thread(postgres.start)
    await log.flush_reads()
    assert (await log.commit([text(2)], NOW))[0].seq == 2


async def test_readers_who_take_all_connections_do_not_hold_up_a_commit(
    postgres_url: str, stack: AsyncExitStack
) -> None:
    log = await opened(postgres_url, stack, readers=2)
    await log.commit([text(1)], NOW)
    async with log._reading._pool.acquire(), log._reading._pool.acquire():
        assert (await log.commit([text(2)], NOW))[0].seq == 2
        with pytest.raises(StorageError, match="no connection was free"):
            await log.head(7)
    head = await log.head(7)
    assert head is not None
    assert head.last == 2


async def test_process_that_stands_still_with_heads_locked_is_let_go(
    pair: tuple[PostgresMessageLog, ...], postgres_url: str, stack: AsyncExitStack
) -> None:
    here, _ = pair
    frozen = await PostgresMessageLog.open(postgres_url, deadline_s=30)
    stack.push_async_callback(frozen.close)
    await here.commit([text(1)], NOW)
    with pytest.raises(StorageError):
        async with frozen._writing.take() as connection, connection.transaction():
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '300ms'")
            await connection.fetch(postgres_commits._LOCKED_HEADS, [7])
            assert await sure(here, text(2)) == 2
            await connection.execute("SELECT 1")


async def test_dropped_months_are_read_as_hidden_entries(
    postgres: PostgresServer, postgres_url: str, stack: AsyncExitStack
) -> None:
    log = await opened(postgres_url, stack)
    await log.commit([text(n, f"第{n}句") for n in range(1, 6)], NOW)
    await log.commit([text(1, "旧", conversation=8)], NOW)
    # Four entries of one, and all of the other, are from long ago.
    await asyncio.to_thread(
        postgres.execute,
        "CREATE TABLE messages.entries_2020_02 PARTITION OF messages.entries "
        "FOR VALUES FROM ('2020-02-01') TO ('2020-03-01')",
        "UPDATE messages.heads SET begun = '2020-02-02'",
        "UPDATE messages.entries SET stored = '2020-02-02' WHERE conversation = 8 OR seq < 5",
        database="test",
    )
    assert await said(log) == [f"第{n}句" for n in range(1, 6)]
    before = await log.head(7)
    await tend_months(log._writing, 0)
    assert len(await said(log)) == 5
    await tend_months(log._writing, 365)
    assert await log.head(7) == before
    entries = await log.entries(7, 0, 100)
    assert [(e.seq, e.type) for e in entries] == [
        *((n, EntryType.HIDDEN) for n in range(1, 5)), (5, EntryType.TEXT)
    ]  # fmt: skip
    assert [e.seq for e in await log.entries(7, 1, 2)] == [2, 3]
    assert [e.seq for e in await log.entries(7, 3, 2)] == [4, 5]
    assert len(await log.read(7, 0, 100)) == 5
    assert [(e.seq, e.body) for e in await log.entries(8, 0, 100)] == [(1, None)]
    assert await log.entries(8, 1, 100) == []
    (decision,) = await log.commit([text(1, conversation=8)], NOW)
    assert decision.repeat


async def test_month_that_cannot_be_dropped_now_does_not_stop_a_start(
    postgres: PostgresServer, postgres_url: str, stack: AsyncExitStack
) -> None:
    log = await PostgresMessageLog.open(postgres_url, deadline_s=30)
    stack.push_async_callback(log.close)
    await log.commit([text(1)], NOW)
    await asyncio.to_thread(
        postgres.execute,
        "CREATE TABLE messages.entries_2020_02 PARTITION OF messages.entries "
        "FOR VALUES FROM ('2020-02-01') TO ('2020-03-01')",
        database="test",
    )
    # Somebody reads for long, as a backup does.
    async with log._reading.take() as connection, connection.transaction():
        await connection.fetch("SELECT count(*) FROM messages.entries")
        started = await PostgresMessageLog.open(postgres_url, retention_days=365)
        stack.push_async_callback(started.close)
        assert len(await said(started)) == 1


async def test_months_are_made_ahead_once(
    postgres: PostgresServer, postgres_url: str, stack: AsyncExitStack
) -> None:
    log = await opened(postgres_url, stack)
    await opened(postgres_url, stack)
    await tend_months(log._writing, 0)
    asking = "SELECT inhrelid::regclass FROM pg_inherits ORDER BY 1"
    there = (await asyncio.to_thread(postgres.execute, asking, database="test")).splitlines()
    tables = [name for name in there if not name.endswith("pkey")]
    assert len(tables) == MONTHS_AHEAD + 1
    assert tables[0] == f"messages.entries_{dt.datetime.now(dt.UTC):%Y_%m}"


async def test_older_layout_is_brought_up(
    postgres: PostgresServer, postgres_url: str, stack: AsyncExitStack
) -> None:
    await opened(postgres_url, stack)
    asking = "SELECT prosrc FROM pg_proc WHERE proname = 'append'"
    new = await asyncio.to_thread(postgres.execute, asking, database="test")
    older = (
        "UPDATE messages.layout SET version = 1",
        "UPDATE pg_proc SET prosrc = 'BEGIN RETURN; END' WHERE proname = 'append'",
    )
    for change in older:
        await asyncio.to_thread(postgres.execute, change, database="test")
    log = await opened(postgres_url, stack)
    assert await asyncio.to_thread(postgres.execute, asking, database="test") == new
    assert await sure(log, text(1)) == 1


async def test_newer_layout_and_wrong_urls_are_told_in_a_sentence(
    postgres: PostgresServer, postgres_url: str, stack: AsyncExitStack
) -> None:
    await opened(postgres_url, stack)
    update = "UPDATE messages.layout SET version = 99"
    await asyncio.to_thread(postgres.execute, update, database="test")
    with pytest.raises(StartError, match="newer version"):
        await opened(postgres_url, stack)
    with pytest.raises(StartError, match="no database"):
        await opened(postgres_url.replace("/test", "/nothing"), stack)
    with pytest.raises(StartError, match="not one that"):
        await opened("mysql://user:geheim@127.0.0.1/x", stack)
    with pytest.raises(StartError, match="cannot be reached") as refused:
        await opened("postgresql://user:geheim@127.0.0.1:1/x", stack)
    assert "geheim" not in str(refused.value)


async def test_closing_twice_is_fine_and_a_closed_log_says_so(
    postgres_url: str, stack: AsyncExitStack
) -> None:
    log = await opened(postgres_url, stack)
    await log.close()
    await log.close()
    with pytest.raises(StorageError):
        await log.commit([text(1)], NOW)
