"""A real HAProxy with our configuration, in front of servers that say who they are."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from needs import need

from qingniao.cluster.child import Program, answers
from qingniao.errors import StartError
from qingniao.servers.haproxy import EXAMPLE, Plan, Upstream, check, command, find_haproxy, render

ROOT = Path(__file__).parents[3]


class Server:
    """Answers everything with its name; a WebSocket's handshake too, and then echoes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.health = 200
        self.status = 200
        self.cuts = False
        self.heads: list[str] = []
        self._here: set[asyncio.StreamWriter] = set()
        self.port = 0
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._here):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._here.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                if head.startswith("GET /healthz"):
                    status, body = self.health, ""
                else:
                    self.heads.append(head)
                    if self.cuts:
                        return
                    status, body = self.status, self.name
                if "upgrade: websocket" in head.lower() and status == 200:
                    writer.write(
                        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        b"Connection: Upgrade\r\n"
                        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
                    )
                    writer.write(self.name.encode())
                    while data := await reader.read(100):
                        writer.write(data)
                    return
                answer = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n\r\n{body}"
                writer.write(answer.encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._here.discard(writer)
            writer.close()


class Front:
    """HAProxy before two gateways and two api."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.gateways = [Server("gateway1"), Server("gateway2")]
        self.apis = [Server("api1"), Server("api2")]
        self._open: list[asyncio.StreamWriter] = []

    async def close(self) -> None:
        for writer in self._open:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    async def ask(self, method: str = "GET", path: str = "/", *headers: str) -> tuple[int, str]:
        """Status and body of one request on a connection of its own."""
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
            writer.write("\r\n".join(lines).encode())
            answer = (await reader.read()).decode()
            self._open.append(writer)
        head, _, body = answer.partition("\r\n\r\n")
        return int(head.split()[1]), body

    async def socket(self) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter]:
        """An open WebSocket: which gateway it is at, and both ends."""
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            self._open.append(writer)
            writer.write(
                b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            assert head.split()[1] == "101", head
            return (await reader.readexactly(len("gateway1"))).decode(), reader, writer

    async def names(self, path: str, *, until: set[str], times: int = 200) -> None:
        """Wait until the last answers came from exactly these."""
        for _ in range(times):
            seen = {(await self.ask("GET", path))[1] for _ in range(6)}
            if seen == until:
                return
            await asyncio.sleep(0.05)
        pytest.fail(f"answers come from {seen}, not from {until}")


@pytest.fixture(autouse=True)
def there_is_one() -> None:
    try:
        find_haproxy()
    except StartError as exc:
        need(False, str(exc))


@pytest.fixture
async def front(tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[Front]:
    async with running(tmp_path, unused_tcp_port) as front:
        yield front


@asynccontextmanager
async def running(
    folder: Path, port: int, here: Sequence[str] = ("127.0.0.0/8",)
) -> AsyncIterator[Front]:
    front = Front(port)
    async with AsyncExitStack() as stack:
        for server in (*front.gateways, *front.apis):
            await server.open()
            stack.push_async_callback(server.close)
        file = folder / "haproxy.cfg"
        file.write_text(
            render(
                Plan(
                    bind=f"127.0.0.1:{front.port}",
                    gateways=[Upstream(s.name, f"127.0.0.1:{s.port}") for s in front.gateways],
                    apis=[Upstream(s.name, f"127.0.0.1:{s.port}") for s in front.apis],
                    maxconn=200,
                    here=here,
                )
            )
        )

        async def ready() -> bool:
            return await answers(front.port)

        program = Program(
            "haproxy", "haproxy", command(file), port=front.port, log=folder / "log", ready=ready
        )
        stack.push_async_callback(program.stop, 5)
        await program.start()
        stack.push_async_callback(front.close)
        yield front


async def test_what_operators_are_given_is_what_is_tested(tmp_path: Path) -> None:
    given = ROOT / "deploy/haproxy/haproxy.cfg"
    assert given.read_text() == render(EXAMPLE)
    await check(given)


async def test_a_wrong_configuration_is_told_in_haproxys_words(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text("defaults\n    mood http\n")
    with pytest.raises(StartError, match="mood"):
        await check(file)


async def test_websockets_go_to_gateways_and_all_else_to_the_api(front: Front) -> None:
    at = {(await front.socket())[0] for _ in range(4)}
    assert at == {"gateway1", "gateway2"}
    await front.names("/api/v1/site", until={"api1", "api2"})
    assert (await front.ask("GET", "/ws"))[1].startswith("api"), "no handshake: who asks is told so"


async def test_metrics_are_nobodys_business_outside(front: Front) -> None:
    status, _ = await front.ask("GET", "/metrics")
    assert status == 404
    assert not any(api.heads for api in front.apis)


async def test_callers_cannot_say_where_they_are_from(front: Front) -> None:
    await front.ask("GET", "/", "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https")
    (head,) = [head for api in front.apis for head in api.heads]
    assert "x-forwarded-for: 127.0.0.1\r\n" in head.lower()
    assert "9.9.9.9" not in head
    assert "x-forwarded-proto: http\r\n" in head.lower()


async def test_one_address_is_limited_and_others_are_not(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    async with running(tmp_path, unused_tcp_port, here=("127.0.0.9",)) as front:
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
        statuses: list[bytes] = []
        async with asyncio.timeout(30):
            while not statuses or statuses[-1] == b"200":
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                statuses.append(head.split()[1])
                if statuses[-1] == b"200":
                    await reader.readexactly(len("api1"))
        writer.close()
        assert statuses[-1] == b"429" and b"retry-after: 10" in head.lower()
        assert 1_990 <= len(statuses) <= 2_010
        mine = ("127.0.0.9", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port, local_addr=mine)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).split()[1] == b"200"
        writer.close()


async def test_a_gateway_that_drains_gets_nobody_new_and_keeps_who_is_there(front: Front) -> None:
    first = front.gateways[0]
    here = [await front.socket() for _ in range(2)]
    first.health = 503
    async with asyncio.timeout(20):
        while {(await front.socket())[0] for _ in range(4)} != {"gateway2"}:
            await asyncio.sleep(0.05)
    for name, reader, writer in here:
        writer.write(b"still here")
        async with asyncio.timeout(5):
            assert await reader.readexactly(10) == b"still here", name
    first.health = 200
    async with asyncio.timeout(20):
        while {(await front.socket())[0] for _ in range(4)} != {"gateway1", "gateway2"}:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("how", ["gone", "cuts", "full"])
async def test_a_handshake_refused_by_one_gateway_is_taken_to_another(
    front: Front, how: str
) -> None:
    """At once: before any check can have seen it."""
    bad = front.gateways[0]
    if how == "gone":
        await bad.close()
    bad.cuts = how == "cuts"
    bad.status = 503 if how == "full" else 200
    assert {(await front.socket())[0] for _ in range(6)} == {"gateway2"}


async def test_a_read_is_tried_elsewhere_and_a_change_is_not(front: Front) -> None:
    bad, good = front.apis
    bad.cuts = True
    answers_seen = [await front.ask("GET", "/api/v1/site") for _ in range(4)]
    assert {name for _, name in answers_seen} == {"api2"}
    statuses = {(await front.ask("POST", "/api/v1/visitors"))[0] for _ in range(4)}
    assert 502 in statuses, "who cut may have done it: the caller decides"
    assert len([h for h in (*bad.heads, *good.heads) if h.startswith("POST")]) == 4


async def test_when_nobody_is_well_they_are_asked_all_the_same(front: Front) -> None:
    """The database is away: gateways and api say so better than a proxy."""
    for server in (*front.gateways, *front.apis):
        server.health = 503
    await asyncio.sleep(2.5)
    assert (await front.socket())[0] in ("gateway1", "gateway2")
    status, name = await front.ask("GET", "/api/v1/site")
    assert status == 200 and name in ("api1", "api2")
