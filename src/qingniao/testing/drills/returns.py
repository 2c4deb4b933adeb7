"""Brings those back to the bot whom it handed over, for a drill wants to see it answer until the
end; and closes what was talked about when all is over, for the desk is not endless.

Rule: an agent does it, by the way that agents have; somebody may be given the conversation in the
same moment.
"""

import asyncio
import contextlib
from typing import Final

from qingniao.client import NotTaken
from qingniao.protocol.frames import EntryType
from qingniao.testing.load import Load
from qingniao.testing.seat import until

__all__ = ["close_all", "keep_with_bot"]

_LOOK_S: Final = 0.1
_DONE_S: Final = 5.0
_CLOSED_S: Final = 30.0


async def keep_with_bot(load: Load) -> None:
    """Until cancelled."""
    agent = load.agents[0].client
    while True:
        for conversation, seat in load.visitors.items():
            if conversation in load.owned:
                continue
            if seat.client.states.get(conversation, {}).get("status") in ("waiting", "open"):
                # It may be back already, or the answer may be long in coming.
                with contextlib.suppress(NotTaken, TimeoutError):
                    async with asyncio.timeout(_DONE_S):
                        await asyncio.shield(
                            agent.post(conversation, {"do": "return"}, EntryType.ACTION)
                        )
        await asyncio.sleep(_LOOK_S)


async def close_all(load: Load) -> None:
    """Every conversation, and wait until its visitor was told. Raises `TimeoutError`."""
    agent = load.agents[0].client
    for conversation in load.visitors:
        with contextlib.suppress(NotTaken):
            async with asyncio.timeout(_CLOSED_S):
                await agent.send(conversation, {"do": "close"}, EntryType.ACTION)
    states = [seat.client.states[c] for c, seat in load.visitors.items()]
    await until(lambda: all(state.get("status") == "closed" for state in states), _CLOSED_S)
    # What an agent closed is in the log: who follows it sees that too.
    ends = {c: seat.client.states[c]["last"] for c, seat in load.visitors.items()}
    readers = [(c, seat.client) for c, seat in load.visitors.items()]
    readers += [(c, seat.client) for c, seat in load.owned.items()]
    await until(lambda: all(client.cursors[c] >= ends[c] for c, client in readers), _CLOSED_S)
