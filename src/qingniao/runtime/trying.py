"""Trying flows out in the process that serves HTTP. Owns what stands in for what is not there.

Rule: where visitors are answered in the same process, a trial is understood and answered as they
are; elsewhere it says which steps could not be taken.
"""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Final

from qingniao.bots.base import BotMisconfigured, BotService
from qingniao.errors import QingniaoError
from qingniao.flow.events import Classified, Found, Moderated
from qingniao.flow.plan import Plan
from qingniao.flow.trial import Tried, Trying
from qingniao.runtime.flow_hands import make_hands
from qingniao.runtime.foundation import Foundation
from qingniao.storage.files import Files
from qingniao.workers.attachments import Attachments

__all__ = ["TRY_S", "make_trial"]

TRY_S: Final = 60.0
"""One turn of a trial; a bot that takes longer is too slow for a visitor as well."""


class NotHere(QingniaoError):
    """Messages are understood in another process; try the flow where visitors are answered."""

    code = "not_here"


def make_trial(base: Foundation) -> Callable[[Plan, Trying], Awaitable[Tried]]:
    """What the HTTP side calls. Raises `TimeoutError`."""
    hands = make_hands(base)
    engines = base.engines
    attachments = Attachments(Files(engines.database), engines.blobs)

    def find(bot: str) -> BotService:
        found = base.shelf.answering(bot, {})
        if found is None:
            raise BotMisconfigured(f"There is no bot called {bot or 'local'} in this process.")
        return found

    async def trial(plan: Plan, trying: Trying) -> Tried:
        # The worker is loaded when somebody tries: serving HTTP does not need it.
        module = await asyncio.to_thread(import_module, "qingniao.workers.trying")
        async with asyncio.timeout(TRY_S):
            if base.find_bot is None:
                await base.shelf.look()
            tried: Tried = await module.try_out(
                plan,
                trying,
                senses=base.senses or _Nowhere(),
                bot=base.find_bot or find,
                teams=base.teams.all,
                hands=hands,
                attachments=attachments,
                clock=engines.clock,
            )
            return tried

    return trial


class _Nowhere:
    """Senses of a process that has none."""

    async def moderate(self, text: str) -> Moderated:
        """Raises `NotHere`."""
        raise NotHere

    async def classify(self, text: str) -> Classified:
        """Raises `NotHere`."""
        raise NotHere

    async def search(self, text: str, limit: int) -> Found:
        """Raises `NotHere`."""
        raise NotHere
