"""What the gateway asks of others, and what it is made of. Rule: no engine is named here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from msgspec import Struct

from qingniao.bus.base import Fanout, Presence
from qingniao.chat.ports import MessageLog
from qingniao.clock import Clock
from qingniao.config import GatewayConfig, WireConfig
from qingniao.pipeline.pipeline import Pipeline

__all__ = ["Authenticate", "GatewayServices", "Who"]


class Who(Struct, frozen=True, kw_only=True):
    """Who a token belongs to: a visitor with their conversation, or an agent."""

    visitor: str = ""
    conversation: int = 0
    agent: int = 0
    name: str = ""
    session: str = ""
    """The agent's HTTP session; when it ends, so does the connection."""


Authenticate = Callable[[str, dict[str, str]], Awaitable[Who | None]]
"""The token and the `about` map of `hello` → who, or `None` for a token that is no good. Has its
own deadline when it asks another machine."""


@dataclass(frozen=True, slots=True)
class GatewayServices:
    """Everything a connection works with."""

    log: MessageLog
    pipeline: Pipeline
    fanout: Fanout
    presence: Presence
    authenticate: Authenticate
    clock: Clock
    config: GatewayConfig
    wire: WireConfig
    proxies: frozenset[str] = frozenset()
    """Addresses of proxies whose X-Forwarded-For is believed."""
