"""Flows over HTTP: drawing, conflicts, checking, trying, publishing, taking back, carrying over."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from qingniao.flow.counting import label_of, metric_of
from qingniao.flow.formats import FORMAT
from qingniao.flow.graph import MAX_NODES
from qingniao.storage.rollups import Rollup

if TYPE_CHECKING:
    from tests.unit.api.conftest import House

SORRY = {"zh-CN": "抱歉"}


def drawing(*lines: str, fallback: Any = SORRY, **nodes: Any) -> dict[str, Any]:
    edges = []
    for line in lines:
        way, _, target = line.partition(" > ")
        source, _, port = way.partition(".")
        edges.append({"source": source, "port": port, "target": target})
    drawn = [
        {"id": id, "kind": kind, "settings": settings} for id, (kind, settings) in nodes.items()
    ]
    return {"format": FORMAT, "fallback": fallback, "nodes": drawn, "edges": edges}


def said(text: str) -> tuple[str, dict[str, Any]]:
    return "say", {"text": {"zh-CN": text}}


START: tuple[str, dict[str, Any]] = ("start", {})
PERSON = ("handoff", {"why": "unsure", "text": {"zh-CN": "转人工"}})
HELLO = drawing("start.asked > hi", start=START, hi=said("您好 {{visitor.name}}"))
HELLO["edges"].append({"source": "hi", "port": "next", "target": "end"})
HELLO["nodes"].append({"id": "end", "kind": "end"})
ASKS = drawing(
    "start.asked > ask", "ask.captured > ok", "ask.given_up > help", "ask.silent > help",
    "ok.next > end",
    start=START, ask=("ask", {"text": {"zh-CN": "电话？"}, "into": "phone", "form": "phone",
                              "timeout_s": 60}),
    ok=said("记下 {{phone}}"), help=PERSON, end=("end", {}),
)  # fmt: skip


class Admin:
    """An administrator's browser."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def save(self, graph: dict[str, Any], began_from: int = 0, flow: str = "hello") -> Any:
        answer = await self.put(graph, began_from, flow)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def put(
        self, graph: dict[str, Any], began_from: int = 0, flow: str = "hello"
    ) -> httpx.Response:
        body = {"graph": graph, "began_from": began_from}
        return await self.client.put(f"/api/v1/flows/{flow}", json=body)

    async def post(self, call: str, body: Any = None, flow: str = "hello") -> httpx.Response:
        return await self.client.post(f"/api/v1/flows/{flow}/{call}", json=body)

    async def published(self, graph: dict[str, Any], flow: str = "hello") -> Any:
        saved = await self.save(graph, flow=flow)
        answer = await self.post("publish", {"began_from": saved["updated"]}, flow)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def listed(self) -> dict[str, Any]:
        flows = (await self.client.get("/api/v1/flows")).json()["flows"]
        return {flow["id"]: flow for flow in flows}

    async def tried(self, **body: Any) -> Any:
        answer = await self.post("try", body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def admin(house: "House") -> Admin:
    return Admin(await house.sign_in())


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_flow_is_drawn_checked_and_published(house: "House", admin: Admin) -> None:
    saved = await admin.save(HELLO)
    assert saved["problems"] == []
    checked = (await admin.post("check")).json()
    assert checked == {"may_publish": True, "problems": []}
    told = (await admin.post("publish", {"began_from": saved["updated"]})).json()
    assert [(v["version"], v["status"]) for v in told["versions"]] == [(1, "published")]
    assert told["role"] == "reception"
    assert house.released == 1
    got = (await admin.client.get("/api/v1/flows/hello")).json()
    assert (got["version"], got["status"], got["graph"]["format"]) == (1, "published", FORMAT)


async def test_two_administrators_at_once_get_a_conflict(house: "House", admin: Admin) -> None:
    first = await admin.save(HELLO)
    second = await admin.save(ASKS, first["updated"])
    assert second["updated"] > first["updated"]
    late = await admin.put(HELLO, first["updated"])
    assert code(late) == (409, "draft_changed")
    assert "load it again" in late.json()["error"]["text"]
    assert code(await admin.put(HELLO, 0)) == (409, "draft_changed")
    looked = await admin.post("publish", {"began_from": first["updated"]})
    assert code(looked) == (409, "draft_changed")
    got = (await admin.client.get("/api/v1/flows/hello")).json()
    assert {node["id"] for node in got["graph"]["nodes"]} >= {"ask"}
    assert house.released == 0


async def test_what_is_unsound_is_saved_and_not_published(admin: Admin) -> None:
    graph = drawing("start.asked > bot", start=START, bot=("answer", {"bot": "gone"}))
    saved = await admin.save(graph)
    found = {(p["code"], p.get("node", "")) for p in saved["problems"]}
    assert found >= {("unknown_bot", "bot"), ("no_fallback", "bot")}
    assert all(problem["mend"] for problem in saved["problems"])
    answer = await admin.post("publish", {"began_from": saved["updated"]})
    assert code(answer) == (409, "flow_unsound")
    assert answer.json()["error"]["field"] == "bot"


@pytest.mark.parametrize(
    ("graph", "sentence"),
    [
        ({"format": FORMAT + 1, "fallback": SORRY}, "reads up to"),
        ({"fallback": 3}, "cannot be read"),
        ({"nodes": [{"id": "a"}], "fallback": SORRY}, "kind"),
        (
            {"fallback": SORRY, "nodes": [{"id": f"n{i}", "kind": "end"} for i in range(5_000)]},
            f"at most {MAX_NODES} nodes",
        ),
    ],
)
async def test_what_cannot_be_a_flow_is_refused_with_a_sentence(
    admin: Admin, graph: dict[str, Any], sentence: str
) -> None:
    answer = await admin.put(graph)
    assert code(answer) == (400, "bad_input")
    assert sentence in answer.json()["error"]["text"]


async def test_a_template_that_would_run_code_is_not_published(admin: Admin) -> None:
    graph = drawing("start.asked > hi", start=START, hi=said("{{__import__('os')}}"))
    saved = await admin.save(graph)
    assert "template" in {problem["code"] for problem in saved["problems"]}
    answer = await admin.post("publish", {"began_from": saved["updated"]})
    assert code(answer) == (409, "flow_unsound")


async def test_a_drawing_of_an_older_format_is_brought_up_to_date(admin: Admin) -> None:
    old = drawing("start.asked > hi", start=START, hi=said("{{name}} 是什么"))
    del old["format"]
    await admin.save(old)
    got = (await admin.client.get("/api/v1/flows/hello")).json()
    hi = next(node for node in got["graph"]["nodes"] if node["id"] == "hi")
    assert hi["settings"]["text"]["zh-CN"] == "{{{{name}} 是什么"


async def test_ids_that_are_taken_or_odd_are_refused(admin: Admin) -> None:
    for flow in ("Hello", "a%20b", "x" * 65):
        assert code(await admin.put(HELLO, flow=flow)) == (400, "bad_input")


async def test_an_earlier_version_comes_back_under_a_new_number(
    house: "House", admin: Admin
) -> None:
    await admin.published(HELLO)
    await admin.published(ASKS)
    kept = await admin.save(HELLO)
    told = (await admin.post("rollback", {"version": 1})).json()
    assert [(v["version"], v["status"]) for v in told["versions"]] == [
        (4, "draft"), (3, "published"), (2, "published"), (1, "published"),
    ]  # fmt: skip
    assert told["versions"][0]["updated"] == kept["updated"]
    third = (await admin.client.get("/api/v1/flows/hello", params={"version": 3})).json()
    assert "ask" not in {node["id"] for node in third["graph"]["nodes"]}
    assert code(await admin.post("rollback", {"version": 9})) == (404, "not_found")
    assert house.released == 3


async def test_what_was_sound_once_has_to_be_sound_now(admin: Admin) -> None:
    await admin.published(HELLO, "greet")
    calls = drawing(
        "start.asked > call", "call.done > end",
        start=START, call=("subflow", {"flow": "greet"}), end=("end", {}),
    )  # fmt: skip
    await admin.published(calls)
    used = await admin.client.delete("/api/v1/flows/greet")
    assert code(used) == (409, "flow_used")
    await admin.published(ASKS)
    assert (await admin.client.delete("/api/v1/flows/greet")).status_code == 204
    answer = await admin.post("rollback", {"version": 1})
    assert code(answer) == (409, "flow_unsound")


async def test_the_last_reception_is_kept(admin: Admin) -> None:
    await admin.published(HELLO)
    assert code(await admin.client.delete("/api/v1/flows/hello")) == (409, "flow_used")
    await admin.published(ASKS, "other")
    listed = await admin.listed()
    assert (listed["other"]["role"], listed["hello"]["role"]) == ("reception", "called")
    assert (await admin.client.delete("/api/v1/flows/hello")).status_code == 204
    assert code(await admin.client.get("/api/v1/flows/hello")) == (404, "not_found")


async def test_what_a_flow_does_is_told(admin: Admin) -> None:
    trigger = {"port": "promo", "on": "keyword", "words": ["优惠"]}
    begins = ("start", {"catches": False, "triggers": [trigger]})
    promo = drawing("start.asked > hi", "start.promo > hi", start=begins, hi=said("满百减十"),
                    end=("end", {}))  # fmt: skip
    promo["edges"].append({"source": "hi", "port": "next", "target": "end"})
    await admin.published(promo, "promo")
    await admin.published(HELLO)
    await admin.save(ASKS, flow="later")
    roles = {id: flow["role"] for id, flow in (await admin.listed()).items()}
    assert roles == {"promo": "triggers", "hello": "reception", "later": "idle"}


async def test_a_draft_is_dropped(admin: Admin) -> None:
    await admin.published(HELLO)
    await admin.save(ASKS)
    assert (await admin.client.delete("/api/v1/flows/hello/draft")).status_code == 204
    assert code(await admin.client.delete("/api/v1/flows/hello/draft")) == (404, "not_found")
    assert len((await admin.listed())["hello"]["versions"]) == 1


async def test_a_flow_is_carried_to_another_installation(admin: Admin) -> None:
    await admin.published(ASKS)
    exported = await admin.client.get("/api/v1/flows/hello/export")
    assert exported.headers["content-disposition"] == 'attachment; filename="hello-1.json"'
    saved = await admin.save(exported.json(), flow="copy")
    assert saved["problems"] == []
    copy = (await admin.client.get("/api/v1/flows/copy")).json()
    assert copy["graph"]["id"] == "copy"
    assert [node["id"] for node in copy["graph"]["nodes"]] == [n["id"] for n in ASKS["nodes"]]


async def test_a_draft_is_tried_turn_by_turn(house: "House", admin: Admin) -> None:
    await admin.save(ASKS)
    first = await admin.tried(text="你好")
    assert [step["node"] for step in first["steps"]] == ["start", "ask"]
    assert [say["text"] for say in first["says"]] == ["电话？"]
    assert (first["waits_for"], first["steps"][-1]["waits_s"]) == ("ask", 60.0)
    said_so_far = [{"role": "visitor", "text": "你好"}, {"role": "bot", "text": "电话？"}]
    second = await admin.tried(text="13800138000", state=first["state"], said=said_so_far)
    assert [say["text"] for say in second["says"]] == ["记下 13800138000"]
    silent = await admin.tried(state=first["state"], said=said_so_far)
    assert (silent["why"], silent["steps"][0]["port"]) == ("unsure", "silent")
    assert house.heads == {}


async def test_each_nodes_input_output_and_time_are_shown(admin: Admin) -> None:
    graph = drawing(
        "start.asked > words", "words.passed > look", "words.blocked > help", "look.sure > bot",
        "look.unsure > help", "bot.answered > end", "bot.unsure > help", "bot.failed > help",
        start=START, words=("sensitive", {}), look=("knowledge", {}), bot=("answer", {}),
        help=PERSON, end=("end", {}),
    )  # fmt: skip
    await admin.save(graph)
    tried = await admin.tried(text="退款多久到账")
    steps = {step["node"]: step for step in tried["steps"]}
    asked = steps["look"]["asked"][0]
    assert (asked["request"]["effect"], asked["request"]["text"]) == ("search", "退款多久到账")
    assert asked["answer"]["hits"][0]["id"] == "q1"
    assert asked["took_ms"] >= 0
    assert steps["words"]["asked"][0]["answer"]["verdict"] == "clean"
    assert steps["bot"]["port"] == "failed"
    assert "no bot" in steps["bot"]["asked"][0]["answer"]["reason"]
    assert tried["why"] == "unsure"


async def test_what_is_to_be_known_is_given(admin: Admin) -> None:
    tried = await admin.tried(text="你好", graph=HELLO, attributes={"name": "小林"})
    assert tried["says"][0]["text"] == "您好 小林"


async def test_a_trial_leaves_nothing_on_record_and_sends_nothing(
    house: "House", admin: Admin
) -> None:
    post = {"url": "http://127.0.0.1:1/", "method": "POST", "body": '{"a": 1}'}
    graph = drawing(
        "start.asked > set", "set.next > post", "post.done > hi", "post.failed > help",
        start=START, set=("set", {"attributes": {"name": "{{text}}"}}), post=("http", post),
        hi=said("好 {{visitor.name}}"), help=PERSON,
    )  # fmt: skip
    tried = await admin.tried(text="小林", graph=graph)
    assert [say["text"] for say in tried["says"]] == ["好 小林"]
    assert await house.services.visitors.get("visitor") is None
    sent = await admin.tried(text="小林", graph=graph, sends=True)
    assert sent["why"] == "unsure", "the real machine is down"


@pytest.mark.parametrize(
    "state",
    [{"node": 3}, {"node": "gone", "awaiting": "said"}, {"due_ms": "x"}, {"node": "ask"}],
)
async def test_a_trial_takes_any_state(admin: Admin, state: dict[str, Any]) -> None:
    for text in ("你好", ""):
        tried = await admin.tried(text=text, graph=ASKS, state=state)
        assert isinstance(tried["steps"], list)


async def test_a_trial_of_what_cannot_be_read_is_refused(admin: Admin) -> None:
    for graph in ({"nodes": 1}, drawing(hi=said("x")), drawing(start=("start", {"x": 1}))):
        answer = await admin.post("try", {"text": "x", "graph": graph})
        assert code(answer) == (400, "bad_input")
    assert code(await admin.post("try", {"text": "x"}, "gone")) == (404, "not_found")


async def test_secrets_go_in_and_never_come_out(house: "House", admin: Admin) -> None:
    body = {"origin": "https://api.example/orders?x", "name": "key", "secret": "s3cret"}
    told = await admin.client.put("/api/v1/flows/secrets", json=body)
    assert told.json() == {"secrets": {"https://api.example:443": ["key"]}}
    assert "s3cret" not in (await admin.client.get("/api/v1/flows/secrets")).text
    sealed = await house.services.flow_secrets.sealed("https://api.example:443")
    assert "s3cret" not in sealed["key"]
    graph = drawing(
        "start.asked > get", "get.done > help", "get.failed > help", start=START, help=PERSON,
        get=("http", {"url": "https://api.example/", "headers": {"X-Key": "{{secret.key}}"}}),
    )  # fmt: skip
    assert (await admin.save(graph))["problems"] == []
    gone = await admin.client.put("/api/v1/flows/secrets", json=body | {"secret": ""})
    assert gone.json() == {"secrets": {}}
    checked = (await admin.post("check")).json()
    assert [problem["code"] for problem in checked["problems"]] == ["unknown_secret"]
    for origin in ("", "api.example", "ftp://a.example", "https://"):
        odd = await admin.client.put("/api/v1/flows/secrets", json=body | {"origin": origin})
        assert code(odd) == (400, "bad_input")


async def test_kinds_come_with_their_schemas(admin: Admin) -> None:
    told = (await admin.client.get("/api/v1/flows/kinds")).json()
    kinds = {kind["kind"]: kind for kind in told["kinds"]}
    assert (told["format"], told["most_nodes"], len(kinds)) == (FORMAT, MAX_NODES, 19)
    ask = kinds["ask"]
    assert "tries" in str(ask["settings"])
    ports = {port["name"]: (port["must"], port["waits"]) for port in ask["ports"]}
    assert ports["captured"] == (True, True)
    assert ports["failed"] == (False, True)
    assert kinds["end"]["ports"] == []
    assert all(kind["about"] for kind in told["kinds"])


async def test_agents_may_not(house: "House", admin: Admin) -> None:
    agent = await house.agent()
    calls = [
        agent.get("/api/v1/flows"),
        agent.get("/api/v1/flows/kinds"),
        agent.get("/api/v1/flows/secrets"),
        agent.put("/api/v1/flows/hello", json={"graph": HELLO, "began_from": 0}),
        agent.post("/api/v1/flows/hello/try", json={"text": "x", "graph": HELLO}),
        agent.delete("/api/v1/flows/hello"),
    ]
    for call in calls:
        assert code(await call) == (403, "not_allowed")


async def test_a_body_nested_without_end_is_refused(admin: Admin) -> None:
    for deep in (500, 100_000):
        body = '{"began_from": 0, "graph": {"a": ' + "[" * deep + "1" + "]" * deep + "}}"
        answer = await admin.client.put(
            "/api/v1/flows/hello", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400, answer.text


async def test_a_draft_that_changed_since_it_was_looked_at_is_not_published(admin: Admin) -> None:
    first = await admin.save(HELLO)
    await admin.save(drawing(), first["updated"])
    answer = await admin.post("publish", {"began_from": first["updated"]})
    assert code(answer) == (409, "draft_changed"), "not the problems of what nobody looked at"


async def test_how_often_each_way_was_taken_is_told(house: "House", admin: Admin) -> None:
    await admin.published(ASKS)
    hour = house.now_ms // 3_600_000
    amounts = [
        Rollup(hour=at, metric=metric_of("hello", version), label=label_of(node, port), value=value)
        for at, version, node, port, value in (
            (hour, 1, "ask", "", 10), (hour - 1, 1, "ask", "", 5), (hour, 1, "ask", "captured", 9),
            (hour - 200, 1, "ask", "captured", 100), (hour, 2, "ask", "captured", 100),
            (hour, 1, "gone", "x", 100),
        )
    ]  # fmt: skip
    await house.services.rollups.add(amounts)
    told = (await admin.client.get("/api/v1/flows/hello/counts")).json()
    assert told == {"version": 1, "hours": 168, "nodes": {"ask": {"": 15, "captured": 9}}}
    hourly = await admin.client.get("/api/v1/flows/hello/counts", params={"hours": 1})
    assert hourly.json()["nodes"] == {"ask": {"": 10, "captured": 9}}
    await admin.save(HELLO, flow="draft")
    for call in ("draft/counts", "hello/counts?version=9"):
        assert code(await admin.client.get(f"/api/v1/flows/{call}")) == (404, "not_found")
