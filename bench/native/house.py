"""One server whose people the generator plays: its process, and tokens that its own keys sign.

Owns its start and the agent's ticket; refuses to measure. Rule: it has what everybody gets, but for
what one account speaking for all agents needs.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench.native.generator import lasting_ticket
from msgspec import Struct

from qingniao.auth import KeyRing, Signer
from qingniao.errors import StartError
from qingniao.replay.house import Api, OwnServer

__all__ = ["ANY_RATE", "ONE_AGENT", "PASSWORD", "House", "opened"]

PASSWORD: Final = "bench-bench-7391"
"""The administrator's, once the one-time password is changed."""
ONE_AGENT: Final = {
    "QINGNIAO_LOG_LEVEL": "error",
    # One agent's account has all connections of agents, and speaks faster than a person types.
    "QINGNIAO_WIRE_AGENT_RATE": "1000000",
    "QINGNIAO_GATEWAY_CONNECTIONS_EACH": "1000",
}
"""Settings with any load of the generator."""
ANY_RATE: Final = {"QINGNIAO_WIRE_RATE": "1000000"}
"""Beside them where visitors, too, speak faster than a person types."""


class House(Struct, frozen=True):
    """A server that runs, and who may sign for it."""

    server: OwnServer
    signer: Signer
    ticket: str
    """An agent's, good for an hour."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return self.server.url

    @property
    def port(self) -> int:
        """The same, its port alone."""
        return int(self.server.url.rpartition(":")[2])

    @property
    def pid(self) -> int:
        """Its process now: another one after a restart. Raises `StartError` if there is none."""
        if self.server.process is None:
            raise StartError("The server did not start.")
        return self.server.process.pid


@asynccontextmanager
async def opened(data: Path, settings: Mapping[str, str]) -> AsyncIterator[House]:
    """A new server with its data there. Raises `StartError`."""
    async with OwnServer(dict(settings), data) as server:
        api = Api(server.url)
        await api.sign_in("admin", server.password, PASSWORD)
        signer = Signer(KeyRing.open(data / "keys"))
        yield House(server, signer, lasting_ticket(signer, await api.ticket()))
