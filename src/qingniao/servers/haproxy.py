"""HAProxy in front of gateways and api processes: its configuration, and one to run.

Owns the one text of the configuration (`deploy/haproxy/haproxy.cfg` is made from it); refuses to
know who starts the processes behind it. Rule: no stickiness; any gateway serves anybody.
"""

import asyncio
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Final

from msgspec import Struct

from qingniao.errors import StartError

__all__ = ["EXAMPLE", "Plan", "Upstream", "check", "command", "find_haproxy", "render"]

_CONFIGURATION: Final = Template("""\
# HAProxy 2.6 or newer in front of Qingniao: WebSockets go to the gateways, the rest to the api.
# No stickiness: every gateway serves every visitor, and a client that comes back anywhere goes on
# where it was. Put your own addresses below `backend`; docs/howto/cluster.md goes through the rest.

global
    # Two for each visitor who is connected (one to each side), and files for checks and logs.
    maxconn $maxconn
    # After a reload, WebSockets stay with the old process for so long at most; a client that is cut
    # then comes back by itself.
    hard-stop-after 10m$global_lines

defaults
    mode http
    log global
    timeout connect 2s
    # The longest silence of a client and of an upload to us. Heads are given 10 s.
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
    timeout http-keep-alive 75s
    timeout queue 5s
    timeout check 2s
    # A WebSocket is silent between two heartbeats (wire.beat_ms, 45 s); far above that.
    timeout tunnel 1h
    # A half-closed WebSocket is of no use to anybody.
    timeout client-fin 10s
    timeout server-fin 10s
    # A process that refuses or has just gone is not the visitor's problem: try another.
    retries 3
    option redispatch 1

frontend qingniao
    bind $bind
    # With TLS:          bind :443 ssl crt /etc/haproxy/certs alpn h2,http/1.1
    # Behind another load balancer that speaks the PROXY protocol: add accept-proxy.

    # One address: so many connections at once, and so many requests in ten seconds. An office
    # shares one. The gateways count what is said on a WebSocket (gateway.address_*). This machine's
    # own addresses are not limited: that is a test, or you.
    acl is_here src $here
    stick-table type ipv6 size 200k expire 2m store conn_cur,http_req_rate(10s)
    tcp-request connection track-sc0 src unless is_here
    tcp-request connection reject if { sc0_conn_cur gt 4000 }
    http-request deny deny_status 429 hdr Retry-After 10 if { sc0_http_req_rate gt 2000 }

    # Who is calling: ours is the only word that is believed behind here (api.trusted_proxies has to
    # name the address of this machine).
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]

    # Figures of one process say nothing about the others; each is scraped at its own port.
    http-request deny deny_status 404 if { path /metrics }

    acl is_websocket path /ws
    acl is_websocket_too hdr(upgrade) -i websocket
    use_backend gateways if is_websocket is_websocket_too { nbsrv(gateways) gt 0 }
    use_backend gateways_ill if is_websocket is_websocket_too
    use_backend api if { nbsrv(api) gt 0 }
    default_backend api_ill

# A process that is told to end says "draining" with status 503 before it refuses anybody
# (gateway.notice_ms): two checks, one second, and it gets nobody new. Who is there is sent away by
# the gateway itself, spread over some seconds.
backend gateways
    balance leastconn
    option httpchk
    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host localhost
    http-check expect status 200
    # Nothing of a handshake was done that could not be done again.
    retry-on conn-failure empty-response 503
    default-server check inter 500ms fastinter 500ms downinter 500ms fall 2 rise 1
$gateways

backend api
    balance roundrobin
    option httpchk
    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host localhost
    http-check expect status 200
    retry-on conn-failure empty-response
    # What changes something is sent again only if it never left here.
    http-request disable-l7-retry unless { method GET HEAD OPTIONS }
    default-server check inter 500ms fastinter 500ms downinter 500ms fall 2 rise 1
$apis

# Nobody is well: the database is away, or everybody starts. They know better than we what to tell
# (busy, "storage"), and take over again by themselves.
backend gateways_ill
    balance roundrobin
    retry-on conn-failure empty-response 503
$gateways

backend api_ill
    balance roundrobin
    retry-on conn-failure
$apis
""")

_TIMEOUT_S: Final = 10.0


class Upstream(Struct, frozen=True):
    """A process behind it, `address` as `host:port`."""

    name: str
    address: str


class Plan(Struct, frozen=True, kw_only=True):
    """What is in front and what behind."""

    bind: str
    gateways: Sequence[Upstream]
    apis: Sequence[Upstream]
    maxconn: int = 100_000
    here: Sequence[str] = ("127.0.0.0/8", "::1")
    """Addresses that are not limited."""
    control: str = ""
    """Where its run-time commands are taken: a path of a socket; empty for nowhere."""


EXAMPLE: Final = Plan(
    bind=":80",
    gateways=[
        Upstream("gateway1", "10.0.0.11:8080"),
        Upstream("gateway2", "10.0.0.12:8080"),
        Upstream("gateway3", "10.0.0.13:8080"),
    ],
    apis=[Upstream("api1", "10.0.0.21:8080"), Upstream("api2", "10.0.0.22:8080")],
    control="/run/haproxy/admin.sock",
)
"""What `deploy/haproxy/haproxy.cfg` shows."""


def render(plan: Plan) -> str:
    """The configuration file."""
    control = f"\n    stats socket {plan.control} mode 600 level admin" if plan.control else ""
    return _CONFIGURATION.substitute(
        bind=plan.bind,
        maxconn=plan.maxconn,
        here=" ".join(plan.here),
        global_lines=control,
        gateways=_servers(plan.gateways),
        apis=_servers(plan.apis),
    )


@cache
def find_haproxy() -> str:
    """Its program. Raises `StartError` when there is none."""
    # Debian has it where only administrators look.
    found = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise StartError("There is no HAProxy here: install the package 'haproxy'.")
    return found


def command(configuration: Path) -> list[str]:
    """How to run it in the foreground; SIGTERM ends it, SIGUSR1 when its connections have ended."""
    return [find_haproxy(), "-db", "-f", str(configuration)]


async def check(configuration: Path) -> None:
    """Let it read the file. Raises `StartError` with what it says."""
    program = await asyncio.to_thread(find_haproxy)
    process = await asyncio.create_subprocess_exec(
        program, "-c", "-f", str(configuration),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise StartError(f"HAProxy does not take its configuration: {said.decode()[-1_000:]}")


def _servers(upstreams: Sequence[Upstream]) -> str:
    return "\n".join(f"    server {one.name} {one.address}" for one in upstreams)
