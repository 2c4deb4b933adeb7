"""Bots as judges: what a message is about, which team it is for. Owns what becomes of their word.

Refuses to be held up: each is heard within a time. Rule: a judge that is away, slow, raises or says
something else than a choice decides nothing, and what would have happened without it happens.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from msgspec import structs

from qingniao.bots.base import BotError, BotUnavailable, Query
from qingniao.bots.choosing import Choice, Option, choose
from qingniao.chat.intake import Wanted
from qingniao.flow.effects import ChooseTeam, Classify
from qingniao.flow.events import BotFailed, Classified, TeamChosen, Wish
from qingniao.log import get_logger
from qingniao.storage.rows import Team
from qingniao.storage.teams import folded_name
from qingniao.workers.ports import Bots, Teams

__all__ = ["Judges"]

_log: Final = get_logger("workers")


class Judges:
    """One per worker. `judge_s` is for a bot's word, `lookup_s` for the list of teams."""

    def __init__(self, bot: Bots, teams: Teams, *, judge_s: float, lookup_s: float) -> None:
        self._bot = bot
        self._teams = teams
        self._judge_s = judge_s
        self._lookup_s = lookup_s

    async def intent(self, query: Query, asked: Classify, own: Classified) -> Classified:
        """What the judge says it is about; our own classifier's word if the judge has none. How it
        is meant stays ours: a wish for a person is no matter of topics."""
        options = [Option(key=label) for label in asked.labels]
        try:
            choice = await self._choose(asked.judge, query, options, explains=asked.explains)
        except BotError as exc:
            return structs.replace(own, why=(*own.why, f"judge_failed:{exc.code}"))
        if not choice.is_clear:
            return structs.replace(own, why=(*own.why, f"judge_unclear:{choice.said[:40]}"))
        return structs.replace(
            own,
            intent=choice.key,
            confidence=1.0 if choice.key else 0.0,
            why=(*own.why, f"judge:{asked.judge}"),
        )

    async def team(self, query: Query, asked: ChooseTeam) -> TeamChosen | BotFailed:
        """Which team the judge says it is for. Raises `StorageError` or `TimeoutError` if the teams
        cannot be read."""
        known = await self._known()
        if not known:
            return TeamChosen()
        options = [Option(key=team.name, description=team.description) for team in known]
        try:
            choice = await self._choose(asked.judge, query, options, explains=asked.explains)
        except BotError as exc:
            return BotFailed(reason=str(exc), bot=asked.judge)
        chosen = next((team.id for team in known if team.name == choice.key), 0)
        return TeamChosen(team=chosen, said=choice.said)

    async def wanted(self, team: int) -> Wanted | None:
        """The team with its name; `None` if it is gone, or 0. If the teams cannot be read it is
        wanted all the same, without its name."""
        if not team:
            return None
        try:
            known = await self._known()
        except Exception as exc:  # the name is a nicety, and so is the team: a person is not
            _log.warning("teams_not_read", error=type(exc).__name__)
            return Wanted(team, "")
        return next((Wanted(one.id, one.name) for one in known if one.id == team), None)

    async def placed(self, wishes: tuple[Wish, ...]) -> tuple[Wish, ...]:
        """The same with the numbers of the teams that they name."""
        if not any(wish.kind == "handoff" and wish.name for wish in wishes):
            return wishes
        try:
            known = {folded_name(team.name): team.id for team in await self._known()}
        except Exception as exc:  # everybody can be asked
            _log.warning("teams_not_read", error=type(exc).__name__)
            return wishes
        return tuple(
            structs.replace(wish, team=known.get(folded_name(wish.name), 0))
            if wish.kind == "handoff"
            else wish
            for wish in wishes
        )

    async def _known(self) -> Sequence[Team]:
        async with asyncio.timeout(self._lookup_s):
            return await self._teams()

    async def _choose(
        self, judge: str, query: Query, options: Sequence[Option], *, explains: bool
    ) -> Choice:
        """Raises `BotError` for whatever a bot may do."""
        try:
            return await choose(
                self._bot(judge), query, options, deadline_s=self._judge_s, explains=explains
            )
        except BotError as exc:
            _log.warning("judge_failed", conversation=query.conversation, bot=judge, error=exc.code)
            raise
        except Exception as exc:  # a bot may be a plugin
            _log.error("judge_raised", exc=exc, conversation=query.conversation, bot=judge)
            raise BotUnavailable("The judge failed inside.") from exc
