"""Who comes in over a socket: a token becomes a visitor or an agent, or nobody.

Owns that answer; refuses to say why a token is no good. Rule: a visitor's token is enough, so that
a page opened costs no disk; an agent's ticket counts only while the session behind it does.
"""

from typing import Final

from qingniao.auth import BadToken, Signer, VisitorClaim
from qingniao.clock import Clock
from qingniao.gateway.ports import Who
from qingniao.storage.rows import Arrival
from qingniao.storage.users import Sessions, Users
from qingniao.storage.visitors import Visitors

__all__ = ["Door"]

_ABOUT: Final = ("locale", "page", "title", "referrer", "browser")
_ABOUT_CHARS: Final = 500


class Door:
    """`gateway.ports.Authenticate` over the accounts and sessions."""

    def __init__(
        self, signer: Signer, users: Users, sessions: Sessions, visitors: Visitors, clock: Clock
    ) -> None:
        self._signer = signer
        self._users = users
        self._sessions = sessions
        self._visitors = visitors
        self._clock = clock

    async def authenticate(self, token: str, about: dict[str, str]) -> Who | None:
        """See `Authenticate`."""
        now = self._clock()
        try:
            claim = self._signer.read_visitor(token, now)
            await self._note_arrival(claim, about, now)
            return Who(visitor=claim.visitor, conversation=claim.conversation)
        except BadToken:
            pass
        try:
            ticket = self._signer.read_ticket(token, now)
        except BadToken:
            return None
        session = await self._sessions.get(ticket.session)
        user = await self._users.get(ticket.user) if session is not None else None
        if session is None or user is None or user.disabled or session.expires <= now:
            return None
        return Who(agent=user.id, name=user.name, session=session.id)

    async def _note_arrival(self, claim: VisitorClaim, about: dict[str, str], now_ms: int) -> None:
        """What page a visitor is on, until they are worth a row."""
        if about:
            told = {name: about.get(name, "")[:_ABOUT_CHARS] for name in _ABOUT}
            await self._visitors.arrived(
                Arrival(visitor=claim.visitor, conversation=claim.conversation, at=now_ms, **told)
            )
