"""The site, the knowledge base, the pages, and what every answer carries."""

import asyncio
import gzip
from typing import TYPE_CHECKING, Any

import pytest

from qingniao.api.edge import Edge
from qingniao.api.web_folder import WebFolder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.api.conftest import House


@pytest.fixture
def web(house: "House") -> "Path":
    root = house.root / "web"
    (root / "console" / "assets").mkdir(parents=True)
    (root / "widget").mkdir()
    (root / "demo").mkdir()
    (root / "console" / "index.html").write_text("<title>console</title>" * 20)
    (root / "console" / "assets" / "app-Dq3x_9Zk.js").write_text("let a = 1;" * 100)
    (root / "console" / ".secret").write_text("no")
    (root / "widget.js").write_text("go()")
    (root / "widget" / "chat-Ab12cd34.js").write_text("chat()" * 50)
    (root / "demo" / "index.html").write_text("<title>shop</title>")
    (house.root / "outside.txt").write_text("outside")
    (root / "link.txt").symlink_to(house.root / "outside.txt")
    return root


async def test_everybody_reads_the_site_and_the_administrator_changes_it(house: "House"):
    stranger = house.browser()
    site = (await stranger.get("/api/v1/site")).json()
    assert site["name"] == "青鸟"
    assert site["colour"] == "#0B8F87"
    assert site["file_bytes"] == 100_000
    admin = await house.sign_in()
    body = {"greeting": {"en": "Hi!"}, "quick": {"zh-CN": ["退货", "发票"]}, "colour": "#123abc"}
    changed = (await admin.patch("/api/v1/site", json=body)).json()
    assert changed["greeting"] == {"zh-CN": site["greeting"]["zh-CN"], "en": "Hi!"}
    assert changed["quick"] == {"zh-CN": ["退货", "发票"], "en": []}
    assert (await stranger.get("/api/v1/site")).json() == changed
    assert (await stranger.patch("/api/v1/site", json=body)).status_code == 401


@pytest.mark.parametrize(
    "body", [{"colour": "red"}, {"greeting": {"fr": "Salut"}}, {"quick": {"en": ["x"] * 9}}]
)
async def test_a_site_that_cannot_be_shown_is_refused(house: "House", body: dict[str, Any]):
    admin = await house.sign_in()
    answer = await admin.patch("/api/v1/site", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")


async def test_knowledge_is_imported_searched_and_paged(house: "House"):
    admin = await house.sign_in()
    csv = "question,answer,category\n退货？,七天。,售后\n,没有问题,售后\n发票？,订单页。,财务\n"
    files = {"file": ("faq.csv", csv.encode())}
    for _ in range(2):
        answer = (await admin.post("/api/v1/knowledge/import", files=files)).json()
        assert answer["imported"] == 2
        assert [problem["line"] for problem in answer["problems"]] == [3]
    assert house.learnt == 2
    agent = await house.agent()
    found = (await agent.get("/api/v1/knowledge", params={"q": "退货"})).json()
    assert found["total"] == 1
    assert found["entries"][0]["answer"] == "七天。"
    page = (await agent.get("/api/v1/knowledge", params={"limit": 1, "offset": 1})).json()
    assert (page["total"], len(page["entries"])) == (2, 1)


async def test_health_says_what_is_in_the_way(house: "House"):
    answer = await house.browser().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": "1.2.3"})
    house.status = "draining"
    answer = await house.browser().get("/healthz")
    assert (answer.status_code, answer.json()["status"]) == (503, "draining")


async def test_metrics_are_text(house: "House"):
    answer = await house.browser().get("/metrics")
    assert answer.text == "qingniao_up 1\n"
    assert answer.headers["content-type"].startswith("text/plain")


async def test_openapi_describes_every_call(house: "House"):
    paths = (await house.browser().get("/api/v1/openapi.json")).json()["paths"]
    assert set(paths) >= {
        "/api/v1/session",
        "/api/v1/session/password",
        "/api/v1/session/ticket",
        "/api/v1/session/user",
        "/api/v1/users",
        "/api/v1/conversations",
        "/api/v1/conversations/{conversation}",
        "/api/v1/visitors",
        "/api/v1/visitors/{visitor}",
        "/api/v1/files",
        "/files/{file}",
        "/api/v1/site",
        "/api/v1/knowledge",
        "/api/v1/knowledge/import",
        "/healthz",
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("PUT", "/api/v1/site", 405, "method_not_allowed"),
        ("GET", "/nothing", 404, "not_found"),
        ("POST", "/console/", 405, "method_not_allowed"),
    ],
)
async def test_errors_have_one_shape(
    house: "House", method: str, path: str, status: int, code: str
):
    answer = await house.browser().request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"login": 1, "password": ""}', b"\xff", b""])
