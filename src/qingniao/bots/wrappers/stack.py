"""All wrappers around one bot, in the one order that makes sense. Owns that order.

From the outside in: breaker, budget, rate, concurrency, retry, deadline, idle, files. A refusal
costs nothing that way, each try has a deadline of its own, and a place is held while waiting to try
again. Rule: policy is data; an administrator's form is a `Policy`.
"""

from collections.abc import Sequence

from msgspec import Struct

from qingniao.bots.base import BotService
from qingniao.bots.wrappers.breaker import CircuitBreaker
from qingniao.bots.wrappers.budget import Budget, Ledger
from qingniao.bots.wrappers.concurrency import Concurrency
from qingniao.bots.wrappers.deadline import Deadline
from qingniao.bots.wrappers.fallback import Fallback
from qingniao.bots.wrappers.files import FilesInWords
from qingniao.bots.wrappers.idle import IdleTimeout
from qingniao.bots.wrappers.rate import RateLimit
from qingniao.bots.wrappers.retry import Retry

__all__ = ["Policy", "chain", "guarded"]


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a bot may be used. Zero switches a limit off."""

    idle_s: float = 60.0
    """The longest silence; the flow's, if that is shorter."""
    total_s: float = 180.0
    """The longest reply, each try for itself; the flow's, if that is shorter."""
    tries: int = 2
    at_once: int = 64
    waiting: int = 256
    """In line for a place; above it the bot is busy (policy: refuse)."""
    wait_s: float = 10.0
    per_minute: float = 0.0
    burst: int = 20
    failures: int = 5
    """So many in a row, and the bot is left alone for `open_s`."""
    open_s: float = 30.0
    day_tokens: int = 0
    day_cost: float = 0.0
    then: tuple[str, ...] = ()
    """Ids of the bots that are asked in turn should this one fail; `local` is that of the
    house."""


def guarded(bot: BotService, policy: Policy, ledger: Ledger) -> BotService:
    """The bot under its policy. Raises `ValueError` for numbers that make no sense."""
    bot = FilesInWords(bot)
    # Also without a bound of their own: whoever asks has one, and the breaker has to hear of it.
    bot = IdleTimeout(bot, idle_s=policy.idle_s)
    bot = Deadline(bot, total_s=policy.total_s)
    if policy.tries > 1:
        bot = Retry(bot, tries=policy.tries)
    if policy.at_once:
        bot = Concurrency(bot, at_once=policy.at_once, waiting=policy.waiting, wait_s=policy.wait_s)
    if policy.per_minute:
        bot = RateLimit(bot, per_minute=policy.per_minute, burst=policy.burst)
    if policy.day_tokens or policy.day_cost:
        bot = Budget(bot, ledger, tokens=policy.day_tokens, cost=policy.day_cost)
    if policy.failures:
        bot = CircuitBreaker(bot, failures=policy.failures, open_s=policy.open_s)
    return bot


def chain(bots: Sequence[BotService], *, on_silence: bool = False) -> BotService:
    """The first, and the others should it fail; each under its own policy already."""
    return bots[0] if len(bots) == 1 else Fallback(bots, on_silence=on_silence)
