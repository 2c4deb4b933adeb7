"""One answer in the making: what the flow said, did and became. Owns the shape of the outcome.

Rule: nothing here waits or fails; whatever was gathered makes one `Outcome`, and a handoff always
carries a summary.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import structs

from qingniao.bots.base import Turn
from qingniao.chat.head import Head
from qingniao.chat.intake import Outcome, Wanted
from qingniao.chat.lifecycle import Event as Moved
from qingniao.flow.effects import Handoff, Passed, Rate, Say, Wait
from qingniao.flow.engine import rescue
from qingniao.flow.plan import Plan
from qingniao.flow.state import FlowState, restore, store
from qingniao.protocol.frames import Body, EntryType
from qingniao.workers.drafts import Draft
from qingniao.workers.handoff_summary import summarise
from qingniao.workers.ports import PublishDelta
from qingniao.workers.transcript import Transcript

__all__ = ["Run"]

REASON_CHARS: Final = 300
"""Of why a bot gave no answer, in the trace."""


class Run:
    """One answer to everything up to the visitor's entry `asked`."""

    def __init__(
        self, head: Head, plan: Plan, publish: PublishDelta, timer: Callable[[], float]
    ) -> None:
        self.conversation = head.conversation
        self.session = head.session
        self.visitor = head.visitor
        self.asked = head.asked
        self.answers = head.asked
        self.woken: dict[str, Any] = {}
        """The flow that a time was up for, as it stood; empty: this is an answer."""
        self.plan = plan
        self.state: FlowState = restore(head.flow)
        self.transcript = Transcript(text="", files=0, turns=())
        self.angry = False
        self.may_be_overtaken = False
        self.is_overtaken = False
        """The visitor wrote on: this run counts for nothing."""
        self.draft: Draft | None = None
        self._publish = publish
        self._timer = timer
        self._mark_s = timer()
        self._says: list[tuple[EntryType, Body]] = []
        self._trace: list[dict[str, Any]] = []
        self._handoff: Handoff | None = None
        self._team: Wanted | None = None
        self._message: dict[str, str] = {}
        self._instead_of: list[str] = []

    def wake(self, head: Head) -> None:
        """It is no answer to anything. What is written in it gets a number of its own."""
        self.asked, self.answers, self.woken = head.last, head.answered, dict(head.flow)

    def open_draft(self) -> Draft:
        """A clean draft; its number is the `seq` of what it answers."""
        if self.draft is None:
            self.draft = Draft(self._publish, self.conversation, self.asked)
        self.draft.take_back()
        return self.draft

    def remember(self, bot: str, dialogue: str) -> None:
        """What the bot's platform calls this dialogue, for the next question."""
        dialogues = {**self.state.dialogues, bot: dialogue}
        self.state = structs.replace(self.state, dialogues=dialogues)

    def name(self, bot: str, message: str, instead_of: tuple[str, ...] = ()) -> None:
        """What its platform calls the answer that `bot` gave, for ratings of it; and why others of
        its chain did not give it."""
        self._message = {"bot": bot, "id": message} if message else {}
        self._instead_of = [said[:REASON_CHARS] for said in instead_of]

    def say(self, say: Say) -> None:
        """Keep an answer for the outcome."""
        body: dict[str, Any] = {"text": say.text}
        if say.cites:
            body["cites"] = [{"id": c.id, "title": c.title, "quote": c.quote} for c in say.cites]
        if say.options:
            body["options"] = list(say.options)
        if say.cards:
            body["cards"] = [msgspec.to_builtins(card) for card in say.cards]
        if say.bot:
            body |= {"bot": say.bot, "took_ms": say.took_ms, "draft": self.asked}
            if say.confidence is not None:
                body["confidence"] = say.confidence
            if say.version:
                body["version"] = say.version
            if say.partial:
                body["partial"] = True
        elif self.draft is not None:
            # The number too: a screen that missed the taking back is cleared by this entry.
            self.draft.take_back()
            body["draft"] = self.asked
        self._says.append((EntryType.ANSWER, body))

    def rate(self, rate: Rate) -> None:
        """The visitor's verdict, which counts like one given by the widget's stars."""
        self._says.append((EntryType.RATING, {"score": rate.score}))

    def wait(self, wait: Wait, now_ms: int) -> None:
        """Be called again after that time."""
        due_ms = now_ms + round(wait.for_s * 1000)
        self.state = structs.replace(self.state, due_ms=max(self.state.due_ms, due_ms))

    def note(self, passed: Passed) -> None:
        """Remember what a node did, and how long it took."""
        now_s = self._timer()
        ms = round((now_s - self._mark_s) * 1000, 2)
        self._mark_s = now_s
        step: dict[str, Any] = {
            "node": passed.node, "kind": passed.kind, "port": passed.port, "ms": ms,
        }  # fmt: skip
        if self._instead_of:
            # The next node that is passed is the one that asked.
            step["instead_of"], self._instead_of = self._instead_of, []
        self._trace.append(step | passed.note)

    def hand_over(self, handoff: Handoff, team: Wanted | None = None) -> None:
        """End with a person, who finds a summary. `team` is what the one that is wanted is called
        now; `None` if there is none, or it is gone."""
        self._handoff = handoff
        self._team = team
        if self._trace and handoff.team:
            self._trace[-1] |= {"team": team.name} if team else {"unknown_team": handoff.team}

    def give_up(self) -> None:
        """The run itself failed: what the flow says then, and nothing else."""
        self._says.clear()
        self._trace.append({"node": self.state.node, "kind": "failure", "port": "", "ms": 0})
        if self.draft is not None:
            self.draft.take_back()
        self.state, effects = rescue(self.plan, self.state)
        for effect in effects:
            if isinstance(effect, Say):
                self.say(effect)
            elif isinstance(effect, Handoff):
                self.hand_over(effect)

    def stop(self) -> None:
        """A person has taken it: nothing is said; the log keeps what was under way."""
        self._says.clear()
        self._handoff = None
        self._trace.append({"node": self.state.node, "kind": "taken", "port": "", "ms": 0})

    def outcome(self) -> Outcome:
        """Everything at once, as the log takes it."""
        says = list(self._says)
        handoff = self._handoff
        if handoff is not None:
            says.append((EntryType.SUMMARY, {"text": self._summary(handoff)}))
        return Outcome(
            conversation=self.conversation,
            session=self.session,
            answers=self.answers,
            says=tuple(says),
            event=Moved.HANDOFF if handoff is not None else None,
            why=handoff.why.value if handoff is not None else "",
            state=store(self.state),
            trace=tuple(self._trace),
            team=self._team if handoff is not None else None,
            message=self._message,
            flow=self.plan.edition,
            woken=self.woken,
        )

    def _summary(self, handoff: Handoff) -> str:
        said = list(self.transcript.turns)
        if self.transcript.text:
            said.append(Turn(role="visitor", text=self.transcript.text))
        return summarise(
            said,
            handoff.why,
            angry=self.angry,
            files=self.transcript.files,
            reason=handoff.reason,
        )
