"""What tests of bots in the whole product share: a provider that is a process of its own, the
administrator who sets it up, and visitors of whom each step on the screen is kept.

Rule: a visitor knows what the wire tells a visitor, and nothing else.
"""

import asyncio
import sys
from typing import Any, Self

import httpx
import msgspec

from qingniao.client import Client
from qingniao.protocol.frames import Delta, DownFrame, Entry, EntryType, State
from qingniao.replay.house import Api, OwnServer

QUESTION = "怎么退货"
PASSWORD = "correct horse battery"


class Provider:
    """`qingniao doubles` with one platform, as a process that can be killed and held still."""

    def __init__(self, name: str, *, pace_ms: int) -> None:
        self._command = ("-m", "qingniao", "doubles", name, "--json", "--pace", str(pace_ms))
        self.process: asyncio.subprocess.Process | None = None
        self.url = ""
        self.key = ""
        self._control = ""

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, *self._command, stdout=asyncio.subprocess.PIPE
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            told = msgspec.json.decode(await self.process.stdout.readline())
        self.url, self.key, self._control = (told[0][word] for word in ("url", "key", "control"))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def asked(self) -> int:
        """How many questions have reached it."""
        async with httpx.AsyncClient(trust_env=False) as http:
            told = (await http.get(self._control)).json()
        return sum(one["path"].endswith("/chat-messages") for one in told["asked"])

    def send(self, number: int) -> None:
        """A signal."""
        assert self.process is not None
        self.process.send_signal(number)


async def administrator(server: OwnServer) -> Api:
    """Signed in."""
    api = Api(server.url)
    await api.sign_in("admin", server.password, PASSWORD)
    return api


async def publish(
    api: Api, kind: str, settings: dict[str, Any], secrets: dict[str, str], **policy: Any
) -> None:
    """The bot `shop`, as of now."""
    draft = {
        "kind": kind, "name": "Shop", "settings": settings, "secrets": secrets, "policy": policy,
    }  # fmt: skip
    await api.call("PUT", "/bots/shop", draft)
    await api.call("POST", "/bots/shop/publish")


class Onlooker:
    """One visitor's screen: answers while they are written, and the entries that stay."""

    def __init__(self, url: str, token: str, conversation: int) -> None:
        self.conversation = conversation
        self.token = token
        self.client = Client(url, token=token, on_frame=self._hear)
        self.drafts: dict[int, str] = {}
        self.entries: list[Entry] = []
        self.withdrawn: list[str] = []
        """What stood in drafts when they were taken back."""
        self.status = "bot"
        self._changed = asyncio.Event()

    @classmethod
    async def come(cls, server: OwnServer, count: int) -> list["Onlooker"]:
        """So many new visitors, connected."""
        api = Api(server.url)
        made = await asyncio.gather(*(api.visitor() for _ in range(count)))
        visitors = [cls(server.url, *one) for one in made]
        for visitor in visitors:
            await visitor.client.__aenter__()
        await asyncio.gather(*(visitor.client.ready() for visitor in visitors))
        return visitors

    async def ask(self, text: str = QUESTION) -> None:
        """Say it; it is stored when this returns."""
        await self.client.send(self.conversation, text)

    async def until(self, told: Any, within_s: float = 20.0) -> None:
        """Wait until `told(self)` holds."""
        async with asyncio.timeout(within_s):
            while not told(self):
                self._changed.clear()
                await self._changed.wait()

    @property
    def answers(self) -> list[dict[str, Any]]:
        """The answers that stay."""
        return [
            entry.body
            for entry in self.entries
            if entry.type == EntryType.ANSWER and isinstance(entry.body, dict)
        ]

    @property
    def is_served(self) -> bool:
        """There is an answer, and nothing more to come."""
        return bool(self.answers) and not self.drafts

    @property
    def waits_for_a_person(self) -> bool:
        """Handed over, and told so."""
        return self.status == "waiting" and self.is_served

    def _hear(self, frame: DownFrame) -> None:
        match frame:
            case Delta(draft=draft, offset=0, text=""):
                if draft in self.drafts:
                    self.withdrawn.append(self.drafts.pop(draft))
            case Delta(draft=draft, offset=offset, text=text):
                held = self.drafts.get(draft, "")
                if offset <= len(held):
                    self.drafts[draft] = held[:offset] + text
            case Entry():
                self.entries.append(frame)
                if isinstance(frame.body, dict):
                    self.drafts.pop(frame.body.get("draft", -1), None)
            case State() if "status" in frame.fields:
                self.status = str(frame.fields["status"])
        self._changed.set()


async def leave(visitors: list[Onlooker]) -> None:
    """Close them all."""
    await asyncio.gather(*(visitor.client.close() for visitor in visitors))


async def agents_view(api: Api, conversations: list[int], count: int) -> dict[int, list[Entry]]:
    """At least `count` entries of each, with those that only agents see."""
    seen: dict[int, list[Entry]] = {conversation: [] for conversation in conversations}
    has_all = asyncio.Event()

    def hear(frame: DownFrame) -> None:
        if isinstance(frame, Entry):
            seen[frame.conversation].append(frame)
            if all(len(entries) >= count for entries in seen.values()):
                has_all.set()

    async with Client(api.url, token=api.ticket, on_frame=hear) as client:
        await client.ready()
        for conversation in conversations:
            client.follow(conversation)
        async with asyncio.timeout(20):
            await has_all.wait()
    return seen


def steps_of(entries: list[Entry]) -> list[dict[str, Any]]:
    """What the flow did, as agents see it."""
    return [
        entry.body
        for entry in entries
        if entry.type == EntryType.STEP and isinstance(entry.body, dict)
    ]
