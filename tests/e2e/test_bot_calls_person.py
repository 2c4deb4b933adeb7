"""A bot of one's own, as a service behind HTTP, calls a person of a team, in the whole product."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from conftest import StartServer
from serving_house import served
from team_shop import Shop

from qingniao.bots.base import Action, Done, Grounded, Query, ReplyEvent, TextDelta
from qingniao.bots.serving import serve
from qingniao.bots.simple import SimpleBot
from qingniao.client import Client
from qingniao.protocol.frames import DownFrame, Entry, EntryType

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

SAID = "这个要请售后的同事看一下。"


class Caller(SimpleBot):
    """Does what the visitor's words say."""

    name = "caller"

    async def reply(self, query: Query) -> AsyncGenerator[ReplyEvent]:
        yield Grounded()
        wishes: tuple[Action, ...] = (Action(kind="dance"),)
        if "赔" in query.text:
            wishes += (Action(kind="handoff", name="售后组", reason="要求赔偿"),)
        yield TextDelta(text=SAID)
        yield Done(text=SAID, actions=wishes)


async def test_bot_calls_a_person_of_the_team_that_it_names(start_server: StartServer) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(served(serve(Caller(), key="k")))
        server = await start_server(QINGNIAO_OUTGOING_ALLOW="127.0.0.1", QINGNIAO_AI_BOT="caller")
        shop = Shop(server.url)
        await shop.open(server.password)
        await shop.publish("caller", "remote", {"base_url": url}, {"key": "k"})
        await shop.hires(stack, "wang", "物流组")
        returns = await shop.hires(stack, "li", "售后组")

        visitor = await shop.visitor(stack)
        assert await visitor.asks("怎么退货") == SAID
        shown = await shop.admin.call("GET", f"/conversations/{visitor.conversation}")
        assert shown["conversation"]["status"] == "bot", "a dance is nothing to us"

        await visitor.asks("质量问题，怎么退货，要赔钱")
        shown = await visitor.gets_somebody()
        assert (shown["assignee"]["id"], shown["team"]["name"]) == (returns, "售后组")
        assert shown["why"] == "bot_called"
        assert SAID in visitor.answers
        steps, summary = await read(shop, visitor.conversation)
        assert any("dance" in stage.get("ignored", ()) for stage in steps)
        assert any(stage.get("reason") == "要求赔偿" for stage in steps)
        assert "要求赔偿" in summary


async def read(shop: Shop, conversation: int) -> tuple[list[dict[str, Any]], str]:
    """What an agent who opens it sees: the stages of all steps, and the summary."""
    entries: list[Entry] = []

    def hears(frame: DownFrame) -> None:
        if isinstance(frame, Entry):
            entries.append(frame)

    async with Client(shop.admin.url, token=shop.admin.ticket, on_frame=hears) as client:
        await client.ready()
        client.follow(conversation)
        await shop.until(lambda: any(one.type == EntryType.SUMMARY for one in entries))
        await shop.until(lambda: entries[-1].seq >= client.states[conversation]["last"])
    bodies = [one.body for one in entries if isinstance(one.body, dict)]
    stages = [stage for body in bodies for stage in body.get("trace", ())]
    summary = next(one.body for one in entries if one.type == EntryType.SUMMARY)
    assert isinstance(summary, dict)
    return stages, summary["text"]
