"""The server's side of one connection, without I/O. Owns what this client may do right now.

Frames and the time go in, verdicts come out; the gateway carries them out. Rule: nothing that a
client sends raises, and nothing is answered that the state does not allow.

    NEW ──hello──▶ GREETED ──welcome()──▶ READY ──close()──▶ CLOSED
"""

from enum import Enum
from typing import Final

from qingniao.protocol.allowance import Allowance
from qingniao.protocol.bodies import FROM_AGENT, FROM_VISITOR, fault_of
from qingniao.protocol.codes import Close, Code
from qingniao.protocol.frames import (
    MAX_INT,
    Busy,
    Bye,
    Error,
    Hello,
    Limits,
    Ping,
    Pong,
    Send,
    UpFrame,
)

__all__ = ["Phase", "Session", "Verdict"]

_DEVICE: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_STRIKES: Final = 200
"""Sends beyond the rate before a client that never listens is closed with FLOODING."""
_ROOM, _RATE, _REFUSED = range(3)
"""Why a conversation stalls: the server has no room, the client is too quick, or refused."""

Verdict = Error | Busy | Bye | None
"""What to answer instead of carrying the frame out; `None`: carry it out. `Bye` also closes."""


class Phase(Enum):
    """Where a connection is in its life."""

    NEW = "new"
    GREETED = "greeted"
    READY = "ready"
    CLOSED = "closed"


