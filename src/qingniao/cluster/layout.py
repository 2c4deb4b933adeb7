"""Which processes a cluster has, where they listen and what they are told.

Owns names, ports and settings; refuses to start anything. Rule: settings that the operator gave in
the environment hold for every process, except those that make it this cluster's.
"""

import os
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from qingniao.cluster.child import Program, answers
from qingniao.servers import haproxy
from qingniao.servers.ports import free_port

__all__ = ["Layout", "Size"]

_NOTICE_MS: Final = 1_500
"""HAProxy looks twice a second and believes the second look."""
_FILES_KEPT: Final = 500
_LISTEN_ALSO: Final = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}  # noqa: S104


class Size(Struct, frozen=True, kw_only=True):
    """How many of each."""

    gateways: int = 3
    apis: int = 2
    ai: int = 1
    assignment: int = 1
    analytics: int = 1
    delivery: int = 1
    is_together: bool = False
    """One process for the workers that need little: 50 MB each are saved, and all of them are away
    when it is. Then `assignment`, `analytics` and `delivery` say nothing."""
    redis: Literal["standalone", "cluster"] = "standalone"

    def workers(self) -> list[tuple[str, str, int]]:
        """(name, role, how many)."""
        small = [
            ("assignment", "worker:assignment", self.assignment),
            ("analytics", "worker:analytics", self.analytics),
            ("delivery", "worker:delivery", self.delivery),
        ]
        if self.is_together:
            small = [("workers", ",".join(role for _, role, _ in small), 1)]
        return [("ai", "worker:ai", self.ai), *small]


class Layout:
    """Makes the programs of one cluster. `hears` gets what they print, and says what is secret."""

    def __init__(
        self, folder: Path, host: str, port: int, config: Path | None, hears: Callable[[str], bool]
    ) -> None:
        self.folder = folder
        self.host = host
        self.port = port or free_port(host)
        self._config = config
        self._hears = hears
        self._shared: dict[str, str] = {}

    @property
    def url(self) -> str:
        """Where people come in."""
        host = self._reached
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def _reached(self) -> str:
        """An address of this machine at which HAProxy takes connections."""
        return _LISTEN_ALSO.get(self.host, self.host)

    def share(self, database_url: str, bus_url: str) -> None:
        """From now on programs get these."""
        self._shared = {
            "QINGNIAO_DATABASE_URL": database_url,
            "QINGNIAO_BUS_URL": bus_url,
            "QINGNIAO_BLOBS_URL": "postgresql",
        }

    def program(self, name: str, kind: str) -> Program:
        """`qingniao serve --role kind` on a free port."""
        port = free_port()
        command = [sys.executable, "-m", "qingniao", "serve", "--role", kind]
        if self._config is not None:
            command += ["--config", str(self._config)]
        return Program(
            name, kind, command, port=port, log=self.log(name), hears=self._hears,
            environ=os.environ | self._settings(name, port),
        )  # fmt: skip

    def haproxy(self, gateways: list[Program], apis: list[Program]) -> Program:
        """HAProxy in front of these; its configuration is written."""
        file = self.folder / "haproxy.cfg"
        file.write_text(
            haproxy.render(
                haproxy.Plan(
                    bind=f"{self.host}:{self.port}",
                    gateways=[haproxy.Upstream(p.name, f"127.0.0.1:{p.port}") for p in gateways],
                    apis=[haproxy.Upstream(p.name, f"127.0.0.1:{p.port}") for p in apis],
                    maxconn=_connections(),
                )
            )
        )

        async def ready() -> bool:
            return await answers(self.port, self._reached)

        return Program(
            "haproxy", "haproxy", haproxy.command(file), port=self.port, log=self.log("haproxy"),
            ready=ready,
        )  # fmt: skip

    def log(self, name: str) -> Path:
        """Where a process writes what it says."""
        return self.folder / "logs" / f"{name}.log"

    def _settings(self, name: str, port: int) -> Mapping[str, str]:
        return self._shared | {
            "QINGNIAO_DATA": str(self.folder / "processes" / name),
            "QINGNIAO_HOST": "127.0.0.1",
            "QINGNIAO_PORT": str(port),
            "QINGNIAO_API_TRUSTED_PROXIES": "127.0.0.1",
            "QINGNIAO_GATEWAY_NOTICE_MS": str(_NOTICE_MS),
        }


def _connections() -> int:
    """What HAProxy may hold: two files for each."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return max(100, min(50_000, (allowed - _FILES_KEPT) // 2))
