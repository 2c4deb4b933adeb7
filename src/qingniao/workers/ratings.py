"""What visitors think of single answers, told to the platforms of the bots that gave them.

Owns the tries, in tasks of its own: a conversation never waits for them. Rule: what became of each
rating is a step in the log, told or not; until then the head remembers it, through any crash.
"""

import asyncio
from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from qingniao.bots.base import BotError, FeedbackUnsupported, Query, TakesFeedback
from qingniao.chat.head import Head
from qingniao.chat.intake import Reported
from qingniao.chat.ports import MessageLog, Role
from qingniao.errors import Busy, StorageError
from qingniao.log import get_logger
from qingniao.metrics import Reading
from qingniao.protocol.frames import Entry, EntryType
from qingniao.workers.ports import Bots, Submit

__all__ = ["RatingLimits", "Ratings", "Verdict", "verdict_of"]

Verdict = Literal["good", "bad", "none"]

AT_ONCE: Final = 64
"""Conversations at once (policy: refuse); the others keep their mark and come again."""
OUTCOME_ENTRIES: Final = 8
"""An answer stands so close behind the step that tells what its platform calls it."""

_log = get_logger("workers")


class RatingLimits(Struct, frozen=True, kw_only=True):
    """How long one try may take, and the pauses between tries, in seconds."""

    try_s: float = 5.0
    pauses_s: tuple[float, ...] = (1.0, 5.0)
    submit_s: float = 10.0


class _Told(Struct, frozen=True, kw_only=True):
    """`port`: `told`, `kept` (the bot's platform wants no ratings) or `untold`."""

    port: Literal["told", "kept", "untold"]
    bot: str = ""
    reason: str = ""


class Ratings:
    """Tells platforms what was rated."""

    def __init__(
        self, log: MessageLog, submit: Submit, bot: Bots, limits: RatingLimits | None = None
    ) -> None:
        self._message_log = log
        self._submit = submit
        self._bot = bot
        self._limits = limits or RatingLimits()
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self.told = self.failed = 0

    def begin(self, head: Head) -> None:
        """Tell of what the head remembers, unless that is under way already."""
        conversation = head.conversation
        if conversation in self._under_way or len(self._under_way) >= AT_ONCE:
            return
        task = asyncio.ensure_future(self._tell(conversation, head.visitor, head.rated))
        self._under_way[conversation] = task
        task.add_done_callback(lambda _: self._under_way.pop(conversation, None))

    async def run(self) -> None:
        """Until cancelled; then those under way end too, and are begun anew after a start."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            tasks = list(self._under_way.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def readings(self) -> Iterable[Reading]:
        """For `metrics`."""
        yield "counter", "bot_ratings_told", "Ratings that platforms took.", self.told
        yield "counter", "bot_ratings_failed", "Ratings that they did not.", self.failed

    async def _tell(self, conversation: int, visitor: str, rated: tuple[int, ...]) -> None:
        try:
            # Of several about one answer the last one counts.
            latest: dict[int, Entry] = {}
            for seq in rated:
                for entry in await self._message_log.entries(conversation, seq - 1, 1):
                    if isinstance(entry.body, dict) and isinstance(of := entry.body.get("of"), int):
                        latest[of] = entry
            trace = []
            for of, entry in latest.items():
                verdict = verdict_of(entry.body)
                told = await self._one(conversation, visitor, of, entry, verdict)
                stage = {"kind": "rating", "port": told.port, "of": of, "verdict": verdict}
                if told.bot:
                    stage["bot"] = told.bot
                if told.reason:
                    stage["reason"] = told.reason
                trace.append(stage)
            async with asyncio.timeout(self._limits.submit_s):
                await self._submit(Reported(conversation, rated[-1], tuple(trace)))
            head = await self._message_log.head(conversation)
            if head is not None and not head.owes_bot:
                await self._message_log.clear(Role.AI, [(conversation, head.last)])
        except (Busy, StorageError, TimeoutError) as exc:
            # The head remembers them: whoever sweeps next brings them again.
            _log.warning("ratings_wait", conversation=conversation, error=type(exc).__name__)
        except Exception as exc:
            _log.error("ratings_broke", exc=exc, conversation=conversation)

    async def _one(
        self, conversation: int, visitor: str, of: int, rating: Entry, verdict: Verdict
    ) -> _Told:
        bot, message = await self._given(conversation, of)
        if not message:
            return _Told(port="kept", bot=bot)
        comment = str(rating.body.get("comment", "")) if isinstance(rating.body, dict) else ""
        user = Query(conversation=conversation, text="", visitor=visitor).user
        reason = ""
        for pause_s in (*self._limits.pauses_s, None):
            try:
                found = self._bot(bot)
                # The bots of a chain stand in for each other, but not in this.
                if found.name != bot or not isinstance(found, TakesFeedback):
                    return _Told(port="kept", bot=bot)
                async with asyncio.timeout(self._limits.try_s):
                    await found.feedback(message, user, verdict, comment)
            except FeedbackUnsupported as exc:
                return _Told(port="kept", bot=bot, reason=str(exc))
            except TimeoutError:
                reason = f"No word from {bot} within {self._limits.try_s:g} s."
            except BotError as exc:
                reason = str(exc)
                if not exc.temporary:
                    break
            except Exception as exc:  # a bot may be a plugin
                _log.error("bot_raised", exc=exc, bot=bot)
                reason = "The bot failed inside."
                break
            else:
                self.told += 1
                return _Told(port="told", bot=bot)
            if pause_s is not None:
                await asyncio.sleep(pause_s)
        self.failed += 1
        _log.warning("rating_not_told", conversation=conversation, bot=bot, pii={"reason": reason})
        return _Told(port="untold", bot=bot, reason=reason)

    async def _given(self, conversation: int, of: int) -> tuple[str, str]:
        """Who gave the answer that is the entry `of`, and what the platform calls it."""
        after = max(0, of - OUTCOME_ENTRIES)
        entries = await self._message_log.entries(conversation, after, of - after)
        if not entries or entries[-1].seq != of or entries[-1].type != EntryType.ANSWER:
            return "", ""
        for entry in reversed(entries):
            if entry.type == EntryType.STEP and isinstance(entry.body, dict):
                named = entry.body.get("message")
                if isinstance(named, dict):
                    return str(named.get("bot", "")), str(named.get("id", ""))
                break
        said = entries[-1].body
        return (str(said.get("bot", "")) if isinstance(said, dict) else ""), ""


def verdict_of(body: object) -> Verdict:
    """What a score of 0 to 5 says of an answer."""
    score = body.get("score") if isinstance(body, dict) else None
    if not isinstance(score, int) or score in (0, 3):
        return "none"
    return "good" if score > 3 else "bad"