class Session:
    """State of one connection: phase, who it is, its rate, and which conversations stall."""

    __slots__ = (
        "_passed",
        "_stalled",
        "_stored",
        "_strikes",
        "agent",
        "conversation",
        "crowd",
        "device",
        "limits",
        "name",
        "origin",
        "phase",
        "sender",
        "sends",
        "visitor",
    )  # fmt: skip

    def __init__(self, limits: Limits, now_ms: int) -> None:
        self.limits = limits
        self.phase = Phase.NEW
        self.sender = ""
        self.device = ""
        self.origin = ""
        """`sender/device`, once both are known: what entries of this connection carry."""
        self.visitor = ""
        self.conversation = 0
        self.agent = 0
        self.name = ""
        self.sends = Allowance(limits.rate, now_ms)
        """What this visitor or agent may send; `become_…` may share it between connections."""
        self.crowd: Allowance | None = None
        """What everybody at the same address may send; `None`: as much as they like."""
        self._stalled: dict[int, tuple[int, int, int]] | None = None
        """Conversation → the first message not taken, why, and the last that was told `busy`."""
        self._passed = (0, 0)
        """The message that was waited for and came last: it may find no room again."""
        self._stored: dict[int, int] | None = None
        """Conversation → the highest `n` that was acked on this connection."""
        self._strikes = 0

    @property
    def is_agent(self) -> bool:
        """Does an agent sit at the other end?"""
        return self.agent != 0

    def become_visitor(
        self, visitor: str, conversation: int, sends: Allowance | None = None
    ) -> None:
        """The token was good: a visitor, with the one conversation that is theirs."""
        self.phase, self.sender, self.sends = Phase.READY, "v", sends or self.sends
        self.visitor, self.conversation = visitor, conversation
        self.origin = f"v/{self.device}"

    def become_agent(self, agent: int, name: str, sends: Allowance | None = None) -> None:
        """The ticket was good: an agent."""
        self.phase, self.sender, self.sends = Phase.READY, f"a{agent}", sends or self.sends
        self.agent, self.name = agent, name
        self.origin = f"a{agent}/{self.device}"

    def close(self) -> None:
        """Nothing more is accepted."""
        self.phase = Phase.CLOSED

    def check(self, frame: UpFrame, now_ms: int) -> Verdict:
        """May this frame be carried out now?"""
        if self.phase is not Phase.READY:
            return self._check_early(frame)
        if isinstance(frame, Send):
            return self._check_send(frame, now_ms)
        if isinstance(frame, Ping | Pong):
            return None
        if isinstance(frame, Hello):
            return Error(0, 0, Code.OUT_OF_ORDER, "hello was said already.", False)
        conversation = frame.conversation
        if not self.may_see(conversation):
            return Error(conversation, 0, Code.NOT_YOURS, "No such conversation.", False)
        return None

    def may_see(self, conversation: int) -> bool:
        """Is this conversation within what the client may see at all?"""
        if self.agent:
            return 0 <= conversation <= MAX_INT
        return conversation == self.conversation

    def stall(self, conversation: int, n: int) -> None:
        """Message `n` was not taken: what follows it is busy until `n` comes again."""
        self._hold(conversation, n, _ROOM)

    def refuse(self, conversation: int, n: int) -> None:
        """Message `n` was refused for good: what follows it is a hole until `n` comes again.

        A client moves what it sent up by one when it hears of the refusal; an answer about the old
        numbers must say nothing about the messages behind them.
        """
        self._hold(conversation, n, _REFUSED)

    def stored(self, conversation: int, n: int) -> None:
        """Everything up to `n` is stored. What was held up for one of these numbers goes on: the
        message came twice, and the client will not send it again. What was told `busy` meanwhile
        must come again before anything behind it."""
        stored = self._stored
        if stored is None:
            stored = self._stored = {}
        stored[conversation] = n
        stalled = self._stalled
        held = stalled.get(conversation) if stalled else None
        if stalled is None or held is None or held[0] > n:
            return
        if held[2] > n:
            stalled[conversation] = (n + 1, _ROOM, held[2])
        else:
            del stalled[conversation]

    def held_from(self, conversation: int) -> int:
        """The message that must come again before any later one; 0: none."""
        held = self._stalled.get(conversation) if self._stalled else None
        return 0 if held is None else held[0]

    def _hold(self, conversation: int, n: int, why: int) -> None:
        if why != _REFUSED and self._stored and n <= self._stored.get(conversation, 0):
            return  # a repeat that was acked: the client will not send it again, so nobody may wait
        stalled = self._stalled
        if stalled is None:
            stalled = self._stalled = {}
        held = stalled.get(conversation)
        if held is None:
            stalled[conversation] = (n, why, 0)
        elif n <= held[0] and (why == _REFUSED or self._passed == (conversation, n)):
            stalled[conversation] = (n, why, held[2])
        # Anything else below the first that was not taken was taken: it came twice.

    def _check_early(self, frame: UpFrame) -> Verdict:
        if self.phase is Phase.NEW and type(frame) is Hello:
            self.phase = Phase.GREETED
            if not 1 <= len(frame.device) <= 32 or not _DEVICE.issuperset(frame.device):
                return Bye(Close.MALFORMED, "device is 1 to 32 characters of A-Z a-z 0-9 _ -.")
            if len(frame.cursors) > self.limits.follows:
                return Bye(Close.MALFORMED, "hello names too many conversations.")
            self.device = frame.device
            return None
        if self.phase is Phase.GREETED:
            # Sent before welcome was seen: refuse kindly, it cost nothing.
            if type(frame) is Send:
                return Busy(frame.conversation, frame.n, 100)
            return Error(0, 0, Code.OUT_OF_ORDER, "Wait for welcome.", False)
        return Bye(Close.NO_HELLO, "The first frame must be hello.")

    def _check_send(self, send: Send, now_ms: int) -> Verdict:
        conversation, n = send.conversation, send.n
        if not self.may_see(conversation) or conversation == 0:
            return Error(conversation, n, Code.NOT_YOURS, "No such conversation.", False)
        if not 1 <= n < 1 << 32:
            return Error(conversation, n, Code.BAD_FRAME, "n counts from 1.", False)
        stalled = self._stalled
        if stalled:
            first, why, last = stalled.get(conversation, (n, _ROOM, 0))
            if n > first:
                stalled[conversation] = (first, why, max(last, n))
                return self._hole(send, first) if why == _REFUSED else self._busy(send, 100, why)
            if n == first and conversation in stalled:
                # What was told `busy` behind it comes next; a later one must not overtake that.
                self._passed = (conversation, n)
                if last > n:
                    stalled[conversation] = (n + 1, _ROOM, last)
                else:
                    del stalled[conversation]
        if send.type not in (FROM_AGENT if self.agent else FROM_VISITOR):
            self.refuse(conversation, n)
            return Error(conversation, n, Code.NOT_ALLOWED, "You may not send this type.", False)
        fault = fault_of(send.type, send.body, self.limits)
        if fault:
            self.refuse(conversation, n)
            return Error(conversation, n, Code.BAD_BODY, fault, False)
        wait_ms = self.sends.take(now_ms)
        if not wait_ms and self.crowd is not None:
            wait_ms = self.crowd.take(now_ms)
        if wait_ms:
            self._hold(conversation, n, _RATE)
            return self._busy(send, wait_ms, _RATE)
        self._strikes = 0
        return None

    def _hole(self, send: Send, first: int) -> Verdict:
        text = f"Message {first} was refused; send another {first} before {send.n}."
        return Error(send.conversation, send.n, Code.HOLE, text, False, first)

    def _busy(self, send: Send, retry_after_ms: int, why: int) -> Verdict:
        self._strikes += why == _RATE
        if self._strikes > _STRIKES:
            return Bye(Close.FLOODING, "Too many messages in spite of busy.", 60_000)
        return Busy(send.conversation, send.n, retry_after_ms)
