"""Visitors and agents of a load, one lean object for each connection.

Owns the protocol's half that a load needs: hello, heartbeats, numbered messages, credit, `busy`.
Refuses to come back: a connection that is lost is counted and stays lost. Rule: nothing here waits;
what cannot be sent now is kept in line up to a bound (policy: refuse, counted as unsent).
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from qingniao.load.meter import Way
from qingniao.load.ticker import now_us
from qingniao.protocol.codec import MSGPACK, BadFields, Malformed
from qingniao.protocol.codes import Code
from qingniao.protocol.frames import (
    Ack,
    Body,
    Busy,
    Bye,
    Entry,
    EntryType,
    Error,
    Follow,
    Ping,
    Pong,
    Send,
    State,
    Typing,
    Unfollow,
    Welcome,
)

if TYPE_CHECKING:
    from qingniao.load.crowd import Crowd

__all__ = ["Agent", "Person", "Slow", "Speaker", "Talker", "Visitor"]

_BINARY: Final = WSMsgType.BINARY
_CLOSED: Final = WSMsgType.CLOSE
_GONE: Final = 1006
"""What RFC 6455 calls an end without a close frame."""
_IN_LINE: Final = 64
"""Messages of one connection that wait for credit; above it the schedule's next are unsent."""
_UNDELIVERED: Final = 1_000
"""Messages of one conversation whose delivery is awaited; the same policy."""

_ANSWERED: Final = (EntryType.ANSWER, EntryType.TEXT, EntryType.STATUS)
"""What the bot says to a question; the last: it gives the conversation to a person."""

_encode: Final = MSGPACK.encode
_decode: Final = MSGPACK.down


class Speaker:
    """What one side says in one conversation, and what became of it."""

    __slots__ = (
        "busy_from",
        "conversation",
        "is_broken",
        "n",
        "said",
        "unacked",
        "undelivered",
        "way",
    )

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


class Person(WSListener):
    """A connection that greets, answers heartbeats and remembers how it ended."""

    __slots__ = (
        "attempts",
        "code",
        "crowd",
        "due_us",
        "hello",
        "is_over",
        "is_welcome",
        "transport",
    )

    def __init__(self, crowd: "Crowd", hello: bytes, due_us: int) -> None:
        self.crowd = crowd
        self.hello = hello
        self.due_us = due_us
        self.transport: WSTransport | None = None
        self.is_welcome = False
        self.is_over = False
        """The connection has ended, or never came about, and no other will follow."""
        self.code = 0
        self.attempts = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        self.crowd.open += 1
        self.code = 0
        transport.send(_BINARY, self.hello)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.transport = None
        self.crowd.open -= 1
        self.crowd.gone(self, self.code or _GONE)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is _BINARY:
            try:
                down = _decode(frame.get_payload_as_bytes())
            except (Malformed, BadFields):
                return self.crowd.count_error("not a frame")
            sort = type(down)
            if sort is Ping:
                self.crowd.tally.heartbeats += 1
                transport.send(_BINARY, _encode(Pong(down.number)))  # type: ignore[union-attr]
            elif sort is Bye:
                self.code = down.code  # type: ignore[union-attr]
            elif sort is Welcome:
                self._welcome(down)  # type: ignore[arg-type]
            elif down is not None:
                self.hear(down)
        elif kind is _CLOSED:
            code = frame.get_close_code() if frame.payload_size else WSCloseCode.OK
            # Codes of ours are none that picows has a name for.
            told = code.value if isinstance(code, WSCloseCode) else code
            self.code = self.code or int(told)
            transport.send_close(code)
            transport.disconnect()

    def _welcome(self, welcome: Welcome) -> None:
        self.is_welcome = True
        self.hello = b""
        self.crowd.tally.connected += 1
        self.crowd.tally.connect.record(now_us() - self.due_us)
        self.welcomed(welcome)

    def welcomed(self, welcome: Welcome) -> None:
        """The server let us in."""

    def hear(self, frame: Any) -> None:
        """Anything that is not about the connection itself."""

    def leave(self) -> None:
        """End the connection; it does not count as dropped."""
        self.is_over = True
        if self.transport is not None:
            self.transport.disconnect(graceful=False)


