"""What a flow has done outside: real requests past the guard, secrets, and the visitor's record."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from qingniao.errors import StorageError
from qingniao.flow.effects import Fetch, Remember
from qingniao.flow.events import About, Fetched, Remembered, ServiceFailed, TimedOut
from qingniao.flow.plan import Needs
from qingniao.flow.secrets import origin_of
from qingniao.flow.templates import mark
from qingniao.outgoing.client import Outgoing
from qingniao.outgoing.guard import Guard
from qingniao.storage.rows import Visitor
from qingniao.workers.answers import NotJson, taken
from qingniao.workers.hands import MAX_ANSWER_BYTES, Hands


class Shop:
    """An HTTP server of a few lines that keeps what it was sent."""

    def __init__(self) -> None:
        self.status = 200
        self.content = b'{"data": {"state": "sent", "n": 3}}'
        self.waits_s = 0.0
        self.asked: list[str] = []
        self.url = ""
        self.serving: set[asyncio.Task[None]] = set()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            await self.serve(reader, writer)
        except ConnectionError:
            pass  # who asked has gone
        finally:
            writer.close()
            self.serving.discard(task)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.decode().split("\r\n"):
            if line.lower().startswith("content-length:"):
                length = int(line.partition(":")[2])
        self.asked.append((head + await reader.readexactly(length)).decode())
        await asyncio.sleep(self.waits_s)
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nLocation: http://127.0.0.1:1/\r\n"
            b"Connection: close\r\n\r\n" % (self.status, len(self.content)) + self.content
        )
        await writer.drain()


class Record:
    """A table of one visitor."""

    def __init__(self) -> None:
        self.visitor: Visitor | None = Visitor(id="v1", conversation=7, name="小林", tags=("老客",))
        self.is_away = False
        self.hangs = False

    async def get(self, visitor: str) -> Visitor | None:
        if self.is_away:
            raise StorageError("away")
        if self.hangs:
            await asyncio.sleep(60)
        return self.visitor

    async def change(
        self, visitor: str, changes: Mapping[str, Any], *, conversation: int, now_ms: int
    ) -> Visitor:
        before = self.visitor or Visitor(id=visitor, conversation=conversation)
        known = {name: getattr(before, name) for name in Visitor.__struct_fields__}
        self.visitor = Visitor(**known | dict(changes))
        return self.visitor


class Around:
    def __init__(self, outgoing: Outgoing) -> None:
        self.record = Record()
        self.secrets: dict[str, dict[str, str]] = {}
        self.renamed: list[tuple[int, str]] = []
        self.agents: int | StorageError = 2
        self.hands = Hands(
            outgoing,
            self.record,
            secrets=self._secrets,
            agents_online=self._agents,
            renamed=self._rename,
            clock=lambda: 5,
        )

    async def _secrets(self, origin: str) -> dict[str, str]:
        return self.secrets.get(origin, {})

    async def _agents(self) -> int:
        if isinstance(self.agents, StorageError):
            raise self.agents
        return self.agents

    async def _rename(self, conversation: int, name: str) -> None:
        self.renamed.append((conversation, name))


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    server = await asyncio.start_server(shop.take, "127.0.0.1", 0)
    shop.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield shop
    server.close()
    await asyncio.gather(*shop.serving, return_exceptions=True)
    await server.wait_closed()


@pytest.fixture
async def around() -> AsyncIterator[Around]:
    outgoing = Outgoing(Guard(["127.0.0.1"]))
    yield Around(outgoing)
    await outgoing.close()


async def test_an_answer_is_taken_apart(shop: Shop, around: Around) -> None:
    take = {"state": "data.state", "n": "data.n", "gone": "data.0"}
    fetched = await around.hands.fetch(Fetch(method="GET", url=f"{shop.url}/a?b=1", take=take))
    assert isinstance(fetched, Fetched)
    assert (fetched.status, fetched.values) == (200, {"state": "sent", "n": 3})
    assert shop.asked[0].startswith("GET /a?b=1 HTTP/1.1")


async def test_secrets_are_put_in_on_the_way_out(shop: Shop, around: Around) -> None:
    around.secrets[origin_of(shop.url)] = {"key": 'k"&1'}
    fetch = Fetch(
        method="POST",
        url=f"{shop.url}/?k={mark('key')}",
        headers={"X-Key": mark("key")},
        body=f'{{"k": "{mark("key")}"}}',
    )
    assert isinstance(await around.hands.fetch(fetch), Fetched)
    (asked,) = shop.asked
    assert "/?k=k%22%261 " in asked
    assert 'X-Key: k"&1' in asked
    assert "Content-Type: application/json" in asked
    assert json.loads(asked.partition("\r\n\r\n")[2]) == {"k": 'k"&1'}


async def test_a_secret_of_another_origin_is_not_sent(shop: Shop, around: Around) -> None:
    around.secrets["https://api.example:443"] = {"key": "k1"}
    fetch = Fetch(method="GET", url=f"{shop.url}/", headers={"X-Key": mark("key")})
    failed = await around.hands.fetch(fetch)
    assert failed == ServiceFailed(
        reason=f"There is no secret called key for {origin_of(shop.url)}."
    )
    assert shop.asked == []


async def test_other_answers_are_told_with_their_status(shop: Shop, around: Around) -> None:
    for status in (404, 500, 302):
        shop.status, shop.content = status, b"<html>"
        fetch = Fetch(method="GET", url=shop.url, take={"a": "a"})
        told = await around.hands.fetch(fetch)
        expected = "points elsewhere" if status == 302 else ""
        if isinstance(told, Fetched):
            assert (told.status, told.values) == (status, {})
        else:
            assert expected and told.reason  # type: ignore[union-attr]


async def test_what_is_no_json_fails_if_something_was_to_be_taken(
    shop: Shop, around: Around
) -> None:
    shop.content = b"<html>"
    assert await around.hands.fetch(
        Fetch(method="GET", url=shop.url, take={"a": "a"})
    ) == ServiceFailed(reason="The answer is not JSON.")
    assert isinstance(await around.hands.fetch(Fetch(method="GET", url=shop.url)), Fetched)


async def test_whoever_says_nothing_is_not_waited_for(shop: Shop, around: Around) -> None:
    shop.waits_s = 0.5
    fetch = Fetch(method="GET", url=shop.url, deadline_s=0.2)
    told = await around.hands.fetch(fetch)
    assert isinstance(told, TimedOut | ServiceFailed)


async def test_an_answer_without_end_is_refused(shop: Shop, around: Around) -> None:
    shop.content = b"x" * (MAX_ANSWER_BYTES + 1)
    told = await around.hands.fetch(Fetch(method="GET", url=shop.url))
    assert isinstance(told, ServiceFailed)
    assert "more than" in told.reason


@pytest.mark.parametrize("url", ["http://127.0.0.2:9/", "http://169.254.169.254/", "http://[::1]/"])
async def test_what_is_inside_of_the_network_is_not_asked(url: str) -> None:
    outgoing = Outgoing(Guard())
    told = await Around(outgoing).hands.fetch(Fetch(method="GET", url=url))
    assert isinstance(told, ServiceFailed)
    assert "inside this network" in told.reason
    await outgoing.close()


async def test_a_machine_that_is_down(around: Around) -> None:
    told = await around.hands.fetch(Fetch(method="GET", url="http://127.0.0.1:1/"))
    assert isinstance(told, ServiceFailed)


async def test_what_is_learnt_is_written_on_record(around: Around) -> None:
    remember = Remember(
        attributes={"name": "林", "phone": "138"}, tags=("新", "老客"), untag=("x",)
    )
    assert await around.hands.remember("v1", 7, remember) == Remembered()
    visitor = around.record.visitor
    assert visitor is not None
    assert (visitor.name, visitor.phone, visitor.tags) == ("林", "138", ("老客", "新"))
    assert around.renamed == [(7, "林")]
    await around.hands.remember("v1", 7, Remember(untag=("老客",)))
    assert around.record.visitor is not None
    assert around.record.visitor.tags == ("新",)
    assert len(around.renamed) == 1


async def test_a_record_that_cannot_be_changed_is_told(around: Around) -> None:
    around.record.is_away = True
    told = await around.hands.remember("v1", 7, Remember(tags=("a",)))
    assert isinstance(told, ServiceFailed)


async def test_what_is_known_as_a_turn_begins(around: Around) -> None:
    assert await around.hands.about("v1", Needs(), is_first=True) == About(now_ms=5, is_first=True)
    about = await around.hands.about("v1", Needs(visitor=True, agents=True), is_first=False)
    assert about.attributes == {"id": "v1", "name": "小林"}
    assert (about.tags, about.agents_online) == (("老客",), 2)


async def test_what_cannot_be_found_out_is_left_out(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qingniao.workers.hands.ABOUT_S", 0.01)
    around.record.hangs, around.agents = True, StorageError("away")
    needs = Needs(visitor=True, agents=True)
    assert await around.hands.about("v1", needs, is_first=False) == About(now_ms=5)
    around.record.visitor, around.record.hangs = None, False
    about = await around.hands.about("v2", Needs(visitor=True), is_first=False)
    assert about.attributes == {"id": "v2"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a", "x" * 400),
        ("b.0.c", True),
        ("b.1", 2.5),
        ("big", str(2**60)),
        ("list", ["p", "q"]),
        ("$.a", "x" * 400),
        ("b.9", None),
        ("b", None),
        ("none", None),
        ("a.b", None),
    ],
)
def test_paths(path: str, value: object) -> None:
    document = {"a": "x" * 900, "b": [{"c": True}, 2.5], "big": 2**60, "list": ["p", "q"],
                "none": None}  # fmt: skip
    assert taken(json.dumps(document).encode(), {"v": path}).get("v") == value


@pytest.mark.parametrize("content", [b"", b"<html>", b"[" * 100_000, b"\xff"])
def test_what_is_no_document(content: bytes) -> None:
    with pytest.raises(NotJson):
        taken(content, {"a": "a"})
