"""What the HTTP interface asks of the house. Rule: all of it arrives here; no resource reaches out.

`runtime` fills one `Services` and hands it to `create_app`; tests fill another.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from qingniao.auth import Passwords, SessionPolicy, Signer
from qingniao.auth.sealing import Sealer
from qingniao.bots.base import BotService
from qingniao.bus.base import RateLimits, SignInLimits
from qingniao.chat.head import Head
from qingniao.clock import Clock
from qingniao.flow.plan import Plan
from qingniao.flow.trial import Tried, Trying
from qingniao.storage.blobs import Blobs
from qingniao.storage.bot_records import BotRecords
from qingniao.storage.bots import Bots
from qingniao.storage.conversations import ConversationIndex
from qingniao.storage.files import Files
from qingniao.storage.flow_secrets import FlowSecrets
from qingniao.storage.flows import Flows
from qingniao.storage.ids import IdRange
from qingniao.storage.knowledge import KnowledgeEntries
from qingniao.storage.rollups import Rollups
from qingniao.storage.rows import BotRow, User
from qingniao.storage.site import SiteSettings
from qingniao.storage.teams import Teams
from qingniao.storage.users import Sessions, Users
from qingniao.storage.visitors import Visitors

__all__ = ["Presence", "Services", "Trust"]


class Presence(Protocol):
    """Who is connected."""

    async def online(self, whos: Iterable[str]) -> set[str]:
        """Which of these `"v:<id>"` (visitors) and `"a:<id>"` (agents) are connected?"""
        ...


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Which neighbours may say who is calling. `proxies` are addresses, empty for none."""

    proxies: frozenset[str] = frozenset()
    secure: bool = False
    """Cookies travel over TLS only, whatever the request looks like from here."""


def _nothing_ended(_user: int, _sessions: Sequence[str]) -> None:
    pass


async def _nobody_changed(_user: User) -> None:
    pass


def _all_well() -> Sequence[str]:
    return ()


def _nothing_learnt() -> None:
    pass


def _nobody() -> BotService | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything behind the HTTP interface."""

    users: Users
    sessions: Sessions
    teams: Teams
    visitors: Visitors
    index: ConversationIndex
    files: Files
    knowledge: KnowledgeEntries
    site: SiteSettings
    bots: Bots
    sealer: Sealer
    build_bot: Callable[[BotRow, Mapping[str, str]], BotService]
    """A bot of these settings and keys, without policy. Raises `BotMisconfigured`."""
    bot_records: BotRecords
    flows: Flows
    flow_secrets: FlowSecrets
    rollups: Rollups
    try_flow: Callable[[Plan, Trying], Awaitable[Tried]]
    """One turn of a flow, as a visitor would have it, without a trace. Raises `TimeoutError`."""
    default_bot: str = ""
    """Which bot answers where a flow names none and nobody chose one; empty: that of the house."""
    local_bot: Callable[[], BotService | None] = _nobody
    """The bot of the house, if it lives in this process."""
    blobs: Blobs
    conversation_numbers: IdRange
    passwords: Passwords
    signer: Signer
    clock: Clock
    presence: Presence

    heads: Callable[[Iterable[int]], Awaitable[Mapping[int, Head]]]
    """Where conversations stand now; unknown ones are left out."""
    rename: Callable[[int, str], Awaitable[None]]
    """Tell everybody who follows the conversation the visitor's name."""
    ready: Callable[[], str]
    """`"ok"`, or a word for what is in the way: `"starting"`, `"draining"`, `"storage"`."""
    degraded: Callable[[], Sequence[str]] = _all_well
    """What is away and done without, slower: `"bus"`. The house is open all the same."""
    metrics: Callable[[], bytes]
    """Prometheus text. Called in a thread."""

    sign_in_limit: SignInLimits
    visitor_limit: RateLimits
    """Tokens for visitors, per origin."""
    upload_limit: RateLimits
    """Uploads, per person."""

    version: str
    web_root: Path
    file_bytes: int = 20_971_520
    policy: SessionPolicy = field(default_factory=SessionPolicy)
    trust: Trust = field(default_factory=Trust)

    on_signed_out: Callable[[int, Sequence[str]], None] = _nothing_ended
    """These sessions of a user have ended: their connections close."""
    on_user_changed: Callable[[User], Awaitable[None]] = _nobody_changed
    """A name, or whether somebody accepts conversations, has changed."""
    on_bots_changed: Callable[[], None] = _nothing_learnt
    """A bot was published or got another key."""
    on_flows_changed: Callable[[], None] = _nothing_learnt
    """A flow was published, taken back or removed."""
    on_knowledge_changed: Callable[[], None] = _nothing_learnt
    """Entries were imported: the index is to be built again."""
