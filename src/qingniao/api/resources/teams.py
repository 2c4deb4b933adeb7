"""Teams of agents: making, renaming, deleting, and who belongs to them.

Rule: a bot chooses a team by its name, so a name is one that can be said back exactly; a team that
is deleted means everybody wherever it is still named.
"""

from typing import Final

from litestar import Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET

from qingniao.api.bodies import NewTeam, TeamChange, TeamInfo, TeamList
from qingniao.api.faults import BadInput, NotFound, TeamTaken
from qingniao.api.identity import Here, admins
from qingniao.bots.choosing import NOTHING
from qingniao.storage.errors import Taken
from qingniao.storage.rows import Team
from qingniao.storage.teams import TooManyTeams, UnknownMember, folded_name

__all__ = ["router"]

_UNSAYABLE: Final = frozenset(",，、:：;；{}\"“”'`*")
"""What stands between names where they are listed, or is taken off around an answer."""


@get("/", guards=[admins])
async def list_teams(services: Here) -> TeamList:
    """Every team."""
    return TeamList([_info(team) for team in await services.teams.all()])


@post("/", guards=[admins])
async def add_team(data: JSONBody[NewTeam], services: Here) -> TeamInfo:
    """A new team, with or without members."""
    _check_name(data.name)
    try:
        team = await services.teams.add(
            name=data.name,
            description=data.description.strip(),
            members=data.members,
            now_ms=services.clock(),
        )
    except Taken as exc:
        raise TeamTaken from exc
    except UnknownMember as exc:
        raise BadInput(str(exc), field="members") from exc
    except TooManyTeams as exc:
        raise BadInput(str(exc)) from exc
    return _info(team)


@patch("/{team:int}", guards=[admins])
async def change_team(team: FromPath[int], data: JSONBody[TeamChange], services: Here) -> TeamInfo:
    """Change what is given; `members` replaces all of them."""
    if data.name is not UNSET:
        _check_name(data.name)
    try:
        changed = await services.teams.change(
            team,
            name=None if data.name is UNSET else data.name,
            description=None if data.description is UNSET else data.description.strip(),
            members=None if data.members is UNSET else data.members,
        )
    except Taken as exc:
        raise TeamTaken from exc
    except UnknownMember as exc:
        raise BadInput(str(exc), field="members") from exc
    if changed is None:
        raise NotFound
    return _info(changed)


@delete("/{team:int}", guards=[admins])
async def remove_team(team: FromPath[int], services: Here) -> None:
    """Delete it. Who waits for it is given to anybody."""
    if not await services.teams.remove(team):
        raise NotFound


def _check_name(name: str) -> None:
    if any(sign in _UNSAYABLE or ord(sign) < 32 for sign in name):
        text = "A team's name has no commas, colons, quotes or line breaks: bots say it back."
        raise BadInput(text, field="name")
    if folded_name(name) in NOTHING:
        raise BadInput("A bot says this when no team fits: choose another name.", field="name")


def _info(team: Team) -> TeamInfo:
    return TeamInfo(id=team.id, name=team.name, description=team.description, members=team.members)


router = Router(
    path="/api/v1/teams",
    route_handlers=[list_teams, add_team, change_team, remove_team],
    tags=["teams"],
)
