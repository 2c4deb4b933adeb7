"""What a process can be: the names that `qingniao serve --role` takes.

Owns the names and which combinations can start; refuses to know what a role is made of (that is
`rooms/`). Rule: with the embedded engines there is one process, which is everything.
"""

from enum import StrEnum
from typing import Final

from qingniao.errors import ConfigError

__all__ = ["ALL", "ServeRole", "read_roles"]


class ServeRole(StrEnum):
    """One part of the system that a process can be."""

    GATEWAY = "gateway"
    API = "api"
    AI = "worker:ai"
    ASSIGNMENT = "worker:assignment"
    ANALYTICS = "worker:analytics"
    DELIVERY = "worker:delivery"


ALL: Final = frozenset(ServeRole)
_ALL_WORD: Final = "all"


def read_roles(text: str) -> frozenset[ServeRole]:
    """`"gateway"`, `"worker:ai,worker:delivery"`, `"all"`. Raises `ConfigError`."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    roles: set[ServeRole] = set()
    for word in words:
        if word == _ALL_WORD:
            return ALL
        try:
            roles.add(ServeRole(word))
        except ValueError:
            known = ", ".join([*ServeRole, _ALL_WORD])
            raise ConfigError(f"There is no role {word}; the roles are {known}.") from None
    if not roles:
        raise ConfigError("--role needs at least one role; leave it out to be everything.")
    return frozenset(roles)
