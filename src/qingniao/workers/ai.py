"""The AI worker: gives a conversation the answer it is owed. Owns a run, from the log back into it.

It reads what the visitor said, walks the flow, carries out its effects and submits one `Outcome`.
Rule: one run, one `Outcome`, all or nothing; whatever goes wrong inside, the visitor gets a person.
"""

import asyncio
import time
from typing import Final, Literal

from msgspec import Struct, structs

from qingniao.bots.base import Attachment, BotMisconfigured, BotService, Query
from qingniao.chat.head import Head
from qingniao.chat.intake import Summary
from qingniao.chat.lifecycle import Status, Why
from qingniao.clock import Clock, wall_ms
from qingniao.errors import Busy, StorageError
from qingniao.flow.effects import (
    AskBot,
    ChooseTeam,
    Classify,
    Effect,
    Fetch,
    Handoff,
    Moderate,
    Passed,
    Rate,
    Remember,
    Say,
    Search,
    Wait,
)
from qingniao.flow.engine import step
from qingniao.flow.events import (
    About,
    Answered,
    BotFailed,
    Classified,
    Elapsed,
    Event,
    Guess,
    ServiceFailed,
    TimedOut,
    VisitorSaid,
)
from qingniao.flow.plan import Needs, Plan
from qingniao.log import get_logger
from qingniao.protocol.frames import EntryType
from qingniao.workers.attachments import Attachments
from qingniao.workers.bot_reply import Listener, Taken, Timer
from qingniao.workers.handoff_summary import summarise
from qingniao.workers.judges import Judges
from qingniao.workers.language import clauses, locale_of
from qingniao.workers.ports import (
    Bots,
    Flows,
    Locales,
    Log,
    Outside,
    Plans,
    PublishDelta,
    Senses,
    Submit,
    Teams,
)
from qingniao.workers.run import Run
from qingniao.workers.transcript import read
from qingniao.workers.waking import Timers, due_of

__all__ = ["MAX_ANEW", "AILimits", "AIWorker"]

_log = get_logger("workers")

HISTORY_ENTRIES: Final = 60
HISTORY_TURNS: Final = 12
MAX_ANEW: Final = 3
"""How often one answer is begun anew because the visitor went on writing."""


class AILimits(Struct, frozen=True, kw_only=True):
    """How long things may take, in seconds, and how often an answer is offered to the log."""

    sense_s: float = 2.0
    judge_s: float = 8.0
    locale_s: float = 0.5
    submit_s: float = 10.0
    tries: int = 5
    backoff_s: float = 0.05
    max_backoff_s: float = 1.0