class Slow(Person):
    """Follows conversations in which things are said, and stops reading."""

    __slots__ = ()

    def stop_reading(self, conversations: list[int]) -> None:
        """From now on the server's words stay where they are."""
        transport = self.transport
        if transport is None:
            return
        for conversation in conversations:
            transport.send(_BINARY, _encode(Follow(conversation)))
        transport.underlying_transport.pause_reading()

    def read_on(self) -> None:
        """Look at what became of the connection meanwhile."""
        if self.transport is not None:
            self.transport.underlying_transport.resume_reading()


class Talker(Person):
    """Somebody who says things: in line, within the credit, again after `busy`."""

    __slots__ = ("_busy", "_in_line", "asked_us", "credit", "inflight")

    def __init__(self, crowd: "Crowd", hello: bytes, due_us: int) -> None:
        super().__init__(crowd, hello, due_us)
        self.credit = self.inflight = 0
        self.asked_us = 0
        """When the first question was due that the bot has not answered."""
        self._in_line: list[tuple[Speaker, int]] = []
        self._busy: list[Speaker] | None = None
        """Who was told `busy`; `None` when nobody was."""

    def welcomed(self, welcome: Welcome) -> None:
        self.credit = welcome.limits.credit

    def say(self, speaker: Speaker, due_us: int) -> None:
        """The schedule wants a message sent."""
        if self.is_over or speaker.is_broken or len(speaker.undelivered) >= _UNDELIVERED:
            speaker.way.unsent += 1
        elif self._busy is None and self.inflight < self.credit and not self._in_line:
            self._say(speaker, due_us)
        elif len(self._in_line) < _IN_LINE:
            self._in_line.append((speaker, due_us))
        else:
            speaker.way.unsent += 1

    def act(self, speaker: Speaker, do: str) -> None:
        """An action; `acted` tells when it is done."""
        self._send(speaker, 0, now_us(), EntryType.ACTION, {"do": do})

    def acted(self, speaker: Speaker) -> None:
        """An action of ours is stored, or was not necessary."""

    def _say(self, speaker: Speaker, due_us: int) -> None:
        speaker.said = number = speaker.said + 1
        if self.crowd.plan.typing and self.transport is not None:
            self.transport.send(_BINARY, _encode(Typing(speaker.conversation, True, "…")))
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
        while line and self._busy is None and self.inflight < self.credit:
            speaker, due_us = line.pop(0)
            if self.is_over or speaker.is_broken:
                speaker.way.unsent += 1
            else:
                self._say(speaker, due_us)

    @property
    def has_in_line(self) -> bool:
        """Is something still to be said?"""
        return bool(self._in_line)

    def give_up(self) -> None:
        """The run is over: what is still in line was not sent."""
        for speaker, _ in self._in_line:
            speaker.way.unsent += 1
        self._in_line.clear()


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
            self.act(self.asks, "handoff")

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
        if self.transport is not None:
            self.transport.send(_BINARY, _encode(Follow(conversation)))
            self.act(visitor.answers, "take")

    def let_go(self, visitor: Visitor) -> None:
        """Its visitor has left: close it, and follow it no longer."""
        conversation = visitor.asks.conversation
        if self.transport is not None and not visitor.answers.is_broken:
            self.act(visitor.answers, "close")
            self.transport.send(_BINARY, _encode(Unfollow(conversation)))

    def acted(self, speaker: Speaker) -> None:
        visitor = self.visitors[speaker.conversation]
        if visitor.is_ready:
            del self.visitors[speaker.conversation]  # closed
        else:
            visitor.made_ready()

    def hear(self, frame: Any) -> None:
        sort = type(frame)
        if sort is State:
            return
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
