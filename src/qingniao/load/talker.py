"""Saying things over one connection: in line, within the credit, again after `busy`.

Owns the protocol's half of a sender. Rule: nothing here waits; what cannot be sent now is kept in
line up to a bound (policy: refuse, counted as unsent), and its time goes on counting.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from picows import WSMsgType

from qingniao.load.meter import Way
from qingniao.load.person import Person
from qingniao.load.ticker import now_us
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.codes import Code
from qingniao.protocol.frames import (
    Ack,
    Body,
    Busy,
    EntryType,
    Error,
    Send,
    Typing,
    Welcome,
)

if TYPE_CHECKING:
    from qingniao.load.crowd import Crowd

__all__ = ["Speaker", "Talker"]

_BINARY: Final = WSMsgType.BINARY
_IN_LINE: Final = 64
"""Messages of one connection that wait for credit; above it the schedule's next are unsent."""
_UNDELIVERED: Final = 1_000
"""Messages of one conversation whose delivery is awaited; the same policy."""

_encode: Final = MSGPACK.encode


class Speaker:
    """What one side says in one conversation, and what became of it."""

    __slots__ = (
        "busy_from", "conversation", "is_broken", "n", "said", "unacked", "undelivered", "way",
    )  # fmt: skip

    def __init__(self, conversation: int, way: Way) -> None:
        self.conversation = conversation
        self.way = way
        self.n = 0
        self.said = 0
        self.unacked: list[tuple[int, int, int, bytes]] = []
        """(n, number, due, frame), ascending; `number` 0 is an action, which is not counted."""
        self.undelivered: dict[int, int] = {}
        """Number → when it was due."""
        self.busy_from = 0
        self.is_broken = False
        """Something was refused for good: nothing more is said here."""

    def arrived(self, body: Body) -> bool:
        """The other side has got this. True when it is one of ours."""
        if type(body) is not str:
            return False
        number = body.partition(" ")[0]
        if not number.isdecimal() or int(number) > self.said:
            return False
        due_us = self.undelivered.pop(int(number), None)
        if due_us is None:
            self.way.repeated += 1
            return False
        self.way.delivered += 1
        self.way.delivery.record(now_us() - due_us)
        return True


class Talker(Person):
    """Somebody who says things: in line, within the credit, again after `busy`."""

    __slots__ = ("_busy", "_in_line", "asked_us", "credit", "inflight")

    def __init__(self, crowd: "Crowd", hello: bytes, due_us: int) -> None:
        super().__init__(crowd, hello, due_us)
        self.credit = self.inflight = 0
        self.asked_us = 0
        """When the first question was due that the bot has not answered."""
        self._in_line: list[tuple[Speaker, int, str]] = []
        """(whose words, when they were due, an action instead of words)."""
        self._busy: list[Speaker] | None = None
        """Who was told `busy`; `None` when nobody was."""

    def welcomed(self, welcome: Welcome) -> None:
        self.credit = welcome.limits.credit

    def say(self, speaker: Speaker, due_us: int) -> None:
        """The schedule wants a message sent."""
        if self.is_over or speaker.is_broken or len(speaker.undelivered) >= _UNDELIVERED:
            speaker.way.unsent += 1
        elif self._may_send and not self._in_line:
            self._say(speaker, due_us)
        elif len(self._in_line) < _IN_LINE:
            self._in_line.append((speaker, due_us, ""))
        else:
            speaker.way.unsent += 1

    def act(self, speaker: Speaker, do: str) -> None:
        """An action; `acted` tells when it is done. There are at most a few for each conversation,
        so the line is not bounded for them."""
        if self._may_send and not self._in_line:
            self._act(speaker, do)
        else:
            self._in_line.append((speaker, now_us(), do))

    def acted(self, speaker: Speaker) -> None:
        """An action of ours is stored, or was not necessary."""

    @property
    def _may_send(self) -> bool:
        return self._busy is None and self.inflight < self.credit

    def _act(self, speaker: Speaker, do: str) -> None:
        self._send(speaker, 0, now_us(), EntryType.ACTION, {"do": do})

    def _say(self, speaker: Speaker, due_us: int) -> None:
        speaker.said = number = speaker.said + 1
        if self.crowd.plan.typing:
            self.send(Typing(speaker.conversation, True, "…"))
        speaker.way.sent += 1
        if self.crowd.has_agents:
            speaker.undelivered[number] = due_us
        else:
            self.asked_us = self.asked_us or due_us
        self._send(speaker, number, due_us, EntryType.TEXT, self.crowd.text(number))

    def _send(self, speaker: Speaker, number: int, due_us: int, kind: int, body: Body) -> None:
        speaker.n += 1
        data = _encode(Send(speaker.conversation, speaker.n, kind, body))
        speaker.unacked.append((speaker.n, number, due_us, data))
        self.inflight += 1
        if self.transport is not None:
            self.transport.send(_BINARY, data)

    def answered(self, frame: Ack | Busy | Error, speaker: Speaker) -> None:
        """What the server said to something of ours."""
        if type(frame) is Ack:
            self._acked(speaker, frame.n)
        elif type(frame) is Busy:
            self._told_busy(speaker, frame)
        elif type(frame) is Error:
            self._refused(speaker, frame)

    def _acked(self, speaker: Speaker, n: int) -> None:
        unacked = speaker.unacked
        while unacked and unacked[0][0] <= n:
            _, number, due_us, _ = unacked.pop(0)
            self.inflight -= 1
            if number:
                speaker.way.acked += 1
                speaker.way.ack.record(now_us() - due_us)
            else:
                self.acted(speaker)
        if self._in_line:
            self._go_on()

    def _told_busy(self, speaker: Speaker, busy: Busy) -> None:
        speaker.way.busy += 1
        speaker.busy_from = min(speaker.busy_from or busy.n, busy.n)
        if self._busy is None:
            self._busy = [speaker]
            loop = asyncio.get_running_loop()
            loop.call_later(busy.retry_after_ms / 1000, self._say_again)
        elif speaker not in self._busy:
            self._busy.append(speaker)

    def _say_again(self) -> None:
        again, self._busy = self._busy or [], None
        for speaker in again:
            first, speaker.busy_from = speaker.busy_from, 0
            for n, _, _, data in speaker.unacked:
                if n >= first and self.transport is not None:
                    self.transport.send(_BINARY, data)
        self._go_on()

    def _refused(self, speaker: Speaker, error: Error) -> None:
        unacked = speaker.unacked
        if unacked and not unacked[0][1] and error.code == Code.NOT_NOW:
            # Taken already, by the assignment: the action was not necessary and used no number.
            unacked.pop(0)
            self.inflight -= 1
            speaker.n -= 1
            self.acted(speaker)
            return
        if error.temporary or speaker.is_broken:
            return  # the connection ends, or what follows a refusal is refused as well
        speaker.is_broken = True
        for _, number, _, _ in unacked:
            self.inflight -= 1
            speaker.way.refused += bool(number)
            speaker.undelivered.pop(number, None)
        unacked.clear()
        self._go_on()

    def _go_on(self) -> None:
        line = self._in_line
        while line and self._may_send:
            speaker, due_us, do = line.pop(0)
            if self.is_over or speaker.is_broken:
                speaker.way.unsent += not do
            elif do:
                self._act(speaker, do)
            else:
                self._say(speaker, due_us)

    @property
    def has_in_line(self) -> bool:
        """Is something still to be said?"""
        return bool(self._in_line)

    def give_up(self) -> None:
        """The run is over: what is still in line was not sent."""
        for speaker, _, do in self._in_line:
            speaker.way.unsent += not do
        self._in_line.clear()