async def test_a_body_that_is_not_the_one_expected_is_refused(house: "House", body: bytes):
    answer = await house.client.post("/api/v1/session", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")


async def test_a_body_that_is_too_large_is_refused(house: "House"):
    body = b'{"login": "' + b"x" * 70_000 + b'"}'
    answer = await house.client.post("/api/v1/session", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


async def test_a_body_that_does_not_arrive_times_out(house: "House"):
    inner = house.client._transport.app._inner  # type: ignore[attr-defined]
    edge = Edge(inner, WebFolder(house.root), piece_timeout_s=0.05)
    sent: list[Any] = []
    waited = 0

    async def receive() -> dict[str, Any]:
        nonlocal waited
        waited += 1
        if waited == 1:
            return {"type": "http.request", "body": b'{"log', "more_body": True}
        await asyncio.sleep(30)
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/session",
        "raw_path": b"/api/v1/session",
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "headers": [(b"x-qingniao", b"1")],
        "client": ("127.0.0.1", 5),
    }
    await edge(scope, receive, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 408
    assert b'"timeout"' in sent[1]["body"]


async def test_widgets_on_other_pages_may_call_what_is_public_and_nothing_else(house: "House"):
    stranger = house.browser()
    origin = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    for path in ("/api/v1/visitors", "/api/v1/files", "/api/v1/site"):
        answer = await stranger.options(path, headers=origin)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "authorization" in answer.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in answer.headers
    for path in ("/api/v1/session", "/api/v1/conversations"):
        answer = await stranger.options(path, headers=origin)
        assert "access-control-allow-origin" not in answer.headers
    answer = await stranger.post("/api/v1/visitors", json={}, headers=origin)
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.usefixtures("web")
async def test_the_console_answers_at_every_address_of_its_own(house: "House"):
    stranger = house.browser()
    assert (await stranger.get("/")).headers["location"] == "/console/"
    for path in ("/console/", "/console/conversations/7", "/console/index.html"):
        answer = await stranger.get(path)
        assert answer.status_code == 200
        assert answer.text.startswith("<title>console")
        assert answer.headers["cache-control"] == "no-cache"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert (await stranger.get("/console/assets/gone-12345678.js")).status_code == 404


@pytest.mark.usefixtures("web")
async def test_built_files_are_kept_for_ever_and_the_loader_is_not(house: "House"):
    stranger = house.browser()
    answer = await stranger.get("/console/assets/app-Dq3x_9Zk.js")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text == "let a = 1;" * 100
    answer = await stranger.get("/widget.js")
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    answer = await stranger.get("/widget/chat-Ab12cd34.js")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "immutable" in answer.headers["cache-control"]


async def test_a_page_is_packed_beforehand_or_once_and_not_sent_twice(house: "House", web: "Path"):
    (web / "widget.js").write_text("long enough to be packed " * 9)
    (web / "widget.js.gz").write_bytes(gzip.compress(b"packed by the build", mtime=0))
    stranger = house.browser()
    answer = await stranger.get("/widget.js")
    assert answer.text == "packed by the build"
    plain = await stranger.get("/widget.js", headers={"Accept-Encoding": "identity"})
    assert plain.text.startswith("long enough")
    etag = answer.headers["etag"]
    again = await stranger.get("/widget.js", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    head = await stranger.head("/widget.js", headers={"Accept-Encoding": "identity"})
    assert (head.content, head.headers["content-length"]) == (b"", str(len(plain.content)))


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize(
    "path",
    [
        "/../outside.txt",
        "/console/../../outside.txt",
        "/%2e%2e/outside.txt",
        "/console/..%2f..%2foutside.txt",
        "/..%5coutside.txt",
        "/console/.secret",
        "/link.txt",
        "/console/%00",
        "/console",
    ],
)
async def test_nothing_outside_of_the_folder_can_be_named(house: "House", path: str):
    answer = await house.browser().get(f"http://house{path}")
    assert answer.status_code in (307, 404)
    assert b"outside" not in answer.content


async def test_who_leaves_in_the_middle_of_a_body_is_no_error_of_ours(
    house: "House", caplog: pytest.LogCaptureFixture
):
    await house.sign_in()
    cookie = "; ".join(f"{name}={value}" for name, value in house.client.cookies.items())
    scope = {
        "type": "http", "method": "PUT", "path": "/api/v1/bots/shop", "raw_path": b"",
        "query_string": b"", "http_version": "1.1", "scheme": "http", "root_path": "",
        "server": ("house", 80), "client": ("127.0.0.1", 5), "headers": [
            (b"host", b"house"), (b"x-qingniao", b"1"), (b"cookie", cookie.encode()),
            (b"content-type", b"application/json"), (b"content-length", b"100"),
        ],
    }  # fmt: skip
    coming = iter(({"type": "http.request", "body": b"{", "more_body": True},))

    async def receive() -> dict[str, Any]:
        return next(coming, {"type": "http.disconnect"})

    async def send(message: dict[str, Any]) -> None:
        pass

    app = house.client._transport.app  # type: ignore[attr-defined]
    with caplog.at_level("INFO"):
        await app(scope, receive, send)
    assert [record.levelname for record in caplog.records if "client_left" in record.message] == [
        "INFO"
    ]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
