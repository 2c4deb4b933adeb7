"""A whole HTTP side over a real database in a temporary folder; the clock is the test's."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from qingniao.api.app import create_app
from qingniao.api.services import Services
from qingniao.auth import KeyRing, Passwords, RateLimit, Signer, SignInLimit
from qingniao.auth.sealing import Sealer
from qingniao.bots.base import BotMisconfigured, BotService
from qingniao.bots.kinds import make
from qingniao.bus.memory import MemoryRateLimits, MemorySignInLimits
from qingniao.chat.head import Head
from qingniao.flow.events import Classified, Found, Hit, Moderated
from qingniao.flow.plan import Plan
from qingniao.flow.trial import Tried, Trying
from qingniao.outgoing.client import Outgoing
from qingniao.storage.blobs_folder import FolderBlobs
from qingniao.storage.bot_records import BotRecords
from qingniao.storage.bots import Bots
from qingniao.storage.conversations import ConversationIndex
from qingniao.storage.database import Database
from qingniao.storage.files import Files
from qingniao.storage.first_run import first_run
from qingniao.storage.flow_secrets import FlowSecrets
from qingniao.storage.flows import Flows
from qingniao.storage.ids import IdRange, Ids
from qingniao.storage.knowledge import KnowledgeEntries
from qingniao.storage.rollups import Rollups
from qingniao.storage.site import SiteSettings
from qingniao.storage.teams import Teams
from qingniao.storage.users import Sessions, Users
from qingniao.storage.visitors import Arrivals, Visitors
from qingniao.workers.attachments import Attachments
from qingniao.workers.hands import Hands
from qingniao.workers.trying import try_out

START_MS = 1_795_500_000_000
INTENT = {"X-Qingniao": "1"}


@dataclass
class House:
    """What the tests reach behind the interface for."""

    services: Services
    root: Path
    client: httpx.AsyncClient
    admin_password: str
    now_ms: int = START_MS
    heads: dict[int, Head] = field(default_factory=dict)
    online: set[str] = field(default_factory=set)
    renamed: list[tuple[int, str]] = field(default_factory=list)
    signed_out: list[str] = field(default_factory=list)
    learnt: int = 0
    released: int = 0
    status: str = "ok"

    def browser(self, address: str = "127.0.0.1", app: object = None) -> httpx.AsyncClient:
        """Another browser, without cookies."""
        return _client(app or self.client._transport.app, address)  # type: ignore[attr-defined]

    async def sign_in(self, *, change: bool = True) -> httpx.AsyncClient:
        """The administrator's browser, with a password of their own."""
        body = {"login": "admin", "password": self.admin_password}
        (await self.client.post("/api/v1/session", json=body)).raise_for_status()
        if change:
            body = {"current": self.admin_password, "new": "a password of my own"}
            answer = await self.client.post("/api/v1/session/password", json=body)
            answer.raise_for_status()
        return self.client

    async def agent(self, login: str = "li") -> httpx.AsyncClient:
        """An agent's browser; the administrator has to be signed in."""
        body = {"login": login, "name": login.title(), "role": "agent"}
        answer = await self.client.post("/api/v1/users", json=body)
        answer.raise_for_status()
        password = answer.json()["password"]
        browser = self.browser()
        body = {"login": login, "password": password}
        (await browser.post("/api/v1/session", json=body)).raise_for_status()
        body = {"current": password, "new": "something only I know"}
        (await browser.post("/api/v1/session/password", json=body)).raise_for_status()
        return browser


class _Presence:
    def __init__(self) -> None:
        self.here: set[str] = set()

    async def online(self, whos: Iterable[str]) -> set[str]:
        return self.here.intersection(whos)


class _Senses:
    """Understands one question."""

    async def moderate(self, text: str) -> Moderated:
        return Moderated(verdict="blocked" if "脏话" in text else "clean")

    async def classify(self, text: str) -> Classified:
        return Classified(intent="question", confidence=0.9, wants_person="转人工" in text)

    async def search(self, text: str, limit: int) -> Found:
        hit = Hit(id="q1", question="退款多久到账？", confidence=0.9)
        return Found(hits=(hit,) if "退款" in text else ())


def _no_bot(bot: str) -> BotService:
    raise BotMisconfigured(f"There is no bot called {bot}.")


async def _no_secrets(_origin: str) -> dict[str, str]:
    return {}


async def _nobody() -> int:
    return 0


def _client(app: object, address: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, client=(address, 5), raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://house", headers=INTENT)


@pytest.fixture
async def house(tmp_path: Path, outgoing: Outgoing) -> AsyncIterator[House]:
    database = await Database.open(tmp_path / "house.db")
    # Cheap parameters: these tests are about who may, not about how hard a hash is.
    passwords = Passwords(memory_kib=64, passes=1)
    furnished = await first_run(database, passwords, now_ms=START_MS)
    assert furnished is not None
    blobs = FolderBlobs(tmp_path / "files", spare_bytes=0)
    await asyncio.to_thread(blobs.open)
    keys = await asyncio.to_thread(KeyRing.open, tmp_path / "keys")
    visitors = Visitors(database, Arrivals())
    presence = _Presence()
    web_root = tmp_path / "web"

    def clock() -> int:
        return made.now_ms

    async def heads(numbers: Iterable[int]) -> dict[int, Head]:
        return {number: made.heads[number] for number in numbers if number in made.heads}

    async def rename(conversation: int, name: str) -> None:
        made.renamed.append((conversation, name))

    def release() -> None:
        made.released += 1

    def learn() -> None:
        made.learnt += 1

    async def try_flow(plan: Plan, trying: Trying) -> Tried:
        return await try_out(
            plan,
            trying,
            senses=_Senses(),
            bot=_no_bot,
            teams=Teams(database).all,
            hands=Hands(
                outgoing, visitors, secrets=_no_secrets, agents_online=_nobody, renamed=rename,
                clock=clock,
            ),
            attachments=Attachments(Files(database), blobs),
            clock=clock,
        )  # fmt: skip

    services = Services(
        users=Users(database),
        sessions=Sessions(database),
        teams=Teams(database),
        visitors=visitors,
        index=ConversationIndex(database, visitors),
        files=Files(database),
        knowledge=KnowledgeEntries(database),
        site=SiteSettings(database),
        bots=Bots(database),
        sealer=Sealer(keys),
        build_bot=lambda row, secrets: make(row.kind, row.settings, secrets, outgoing, row.id),
        bot_records=BotRecords(database),
        flows=Flows(database),
        flow_secrets=FlowSecrets(database),
        rollups=Rollups(database),
        try_flow=try_flow,
        blobs=blobs,
        conversation_numbers=IdRange(Ids(database), "conversation"),
        passwords=passwords,
        signer=Signer(keys),
        clock=clock,
        presence=presence,
        heads=heads,
        rename=rename,
        ready=lambda: made.status,
        metrics=lambda: b"qingniao_up 1\n",
        sign_in_limit=MemorySignInLimits(SignInLimit(clock=clock)),
        visitor_limit=MemoryRateLimits(RateLimit(per_s=1, burst=5, clock=clock)),
        upload_limit=MemoryRateLimits(RateLimit(per_s=1, burst=30, clock=clock)),
        version="1.2.3",
        web_root=web_root,
        file_bytes=100_000,
        on_signed_out=lambda _user, sessions: made.signed_out.extend(sessions),
        on_bots_changed=release,
        on_flows_changed=release,
        on_knowledge_changed=learn,
    )
    client = _client(create_app(services))
    made = House(services, tmp_path, client, furnished.password, online=presence.here)
    yield made
    await client.aclose()
    await database.close()
