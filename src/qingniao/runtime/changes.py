"""What was changed over HTTP, told to the sockets that show it and the workers that use it.

Owns the telling; refuses to change an account. Rule: the change is on disk before anything here is
called; who misses what is told reads it later.
"""

from collections.abc import Sequence

from qingniao.bus.base import Attendance, Fanout, Presence, Released, SignOut, Whisper, WorkQueue
from qingniao.chat.intake import Rename
from qingniao.chat.ports import MessageLog, Role
from qingniao.pipeline.pipeline import Pipeline
from qingniao.protocol.codec import MSGPACK
from qingniao.protocol.frames import State
from qingniao.storage.rows import User

__all__ = ["Changes"]


class Changes:
    """The calls that `api.services.Services` makes after a change."""

    def __init__(
        self,
        log: MessageLog,
        pipeline: Pipeline,
        fanout: Fanout,
        queue: WorkQueue,
        presence: Presence,
    ) -> None:
        self._log = log
        self._pipeline = pipeline
        self._fanout = fanout
        self._queue = queue
        self._presence = presence

    async def rename(self, conversation: int, name: str) -> None:
        """A visitor is called that from now on: the log has to know as well."""
        await self._pipeline.submit(Rename(conversation, name))
        head = await self._log.head(conversation)
        if head is not None:
            frame = MSGPACK.encode(
                State(conversation, {"visitor": {"id": head.visitor, "name": name}})
            )
            self._fanout.publish(
                Whisper(conversation, frame, "agents", droppable=False, lists=True)
            )
            self._queue.put(Role.INDEX, conversation)

    async def user_changed(self, user: User) -> None:
        """A name, or whether somebody accepts conversations, has changed."""
        is_here = bool(await self._presence.online((f"a:{user.id}",)))
        self._fanout.publish(Attendance(user.id, is_here, user.name))

    def knowledge_changed(self) -> None:
        """Entries were imported: whoever answers has to learn them."""
        self._fanout.publish(Released("knowledge"))

    def bots_changed(self) -> None:
        """A bot was published, taken back, or got another key."""
        self._fanout.publish(Released("bots"))

    def flows_changed(self) -> None:
        """A flow was published, taken back or removed."""
        self._fanout.publish(Released("flow"))

    def signed_out(self, _user: int, sessions: Sequence[str]) -> None:
        """These sessions have ended."""
        for session in sessions:
            self._fanout.publish(SignOut(session))
