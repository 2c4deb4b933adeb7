"""The gateway role: sockets, and the way from them into the log."""

from typing import Any

from qingniao.gateway.ports import GatewayServices
from qingniao.gateway.server import GatewayServer
from qingniao.runtime.door import Door
from qingniao.runtime.foundation import Foundation
from qingniao.runtime.signed_in import SignedIn

__all__ = ["open_gateway", "watch_sessions"]


def open_gateway(base: Foundation, app: Any) -> GatewayServer:
    """The server of the process's port, for WebSockets and for what `app` answers."""
    engines, bus = base.engines, base.engines.bus
    door = Door(engines.signer, base.users, base.sessions, base.visitors, engines.clock)
    services = GatewayServices(
        log=engines.log, pipeline=base.pipeline, fanout=bus.fanout,
        presence=bus.presence, authenticate=door.authenticate, clock=engines.clock,
        config=base.config.gateway, wire=base.config.wire, proxies=base.proxies(),
    )  # fmt: skip
    return GatewayServer(services, app)


def watch_sessions(base: Foundation, server: GatewayServer) -> SignedIn:
    """Who sees to it that those who were signed out elsewhere are gone here."""
    hub = server.hub
    return SignedIn(
        lambda: (one.signed_in for one in hub.connections if one.signed_in),
        base.sessions,
        hub.deliver,
    )
