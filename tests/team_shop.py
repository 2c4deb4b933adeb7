"""A whole server with teams, its administrator, who is at work in which team, and who asks.

Rule: everything goes over HTTP and WebSockets, as people do it.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Final

from qingniao.client import Client
from qingniao.protocol.frames import DownFrame, Entry, EntryType
from qingniao.replay.house import Api

__all__ = ["Shop", "Visitor"]

PASSWORD: Final = "correct horse battery"
WITHIN_S: Final = 30.0
POLICY: Final = {"failures": 0}
"""Asked each time, however often it failed: that is what is looked at here."""


class Shop:
    """The administrator's side of it."""

    def __init__(self, url: str) -> None:
        self.admin = Api(url)
        self.teams: dict[str, int] = {}

    async def open(self, one_time_password: str) -> None:
        """Two teams without anybody."""
        await self.admin.sign_in("admin", one_time_password, PASSWORD)
        await self.admin.call("PATCH", "/session/user", {"accepting": False})
        for name in ("售后组", "物流组"):
            made = await self.admin.call("POST", "/teams", {"name": name})
            self.teams[name] = made["id"]

    async def publish(
        self, bot: str, kind: str, settings: dict[str, str], secrets: dict[str, str]
    ) -> None:
        """A bot that answers from now on."""
        draft = {
            "kind": kind, "name": bot, "settings": settings, "secrets": secrets,
            "policy": POLICY,
        }  # fmt: skip
        await self.admin.call("PUT", f"/bots/{bot}", draft)
        told = await self.admin.call("POST", f"/bots/{bot}/test", {})
        assert told["is_ok"], told
        await self.admin.call("POST", f"/bots/{bot}/publish")

    async def hires(self, stack: AsyncExitStack, login: str, team: str) -> int:
        """An agent of that team, at work from now on."""
        body = {"login": login, "name": login.title(), "role": "agent"}
        made = await self.admin.call("POST", "/users", body)
        members = {"members": [made["user"]["id"]]}
        await self.admin.call("PATCH", f"/teams/{self.teams[team]}", members)
        api = Api(self.admin.url)
        await api.sign_in(login, made["password"], PASSWORD)
        client = await stack.enter_async_context(Client(api.url, token=api.ticket))
        await client.ready()
        return int(made["user"]["id"])

    async def until(self, claim: Callable[[], bool]) -> None:
        """Wait for it."""
        async with asyncio.timeout(WITHIN_S):
            while not claim():
                await asyncio.sleep(0.02)

    async def visitor(self, stack: AsyncExitStack) -> "Visitor":
        """Somebody on the page."""
        token, conversation = await self.admin.visitor()
        visitor = Visitor(self, conversation)
        visitor.client = await stack.enter_async_context(
            Client(self.admin.url, token=token, on_frame=visitor.hears)
        )
        await visitor.client.ready()
        return visitor


class Visitor:
    """Somebody with a question."""

    client: Client

    def __init__(self, shop: Shop, conversation: int) -> None:
        self.shop = shop
        self.conversation = conversation
        self.answers: list[str] = []
        self._heard = asyncio.Event()

    def hears(self, frame: DownFrame) -> None:
        if isinstance(frame, Entry) and frame.type == EntryType.ANSWER:
            assert isinstance(frame.body, dict)
            self.answers.append(frame.body["text"])
            self._heard.set()

    async def asks(self, text: str) -> str:
        """Say it; what is answered."""
        self._heard.clear()
        await self.client.send(self.conversation, text)
        async with asyncio.timeout(WITHIN_S):
            await self._heard.wait()
        return self.answers[-1]

    async def gets_somebody(self) -> dict[str, Any]:
        """Where the conversation stands once a person has it."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                told = await self.shop.admin.call("GET", f"/conversations/{self.conversation}")
                shown: dict[str, Any] = told["conversation"]
                if shown["status"] == "open":
                    return shown
                await asyncio.sleep(0.1)
