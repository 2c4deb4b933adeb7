"""What this device says: numbered, sent in order, sent again until the server has it.

Owns the numbers, what is unacked and how much of it is under way; refuses to know a socket. Rule: a
message keeps its number from the first time it is sent, until the server says that the number was
not used.
"""

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import Final

from msgspec import Struct

from qingniao.errors import QingniaoError
from qingniao.protocol.codes import Code
from qingniao.protocol.frames import Ack, Body, Busy, EntryType, Error, Send

__all__ = ["NotTaken", "Outgoing", "Receipt"]

_AFTER_REFUSAL_MS: Final = 50
"""Lets what was sent behind a refused message be refused too before it goes out again."""
_AFTER_TEMPORARY_MS: Final = 1_000


class NotTaken(QingniaoError):
    """The server will never store this message."""

    code = "not_taken"


class Receipt(Struct, frozen=True):
    """The message is stored as entry `seq`; 0 when only a later one's `seq` was told. `repeats`
    counts how often it had to be sent again."""

    conversation: int
    n: int
    seq: int
    repeats: int


class _Pending:
    __slots__ = ("body", "conversation", "done", "is_out", "n", "repeats", "type")

    def __init__(self, conversation: int, n: int, kind: int, body: Body) -> None:
        self.conversation, self.n, self.type, self.body = conversation, n, kind, body
        self.repeats = -1
        self.is_out = False
        self.done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()


class Outgoing:
    """Every conversation's messages on their way to the server's disk. Sends between `resume` and
    `pause`; what is posted at another time waits. Unbounded: whoever posts awaits the receipts."""

    def __init__(self, send: Callable[[Send], None]) -> None:
        self._send = send
        self._is_open = False
        self._ended: QingniaoError | None = None
        self._numbers: dict[int, int] = {}
        self._pending: dict[int, dict[int, _Pending]] = {}
        self._credit = 1
        self._windows: dict[int, int] = {}
        self._blocked: dict[int, asyncio.TimerHandle] = {}

    def post(self, conversation: int, body: Body, kind: int) -> asyncio.Future[Receipt]:
        """Take the conversation's next number. The future fails with `NotTaken`, or with the
        reason given to `end`."""
        n = self._numbers.get(conversation, 0) + 1
        self._numbers[conversation] = n
        pending = _Pending(conversation, n, kind, body)
        if self._ended is not None:
            pending.done.set_exception(self._ended)
            return pending.done
        self._pending.setdefault(conversation, {})[n] = pending
        self._fill(conversation)
        return pending.done

    def pause(self) -> None:
        """There is no connection: keep everything."""
        self._is_open = False

    def resume(self, credit: int) -> None:
        """There is a new connection, which takes `credit` unacked messages of a conversation. What
        is unacked goes out again."""
        self._is_open = True
        self._credit = credit
        self._windows.clear()
        for conversation in list(self._pending):
            self._resend(conversation)

    def end(self, why: QingniaoError) -> None:
        """There will be no other connection: nothing that is unacked will be."""
        self._ended = self._ended or why
        for numbered in self._pending.values():
            for pending in numbered.values():
                if not pending.done.done():
                    pending.done.set_exception(why)
                    pending.done.exception()  # nobody has to be waiting for it
        self._pending.clear()

    def acked(self, ack: Ack) -> bool:
        """Everything up to `n` is stored. True if entry `seq` is the message with that `n`."""
        numbered = self._pending.get(ack.conversation, {})
        # What an action became is an entry of its own, told before the ack.
        is_the_entry = ack.n in numbered and numbered[ack.n].type != EntryType.ACTION
        for number in [k for k in numbered if k <= ack.n]:
            pending = numbered.pop(number)
            if not pending.done.done():
                of_it = ack.seq if number == ack.n else 0
                pending.done.set_result(Receipt(ack.conversation, number, of_it, pending.repeats))
        if ack.conversation in self._windows:
            self._windows[ack.conversation] = min(self._credit, self._windows[ack.conversation] * 2)
        self._fill(ack.conversation)
        return is_the_entry

    def busy(self, busy: Busy) -> None:
        """The server has no room: wait, then begin again with one message."""
        self._windows[busy.conversation] = 1
        self._block(busy.conversation, busy.retry_after_ms)

    def refused(self, error: Error) -> None:
        """One message was not taken: not now, not with this number, or not at all."""
        numbered = self._pending.get(error.conversation, {})
        if not error.n or error.n not in numbered:
            return
        if error.temporary:
            self._block(error.conversation, _AFTER_TEMPORARY_MS)
            return
        if error.code == Code.HOLE:
            first = error.expected
        else:
            first = error.n
            refused = numbered.pop(first)
            if not refused.done.done():
                refused.done.set_exception(NotTaken(error.text))
        # What was sent before it is on its way to the disk and keeps its number.
        behind = min(first, error.n)
        waiting = [pending for pending in numbered.values() if pending.n >= behind]
        # The refused number was not used: what follows moves up.
        self._renumber(error.conversation, waiting, first)
        self._block(error.conversation, _AFTER_REFUSAL_MS)

    def number_after(self, conversation: int, n: int) -> None:
        """The server holds `n` messages of this device: what was never sent comes after them."""
        numbered = self._pending.get(conversation, {})
        unsent = [pending for pending in numbered.values() if pending.repeats < 0]
        first = max([n, *(p.n for p in numbered.values() if p.repeats >= 0)]) + 1
        if not unsent:
            self._numbers[conversation] = max(self._numbers.get(conversation, 0), n)
        elif unsent[0].n < first:
            self._renumber(conversation, unsent, first)

    def _renumber(self, conversation: int, moved: list[_Pending], first: int) -> None:
        numbered = self._pending[conversation]
        for pending in moved:
            numbered.pop(pending.n, None)
        for number, pending in enumerate(moved, first):
            pending.n = number
            numbered[number] = pending
        self._numbers[conversation] = first + len(moved) - 1

    def _fill(self, conversation: int) -> None:
        """Have as much under way as the server takes, the oldest first: after `busy` one message,
        and twice as many with every ack, up to the credit."""
        if not self._is_open or conversation in self._blocked:
            return
        numbered = self._pending.get(conversation, {})
        window = self._windows.get(conversation, self._credit)
        for pending in list(islice(numbered.values(), window)):
            if not pending.is_out:
                pending.is_out = True
                pending.repeats += 1
                self._send(Send(pending.conversation, pending.n, pending.type, pending.body))

    def _block(self, conversation: int, wait_ms: int) -> None:
        if conversation not in self._blocked:
            loop = asyncio.get_running_loop()
            self._blocked[conversation] = loop.call_later(
                wait_ms / 1000, self._resend, conversation
            )

    def _resend(self, conversation: int) -> None:
        timer = self._blocked.pop(conversation, None)
        if timer is not None:
            timer.cancel()
        for pending in self._pending.get(conversation, {}).values():
            pending.is_out = False
        self._fill(conversation)
