"""Teams: people to whom conversations of one sort go first, and who belongs to them.

Rule: a team's number is never given to another one. What refers to a team that is gone (a flow, a
conversation that waits) means everybody from then on.
"""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.errors import StorageError
from qingniao.storage.database import Database, lock
from qingniao.storage.errors import Taken
from qingniao.storage.ids import Ids
from qingniao.storage.models import team_members, teams, users
from qingniao.storage.rows import Team

__all__ = ["MAX_TEAMS", "Teams", "TooManyTeams", "UnknownMember", "folded_name"]

MAX_TEAMS: Final = 100
"""More than anybody, or a bot, can choose from."""


class TooManyTeams(StorageError):
    """There are as many teams as there can be: delete one first."""

    code = "too_many_teams"
    temporary = False


class UnknownMember(StorageError):
    """There is no such account."""

    code = "unknown_member"
    temporary = False


def folded_name(name: str) -> str:
    """The form in which names are compared: without case and without surrounding space."""
    return name.strip().casefold()


class Teams:
    """Every team."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ids = Ids(database)

    async def all(self) -> list[Team]:
        """Every team with its members, in the order in which they were made."""
        columns = teams.c
        query = select(columns.id, columns.name, columns.description).order_by(columns.id)
        belongs = select(team_members.c.team, team_members.c.user).order_by(team_members.c.user)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
            members: dict[int, list[int]] = {}
            for team, user in await connection.execute(belongs):
                members.setdefault(team, []).append(user)
        return [
            Team(id=id, name=name, description=description, members=tuple(members.get(id, ())))
            for id, name, description in rows
        ]

    async def add(
        self, *, name: str, description: str, members: Collection[int], now_ms: int
    ) -> Team:
        """A new team. Raises `Taken` if there is one of that name (without case),
        `TooManyTeams`, or `UnknownMember`."""
        number = await self._ids.reserve("team", 1)
        made: dict[str, Any] = {"id": number, "name": name.strip(), "description": description}
        async with self._database.write() as connection:
            await lock(connection, "teams")
            count = await connection.scalar(select(func.count()).select_from(teams))
            if int(count or 0) >= MAX_TEAMS:
                raise TooManyTeams
            folded = await _free_name(connection, name, number)
            await connection.execute(insert(teams), made | {"folded": folded, "created": now_ms})
            return Team(**made, members=await _put_members(connection, number, members))

    async def change(
        self,
        team: int,
        *,
        name: str | None = None,
        description: str | None = None,
        members: Collection[int] | None = None,
    ) -> Team | None:
        """Change what is given; `members` replaces all of them. `None` if there is no such team.
        Raises `Taken` or `UnknownMember`."""
        async with self._database.write() as connection:
            await lock(connection, "teams")
            values: dict[str, Any] = {}
            if name is not None:
                folded = await _free_name(connection, name, team)
                values |= {"name": name.strip(), "folded": folded}
            if description is not None:
                values["description"] = description
            if values:
                await connection.execute(update(teams).where(teams.c.id == team).values(values))
            query = select(teams.c.name, teams.c.description).where(teams.c.id == team)
            row = (await connection.execute(query)).first()
            if row is None:
                return None
            if members is None:
                belong = await _members(connection, team)
            else:
                belong = await _put_members(connection, team, members)
        return Team(id=team, name=row[0], description=row[1], members=belong)

    async def remove(self, team: int) -> bool:
        """Forget it. False if there was none."""
        async with self._database.write() as connection:
            await lock(connection, "teams")
            await connection.execute(delete(team_members).where(team_members.c.team == team))
            return bool(
                (await connection.execute(delete(teams).where(teams.c.id == team))).rowcount
            )


async def _free_name(connection: AsyncConnection, name: str, team: int) -> str:
    """The name in its folded form, if no other team has it."""
    folded = folded_name(name)
    query = select(teams.c.id).where(teams.c.folded == folded, teams.c.id != team)
    if (await connection.execute(query)).first() is not None:
        raise Taken("There is a team of this name.")
    return folded


async def _members(connection: AsyncConnection, team: int) -> tuple[int, ...]:
    query = select(team_members.c.user).where(team_members.c.team == team)
    return tuple(sorted(int(row[0]) for row in await connection.execute(query)))


async def _put_members(
    connection: AsyncConnection, team: int, members: Collection[int]
) -> tuple[int, ...]:
    wanted = sorted(set(members))
    known = {int(row[0]) for row in await connection.execute(select(users.c.id))}
    strangers = [user for user in wanted if user not in known]
    if strangers:
        raise UnknownMember(f"There is no account {strangers[0]}.")
    await connection.execute(delete(team_members).where(team_members.c.team == team))
    if wanted:
        rows = [{"team": team, "user": user} for user in wanted]
        await connection.execute(insert(team_members), rows)
    return tuple(wanted)