class AIWorker:
    """Answers many conversations at once, each by one run at a time. The caller bounds how many."""

    def __init__(
        self,
        log: Log,
        *,
        submit: Submit,
        publish_delta: PublishDelta,
        plan: Plans,
        senses: Senses,
        bot: Bots,
        locale: Locales,
        teams: Teams,
        flows: Flows | None = None,
        hands: Outside | None = None,
        timers: Timers | None = None,
        clock: Clock = wall_ms,
        limits: AILimits | None = None,
        attachments: Attachments,
        while_answering: Literal["queue", "cancel"] = "queue",
        timer: Timer = time.perf_counter,
    ) -> None:
        self._while_answering = while_answering
        self._attachments = attachments
        self._log = log
        self._submit = submit
        self._publish_delta = publish_delta
        self._plan = plan
        self._senses = senses
        self._bot = bot
        self._locale = locale
        self._flows = flows
        self._hands = hands
        self._timers = timers
        self._clock = clock
        self._limits = limits or AILimits()
        self._judges = Judges(
            self._find, teams, judge_s=self._limits.judge_s, lookup_s=self._limits.sense_s
        )
        self._timer = timer
        self._under_way: set[int] = set()

    async def handle(self, conversation: int) -> None:
        """Answer what the conversation owes, or go on with a flow whose time is up. Harmless when
        there is nothing to do, or it is being done.

        What the visitor writes meanwhile is left for the next call: the head then still owes. Or,
        if that is the policy, the bot is stopped and everything is answered at once; somebody who
        goes on writing stops it `MAX_ANEW` times and no more.
        """
        if conversation in self._under_way:
            return
        self._under_way.add(conversation)
        try:
            anew_left = MAX_ANEW if self._while_answering == "cancel" else 0
            head = await self._log.head(conversation)
            if head is not None and not head.owes_answer and head.owes_summary:
                await self._sum_up(head)
                return
            if head is not None and 0 < due_of(head) <= self._clock():
                await self._wake(head)
                head = await self._log.head(conversation)
            while head is not None and head.owes_answer:
                if not await self._answer(head, may_be_overtaken=anew_left > 0):
                    return
                anew_left -= 1
                head = await self._log.head(conversation)
        finally:
            self._under_way.discard(conversation)

    async def _answer(self, head: Head, *, may_be_overtaken: bool) -> bool:
        """One run. True: it was overtaken by what the visitor wrote, and nothing was stored."""
        # The head is the log's own and goes on changing: take what is needed before waiting.
        run = Run(head, self._plan(), self._publish_delta, self._timer)
        run.may_be_overtaken = may_be_overtaken
        return await self._perform(run, head)

    async def _wake(self, head: Head) -> None:
        """One run because a time is up. Whatever the visitor writes meanwhile comes first."""
        run = Run(head, self._plan(), self._publish_delta, self._timer)
        run.wake(head)
        run.may_be_overtaken = True
        await self._perform(run, head)

    async def _perform(self, run: Run, head: Head) -> bool:
        answered = head.answered
        after = max(0, head.last - HISTORY_ENTRIES)
        entries = await self._log.entries(head.conversation, after, HISTORY_ENTRIES)
        run.transcript = read(entries, answered=answered, asked=run.asked)
        try:
            try:
                await self._walk(run)
            except Exception as exc:  # a fault of ours must not leave the visitor without anybody
                _log.error("flow_failed", exc=exc, conversation=run.conversation)
                run.give_up()
            if run.is_overtaken:
                _log.info("answer_overtaken", conversation=run.conversation)
                return True
            if await self._settle(run):
                run.draft = None
            return False
        finally:
            # Nothing was stored, or we were cancelled: what is on the screen has no entry to come.
            if run.draft is not None:
                run.draft.take_back()

    async def _sum_up(self, head: Head) -> None:
        """The visitor called a person by a button, past the flow: that person wants to know why."""
        after = max(0, head.last - HISTORY_ENTRIES)
        conversation, session, last = head.conversation, head.session, head.last
        entries = await self._log.entries(conversation, after, HISTORY_ENTRIES)
        said = read(entries, answered=last, asked=last).turns
        text = summarise(said, Why.ASKED, angry=False)
        await self._submit(Summary(conversation, session, text))

    async def _walk(self, run: Run) -> None:
        """Take the flow to its rest, effect by effect."""
        event: Event | None = await self._first_event(run)
        while event is not None:
            if isinstance(event, Classified):
                run.angry = event.angry
            run.state, effects = step(run.plan, run.state, event)
            event = None
            for effect in effects:
                told = await self._carry_out(run, effect)
                if isinstance(told, Taken):
                    if not run.is_overtaken:
                        run.stop()
                    return
                event = told or event

    async def _first_event(self, run: Run) -> Event:
        """What the turn begins with; and the plan that it is walked on."""
        state, transcript = run.state, run.transcript
        waits = bool(state.node)
        if waits or run.woken:
            run.plan = await self._edition(run)
        if run.woken:
            return Elapsed(about=await self._about(run, run.plan.needs))
        said = VisitorSaid(
            text=transcript.text,
            locale=await self._locale_of(run),
            files=transcript.files,
            visitor=run.visitor,
        )
        if waits or self._flows is None:
            return structs.replace(said, about=await self._about(run, run.plan.needs))
        said = structs.replace(said, about=await self._about(run, self._flows.needs))
        run.plan = self._flows.choose(said)
        return said

    async def _edition(self, run: Run) -> Plan:
        """The version that the conversation waits in. If it cannot be had any more, it moves to the
        one that is published: a node of the same name that waits there too is resumed, and without
        one the message begins anew."""
        edition = run.state.edition
        if self._flows is None or edition in ("", run.plan.edition):
            return run.plan
        try:
            async with asyncio.timeout(self._limits.sense_s):
                found = await self._flows.edition(edition)
        except Exception as exc:
            _log.error("edition_not_read", exc=exc, conversation=run.conversation, edition=edition)
            found = None
        return found or run.plan

    async def _about(self, run: Run, needs: Needs) -> About:
        is_first = not run.transcript.turns
        if self._hands is None:
            return About(now_ms=self._clock(), is_first=is_first)
        return await self._hands.about(run.visitor, needs, is_first=is_first)

    async def _carry_out(self, run: Run, effect: Effect) -> Event | Taken | None:
        match effect:
            case Say():
                run.say(effect)
            case Handoff():
                run.hand_over(effect, await self._judges.wanted(effect.team))
            case Passed():
                run.note(effect)
            case AskBot():
                return await self._ask(run, effect)
            case Moderate() | Classify() | Search() | ChooseTeam():
                return await self._sense(run, effect)
            case Fetch() | Remember():
                return await self._have_done(run, effect)
            case Rate():
                run.rate(effect)
            case Wait():
                run.wait(effect, self._clock())
        return None

    async def _have_done(self, run: Run, request: Fetch | Remember) -> Event:
        if self._hands is None:
            return ServiceFailed(reason="There are no hands for that here.")
        if isinstance(request, Fetch):
            return await self._hands.fetch(request)
        return await self._hands.remember(run.visitor, run.conversation, request)

    async def _sense(self, run: Run, request: Moderate | Classify | Search | ChooseTeam) -> Event:
        within_s = self._limits.sense_s
        if isinstance(request, Moderate | Search) and request.within_s:
            within_s = request.within_s
        if isinstance(request, Classify | ChooseTeam) and request.judge:
            within_s += self._limits.judge_s
        try:
            async with asyncio.timeout(within_s):
                match request:
                    case Moderate():
                        return await self._senses.moderate(request.text)
                    case Classify():
                        return await self._classify(run, request)
                    case Search():
                        return await self._senses.search(request.text, request.limit)
                    case ChooseTeam():
                        return await self._judges.team(_query(run, request.text), request)
        except TimeoutError:
            return TimedOut()
        except Exception as exc:
            _log.error("sense_failed", exc=exc, sense=type(request).__name__)
            return ServiceFailed(reason=f"{type(request).__name__} failed.")

    async def _classify(self, run: Run, request: Classify) -> Classified:
        whole = await self._senses.classify(request.text)
        if request.judge:
            whole = await self._judges.intent(_query(run, request.text), request, whole)
        parts = clauses(request.text) if request.by_clause else ()
        if len(parts) < 2:
            return whole
        guesses = []
        for part in parts:
            heard = await self._senses.classify(part)
            guesses.append(Guess(text=part, intent=heard.intent, confidence=heard.confidence))
        return structs.replace(whole, clauses=tuple(guesses))

    async def _ask(self, run: Run, ask: AskBot) -> Event | Taken:
        try:
            bot = self._bot(ask.bot)
        except BotMisconfigured as exc:
            return BotFailed(reason=str(exc), bot=ask.bot)
        sent = run.transcript.unseen
        sees = bool(sent) and bot.capabilities.reads_files
        async with self._attachments.lent(sent, with_contents=sees) as files:
            return await self._hear(run, ask, bot, files)

    async def _hear(
        self, run: Run, ask: AskBot, bot: BotService, files: tuple[Attachment, ...]
    ) -> Event | Taken:
        query = Query(
            conversation=run.conversation,
            text=ask.text,
            locale=ask.locale,
            visitor=run.visitor,
            history=run.transcript.turns[-HISTORY_TURNS:],
            variables={
                name: value for name, value in run.state.variables.items() if isinstance(value, str)
            },
            remote=run.state.dialogues.get(bot.name, ""),
            files=files,
            idle_s=ask.idle_s,
            total_s=ask.deadline_s,
        )
        listener = Listener(ask, run.open_draft(), lambda: self._is_ours(run), self._timer)
        heard = await listener.hear(bot, query)
        if isinstance(heard, Answered):
            run.name(heard.bot, listener.message, listener.instead_of)
            if heard.dialogue:
                run.remember(bot.name, heard.dialogue)
            if heard.wishes:
                wishes = await self._judges.placed(heard.wishes)
                return structs.replace(heard, wishes=wishes)
        if isinstance(heard, BotFailed | TimedOut):
            reason = heard.reason if isinstance(heard, BotFailed) else "timeout"
            _log.warning(
                "bot_failed", conversation=run.conversation, bot=bot.name, pii={"reason": reason}
            )
        return heard

    def _find(self, bot: str, /) -> BotService:
        return self._bot(bot)

    async def _is_ours(self, run: Run) -> bool:
        head = await self._log.head(run.conversation)
        if head is None or head.status != Status.BOT or head.session != run.session:
            return False
        run.is_overtaken = run.may_be_overtaken and head.asked > run.asked
        return not run.is_overtaken

    async def _locale_of(self, run: Run) -> str:
        async def known() -> str:
            try:
                async with asyncio.timeout(self._limits.locale_s):
                    return await self._locale(run.visitor)
            except Exception as exc:  # the language is a nicety; the answer is not
                _log.warning("locale_unknown", error=type(exc).__name__)
                return ""

        return await locale_of(run.transcript.text, known)

    async def _settle(self, run: Run) -> bool:
        """Put the outcome into the log. True if what was shown has become an entry.

        If the log stays unavailable the conversation keeps owing its answer, and the sweeper comes
        back to it.
        """
        outcome = run.outcome()
        limits = self._limits
        if run.state.due_ms and self._timers is not None:
            # First: a time for what was never stored does no harm, the other way round it would.
            await self._timers.set(run.conversation, run.state.due_ms)
        for attempt in range(limits.tries):
            wait_s = limits.backoff_s * 2**attempt
            try:
                async with asyncio.timeout(limits.submit_s):
                    decision = await self._submit(outcome)
            except Busy as busy:
                wait_s = max(wait_s, busy.retry_after_ms / 1000)
            except (StorageError, TimeoutError):
                pass
            else:
                return any(entry.type == EntryType.ANSWER for entry in decision.entries)
            if attempt + 1 < limits.tries:
                await asyncio.sleep(min(wait_s, limits.max_backoff_s))
        _log.error("answer_not_stored", conversation=run.conversation, tries=limits.tries)
        return False


def _query(run: Run, text: str) -> Query:
    """For a judge, which knows nothing of what was said before."""
    return Query(conversation=run.conversation, text=text, visitor=run.visitor)
