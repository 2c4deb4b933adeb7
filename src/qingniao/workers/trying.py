"""A flow tried out: the worker that answers visitors, with a conversation that exists nowhere.

Owns what an administrator is shown of it: each node with what it was asked, what came back and how
long it took. Rule: the real thing runs, and nothing of it stays: no entry, no timer, nothing on a
visitor's record; another machine is only asked what changes nothing there, unless that is wanted.
"""

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import structs

from qingniao.chat.head import Head, fold
from qingniao.chat.intake import Decision, Intent, Message, decide
from qingniao.chat.lifecycle import Status
from qingniao.flow.effects import Effect, Fetch, Handoff, Passed, Rate, Remember, Say, Wait
from qingniao.flow.events import About, Event, Fetched, Remembered, ServiceFailed, TimedOut
from qingniao.flow.plan import Needs, Plan
from qingniao.flow.trial import Asked, Step, Tried, Trying
from qingniao.protocol.frames import Entry, EntryType
from qingniao.workers.ai import AIWorker
from qingniao.workers.attachments import Attachments
from qingniao.workers.bot_reply import Taken
from qingniao.workers.ports import Bots, Outside, Senses, Teams
from qingniao.workers.run import Run

__all__ = ["try_out"]

CONVERSATION: Final = 0
DEVICE: Final = "try"


async def try_out(
    plan: Plan,
    trying: Trying,
    *,
    senses: Senses,
    bot: Bots,
    teams: Teams,
    hands: Outside,
    attachments: Attachments,
    clock: Callable[[], int],
) -> Tried:
    """One turn. Never raises for anything a flow or a bot does; bound it in time."""
    desk = _Desk(trying, clock())
    worker = _Worker(
        desk,
        submit=desk.submit,
        publish_delta=lambda *_: None,
        plan=lambda: plan,
        senses=senses,
        bot=bot,
        locale=desk.locale,
        teams=teams,
        hands=_Gloves(hands, trying),
        attachments=attachments,
        # Whatever it waits for is up: there is nobody to wait in front of the screen.
        clock=(lambda: max(clock(), desk.due_ms)) if not trying.text else clock,
    )
    if trying.text:
        desk.commit(
            Message(CONVERSATION, "v", DEVICE, 1, EntryType.TEXT, trying.text, trying.visitor)
        )
    await worker.handle(CONVERSATION)
    head = desk.state
    return Tried(
        state=head.flow,
        steps=worker.steps,
        says=desk.says,
        why=head.why if head.status is Status.WAITING else "",
        waits_for=str(head.flow.get("node", "")),
    )


class _Desk:
    """A log of one conversation in memory, made of the real decisions."""

    def __init__(self, trying: Trying, now_ms: int) -> None:
        self._trying = trying
        self._now_ms = now_ms
        self._entries: list[Entry] = []
        self.state = Head(CONVERSATION, trying.visitor)
        self.due_ms = _number(trying.state.get("due_ms"))
        for spoken in trying.said:
            if spoken.role == "visitor":
                self._add("v", EntryType.TEXT, spoken.text)
            else:
                self._add("b", EntryType.ANSWER, {"text": spoken.text})
        known: dict[str, Any] = {"answers": self.state.last, "state": trying.state, "trace": []}
        self._add("b", EntryType.STEP, known)
        self._before = len(self._entries)

    @property
    def says(self) -> list[dict[str, Any]]:
        """What the visitor was told in this turn."""
        new = self._entries[self._before :]
        return [
            entry.body
            for entry in new
            if entry.type == EntryType.ANSWER and isinstance(entry.body, dict)
        ]

    def commit(self, intent: Intent) -> Decision:
        """Decide and fold, as the log does."""
        decision = decide(self.state, intent, self._now_ms)
        for entry in decision.entries:
            fold(self.state, entry, decision.device, decision.n)
            self._entries.append(entry)
        return decision

    async def submit(self, intent: Intent) -> Decision:
        """The pipeline, without a disk."""
        return self.commit(intent)

    async def head(self, conversation: int) -> Head | None:
        """See `workers.ports.Log`."""
        return self.state

    async def entries(self, conversation: int, after: int, limit: int) -> list[Entry]:
        """See `workers.ports.Log`."""
        return [entry for entry in self._entries if entry.seq > after][:limit]

    async def locale(self, visitor: str) -> str:
        """What the administrator chose."""
        return self._trying.locale

    def _add(self, sender: str, kind: EntryType, body: Any) -> None:
        entry = Entry(CONVERSATION, self.state.last + 1, self._now_ms, sender, kind, body)
        fold(self.state, entry, "", 0)
        self._entries.append(entry)


class _Worker(AIWorker):
    """Writes down what it does, node by node."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.steps: list[Step] = []
        self._asked: list[Asked] = []
        self._since_s = time.perf_counter()

    async def _carry_out(self, run: Run, effect: Effect) -> Event | Taken | None:
        started_s = time.perf_counter()
        told = await super()._carry_out(run, effect)
        now_s = time.perf_counter()
        match effect:
            case Passed():
                self.steps.append(
                    Step(
                        node=effect.node,
                        kind=effect.kind,
                        port=effect.port,
                        note=dict(effect.note),
                        ms=round((now_s - self._since_s) * 1000, 2),
                        asked=self._asked,
                    )
                )
                self._asked, self._since_s = [], now_s
            case Say() if self.steps:
                self.steps[-1].says = [*self.steps[-1].says, msgspec.to_builtins(effect)]
            case Rate() if self.steps:
                self.steps[-1].rated = effect.score
            case Wait() if self.steps:
                self.steps[-1].waits_s = effect.for_s
            case Say() | Rate() | Wait() | Handoff():
                pass
            case _:
                took_ms = round((now_s - started_s) * 1000, 2)
                answer = (
                    {} if told is None or isinstance(told, Taken) else msgspec.to_builtins(told)
                )
                asked = msgspec.to_builtins(effect)
                self._asked.append(Asked(request=asked, answer=answer, took_ms=took_ms))
        return told


class _Gloves:
    """Hands that leave no trace."""

    def __init__(self, hands: Outside, trying: Trying) -> None:
        self._hands = hands
        self._trying = trying

    async def about(self, visitor: str, needs: Needs, *, is_first: bool) -> About:
        """What the administrator wants to be known; the rest is what it is."""
        known = await self._hands.about("", Needs(agents=needs.agents), is_first=is_first)
        about = self._trying.about
        wanted = about.agents_online
        return structs.replace(
            known,
            attributes={"id": visitor, **about.attributes},
            tags=about.tags,
            now_ms=about.now_ms or known.now_ms,
            agents_online=known.agents_online if wanted is None else wanted,
        )

    async def fetch(self, fetch: Fetch) -> Fetched | ServiceFailed | TimedOut:
        """Ask only for what changes nothing, unless that is wanted."""
        if fetch.method == "GET" or self._trying.sends:
            return await self._hands.fetch(fetch)
        return Fetched(status=200)

    async def remember(
        self, visitor: str, conversation: int, remember: Remember
    ) -> Remembered | ServiceFailed | TimedOut:
        """Nobody's record is changed."""
        return Remembered()


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
