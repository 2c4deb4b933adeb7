"""Visitors and agents of a load: who has which conversation, and who says what to whom.

Rule: both sides of a conversation are in one process, so that each message is matched with its
arrival, exactly and without telling anybody.
"""

from typing import TYPE_CHECKING, Any, Final

from qingniao.load.talker import Speaker, Talker
from qingniao.load.ticker import now_us
from qingniao.protocol.frames import Ack, Busy, Entry, EntryType, Error, Follow, Unfollow, Welcome

if TYPE_CHECKING:
    from qingniao.load.crowd import Crowd

__all__ = ["Agent", "Visitor"]

_ANSWERED: Final = (EntryType.ANSWER, EntryType.TEXT, EntryType.STATUS)
"""What the bot says to a question; the last: it gives the conversation to a person."""


class Visitor(Talker):
    """Has one conversation, and perhaps an agent who has it too."""

    __slots__ = ("_granted", "agent", "answers", "asks", "is_ready", "to_say")

    def __init__(
        self, crowd: "Crowd", hello: bytes, due_us: int, conversation: int, agent: "Agent | None"
    ) -> None:
        super().__init__(crowd, hello, due_us)
        self.agent = agent
        self.asks = Speaker(conversation, crowd.tally.asks)
        self.answers = Speaker(conversation, crowd.tally.answers)
        self.is_ready = False
        self._granted = 0
        self.to_say = 0
        """Messages after which this visitor leaves; 0: stays."""

    def welcomed(self, welcome: Welcome) -> None:
        # Nothing is said before whoever is to have the conversation has it.
        self._granted = welcome.limits.credit
        if self.agent is None:
            self.made_ready()
        else:
            self._act(self.asks, "handoff")

    def acted(self, speaker: Speaker) -> None:
        if self.agent is not None:
            self.agent.take(self)

    def made_ready(self) -> None:
        """Whoever is to have the conversation has it."""
        self.is_ready = True
        self.credit = self._granted
        self._go_on()

    def hear(self, frame: Any) -> None:
        sort = type(frame)
        if sort is Entry:
            if frame.sender[0] == "a":
                if frame.type == EntryType.TEXT:
                    self.answers.arrived(frame.body)
                    self.leave_if_done()
            elif self.asked_us and frame.type in _ANSWERED:
                if frame.type != EntryType.STATUS:
                    self.crowd.tally.bot.record(now_us() - self.asked_us)
                self.asked_us = 0
                self.leave_if_done()
        elif sort is Ack or sort is Busy:
            self.answered(frame, self.asks)
            self.leave_if_done()
        elif sort is Error:
            self.crowd.count_error(str(frame.code))
            self.answered(frame, self.asks)

    def leave_if_done(self) -> None:
        """Go when everything was said, and arrived where it should."""
        asks, answers = self.asks, self.answers
        if not self.to_say or self.is_over or asks.said < self.to_say or self.asked_us:
            return
        if not (asks.unacked or asks.undelivered or answers.unacked or answers.undelivered):
            self.crowd.finished(self)


class Agent(Talker):
    """Follows and owns the conversations of many visitors, and answers some of what they say."""

    __slots__ = ("visitors",)

    def __init__(self, crowd: "Crowd", hello: bytes, due_us: int) -> None:
        super().__init__(crowd, hello, due_us)
        self.visitors: dict[int, Visitor] = {}

    def welcomed(self, welcome: Welcome) -> None:
        super().welcomed(welcome)
        self.crowd.follows = welcome.limits.follows

    def take(self, visitor: Visitor) -> None:
        """Follow a conversation and take it."""
        conversation = visitor.asks.conversation
        self.visitors[conversation] = visitor
        self.send(Follow(conversation))
        self.act(visitor.answers, "take")

    def let_go(self, visitor: Visitor) -> None:
        """Its visitor has left: close it, and follow it no longer."""
        conversation = visitor.asks.conversation
        if not visitor.answers.is_broken:
            self.act(visitor.answers, "close")
        self.send(Unfollow(conversation))

    def acted(self, speaker: Speaker) -> None:
        visitor = self.visitors[speaker.conversation]
        if visitor.is_ready:
            del self.visitors[speaker.conversation]  # closed
        else:
            visitor.made_ready()

    def hear(self, frame: Any) -> None:
        sort = type(frame)
        visitor = self.visitors.get(getattr(frame, "conversation", 0))
        if sort is Error:
            self.crowd.count_error(str(frame.code))
        if visitor is None:
            return
        if sort is Entry:
            if frame.sender == "v" and frame.type == EntryType.TEXT:
                if visitor.asks.arrived(frame.body) and self.crowd.wants_answer():
                    self.say(visitor.answers, now_us())
                visitor.leave_if_done()
        elif sort is Ack or sort is Busy or sort is Error:
            self.answered(frame, visitor.answers)
            visitor.leave_if_done()
