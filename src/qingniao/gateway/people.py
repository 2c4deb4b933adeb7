"""Who is connected, and with how many devices. Owns the one allowance that each of them has.

Rule: a device is connected once; the earlier connection gives way.
"""

from typing import TYPE_CHECKING

from qingniao.bus.base import Attendance, Whisper
from qingniao.gateway.ports import Who
from qingniao.protocol.allowance import Allowance
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.codes import Close
from qingniao.protocol.frames import Bye, State

if TYPE_CHECKING:
    from qingniao.gateway.connection import Connection
    from qingniao.gateway.hub import Hub

__all__ = ["People"]

_TOO_MANY_MS = 60_000


class _Person:
    """One visitor or agent. `connections` are few: a list is smaller than anything quicker."""

    __slots__ = ("connections", "sends")

    def __init__(self, sends: Allowance) -> None:
        self.connections: list[Connection] = []
        self.sends = sends


class People:
    """Everybody on this node. Bounded by the connections, and each by `connections_each`."""

    def __init__(self, hub: "Hub") -> None:
        self._hub = hub
        self._services = hub.services
        self._people: dict[str, _Person] = {}
        self._left: dict[str, tuple[int, int]] = {}
        """Who → agent and conversation of those whose last connection here has gone. Bounded by
        those who leave while it is asked whether they are elsewhere."""
        self._is_telling = False

    def greet(self, connection: "Connection", who: Who) -> bool:
        """Make its session theirs; False when they have too many: then it was sent away."""
        services, session = self._services, connection.session
        key = _key(who.visitor, who.agent)
        person = self._people.get(key)
        if person is None:
            limits = session.limits
            if who.agent:
                limits = services.wire.limits(agent=True)
            person = self._people[key] = _Person(Allowance(limits.rate, services.clock()))
        earlier = [c for c in person.connections if c.session.device == session.device]
        if not earlier and len(person.connections) >= services.config.connections_each:
            text = "Too many connections of the same person; close some."
            connection.bye(Bye(Close.OVERLOADED, text, _TOO_MANY_MS))
            return False
        if who.agent:
            session.limits = services.wire.limits(agent=True)
            session.become_agent(who.agent, who.name, person.sends)
            connection.signed_in = who.session
        else:
            session.become_visitor(who.visitor, who.conversation, person.sends)
        person.connections.append(connection)
        for replaced in earlier:
            replaced.bye(Bye(Close.REPLACED, "The same device connected again.", 1_000))
        return True

    def here(self, connection: "Connection") -> None:
        """It was welcomed: others may know."""
        connection.is_present = True
        self._tell(connection, came=True)

    def leave(self, connection: "Connection") -> None:
        """The socket is gone."""
        key = _key(connection.session.visitor, connection.session.agent)
        person = self._people.get(key)
        if person is not None and connection in person.connections:
            person.connections.remove(connection)
            if not person.connections:
                del self._people[key]
        if connection.is_present:
            connection.is_present = False
            self._tell(connection, came=False)

    def _tell(self, connection: "Connection", *, came: bool) -> None:
        session = connection.session
        presence = self._services.presence
        who = _key(session.visitor, session.agent)
        if came and presence.enter(who):
            self._publish(session.agent, session.conversation, came=True)
        elif not came and presence.leave(who):
            self._left[who] = session.agent, session.conversation
            if not self._is_telling:
                self._is_telling = True
                self._hub.spawn(self._tell_left())

    async def _tell_left(self) -> None:
        try:
            while self._left:
                left, self._left = self._left, {}
                # The last one here; somewhere else there may be another tab.
                online = await self._services.presence.online(left)
                for who, (agent, conversation) in left.items():
                    if who not in online:
                        self._publish(agent, conversation, came=False)
        finally:
            self._is_telling = False

    def _publish(self, agent: int, conversation: int, *, came: bool) -> None:
        if agent:
            self._services.fanout.publish(Attendance(agent, came))
            return
        frame = MSGPACK.encode(State(conversation, {"online": came}))
        self._services.fanout.publish(
            Whisper(conversation, frame, "agents", droppable=False, lists=True)
        )


def _key(visitor: str, agent: int) -> str:
    return f"a:{agent}" if agent else f"v:{visitor}"
