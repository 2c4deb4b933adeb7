"""The people who sign in, and where they are signed in.

Rule: logins are compared without case and without surrounding space; a password's hash leaves
through `credentials` only.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.storage.database import Database
from qingniao.storage.errors import Taken
from qingniao.storage.models import sessions, users
from qingniao.storage.rows import Locale, Role, SessionRow, User

__all__ = ["Sessions", "Users", "add_within", "count_within", "folded"]

_USER = [users.c[name] for name in User.__struct_fields__]
_SESSION = [sessions.c[name] for name in SessionRow.__struct_fields__]


def folded(login: str) -> str:
    """The form in which a login is stored and looked up."""
    return login.strip().casefold()


class Users:
    """Every account, also the disabled ones."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, user: int) -> User | None:
        """The account with that number."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(*_USER).where(users.c.id == user))).first()
        return _user(row) if row else None

    async def credentials(self, login: str) -> tuple[User, str] | None:
        """The account that signs in with `login`, and its password's hash."""
        query = select(*_USER, users.c.password).where(users.c.login == folded(login))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return (_user(row[:-1]), str(row[-1])) if row else None

    async def all(self) -> list[User]:
        """Everybody, by number."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(*_USER).order_by(users.c.id))
            return [_user(row) for row in rows]

    async def count(self) -> int:
        """How many accounts there are."""
        async with self._database.read() as connection:
            return await count_within(connection)

    async def add(
        self,
        *,
        login: str,
        name: str,
        role: Role,
        password_hash: str,
        now_ms: int,
        locale: Locale = "zh-CN",
        must_change_password: bool = True,
    ) -> User:
        """A new account that accepts conversations. Raises `Taken` if the login is in use."""
        async with self._database.write() as connection:
            return await add_within(
                connection,
                login=login,
                name=name,
                role=role,
                password_hash=password_hash,
                now_ms=now_ms,
                locale=locale,
                must_change_password=must_change_password,
            )

    async def change(
        self,
        user: int,
        *,
        name: str | None = None,
        locale: Locale | None = None,
        accepting: bool | None = None,
        disabled: bool | None = None,
    ) -> User | None:
        """Change what is given. `None` if there is no such account."""
        given = {"name": name, "locale": locale, "accepting": accepting, "disabled": disabled}
        return await self._update(user, {k: v for k, v in given.items() if v is not None})

    async def set_password(
        self, user: int, password_hash: str, *, must_change: bool
    ) -> User | None:
        """Replace the password. Ending the account's sessions is the caller's decision."""
        return await self._update(
            user, {"password": password_hash, "must_change_password": must_change}
        )

    async def _update(self, user: int, values: dict[str, Any]) -> User | None:
        if not values:
            return await self.get(user)
        statement = update(users).where(users.c.id == user).values(values).returning(*_USER)
        async with self._database.write() as connection:
            row = (await connection.execute(statement)).first()
            return _user(row) if row else None


class Sessions:
    """Who is signed in where. Tokens are known by their hash only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: SessionRow, token_hash: str) -> None:
        """Store a new session; sessions past their end are removed on the way."""
        values = {name: getattr(session, name) for name in SessionRow.__struct_fields__}
        async with self._database.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.expires <= session.created))
            await connection.execute(insert(sessions), values | {"token_hash": token_hash})

    async def find(self, token_hash: str) -> tuple[SessionRow, User] | None:
        """The session of that token and its account, whether or not it has ended."""
        query = (
            select(*_SESSION, *_USER)
            .join(users, users.c.id == sessions.c.user)
            .where(sessions.c.token_hash == token_hash)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        split = len(_SESSION)
        return _session(row[:split]), _user(row[split:])

    async def get(self, session: str) -> SessionRow | None:
        """The session with that id: the gateway asks whether a ticket's session still exists."""
        query = select(*_SESSION).where(sessions.c.id == session)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return _session(row) if row else None

    async def touch(self, session: str, now_ms: int, expires: int) -> None:
        """It was used now and ends at `expires` unless used again."""
        statement = update(sessions).where(sessions.c.id == session)
        async with self._database.write() as connection:
            await connection.execute(statement.values(last_seen=now_ms, expires=expires))

    async def end(self, session: str) -> None:
        """Sign one browser out."""
        async with self._database.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.id == session))

    async def end_all(self, user: int, *, keep: str = "") -> list[str]:
        """Sign an account out everywhere but in `keep`; the ended sessions' ids."""
        statement = (
            delete(sessions)
            .where(sessions.c.user == user, sessions.c.id != keep)
            .returning(sessions.c.id)
        )
        async with self._database.write() as connection:
            return [str(row[0]) for row in await connection.execute(statement)]


async def count_within(connection: AsyncConnection) -> int:
    """How many accounts the caller's transaction sees."""
    return int(await connection.scalar(select(func.count()).select_from(users)) or 0)


async def add_within(
    connection: AsyncConnection,
    *,
    login: str,
    name: str,
    role: Role,
    password_hash: str,
    now_ms: int,
    locale: Locale = "zh-CN",
    must_change_password: bool = True,
) -> User:
    """`Users.add` as a part of the caller's transaction, which must end when it raises."""
    values = {
        "login": folded(login),
        "name": name,
        "role": role,
        "password": password_hash,
        "locale": locale,
        "accepting": True,
        "must_change_password": must_change_password,
        "disabled": False,
        "created": now_ms,
    }
    try:
        result = await connection.execute(insert(users).returning(*_USER), values)
    except IntegrityError as exc:
        raise Taken("This login is taken.") from exc
    return _user(result.one())


def _user(row: Row[Any] | Sequence[Any]) -> User:
    return User(**dict(zip(User.__struct_fields__, row, strict=True)))


def _session(row: Row[Any] | Sequence[Any]) -> SessionRow:
    return SessionRow(**dict(zip(SessionRow.__struct_fields__, row, strict=True)))
