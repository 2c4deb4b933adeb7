"""Colleagues. Rule: a password that we make up is shown in one answer and nowhere else."""

from litestar import Router, get, post
from litestar.params import JSONBody
from msgspec import UNSET

from qingniao.api.bodies import NewUser, NewUserAnswer, UserList, UserWithPresence
from qingniao.api.faults import LoginTaken
from qingniao.api.identity import Here, admins
from qingniao.api.resources.session import judge, user_info
from qingniao.auth.passwords import one_time_password
from qingniao.storage.errors import Taken

__all__ = ["router"]


@get("/", guards=[admins])
async def list_users(services: Here) -> UserList:
    """Everybody who can sign in."""
    users = [user for user in await services.users.all() if not user.disabled]
    online = await services.presence.online([f"a:{user.id}" for user in users])
    return UserList(
        [
            UserWithPresence(
                id=user.id,
                login=user.login,
                name=user.name,
                role=user.role,
                locale=user.locale,
                accepting=user.accepting,
                must_change_password=user.must_change_password,
                online=f"a:{user.id}" in online,
            )
            for user in users
        ]
    )


@post("/", guards=[admins])
async def add_user(data: JSONBody[NewUser], services: Here) -> NewUserAnswer:
    """A new account. It must change its password at the first sign-in, whoever chose it."""
    if data.password is UNSET:
        password = one_time_password()
    else:
        password = data.password
        judge(password, login=data.login, field="password")
    try:
        user = await services.users.add(
            login=data.login,
            name=data.name.strip(),
            role=data.role,
            password_hash=await services.passwords.hash(password),
            now_ms=services.clock(),
        )
    except Taken as exc:
        raise LoginTaken from exc
    return NewUserAnswer(user_info(user), password)


router = Router(path="/api/v1/users", route_handlers=[list_users, add_user], tags=["users"])
