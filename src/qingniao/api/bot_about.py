"""What is told about a bot beside its settings: figures, its last failure, who asks it.

Rule: of its secrets only the names.
"""

from collections import Counter
from typing import Final

from msgspec import Struct

from qingniao.api.bot_bodies import BotInfo, BotVersion
from qingniao.api.bot_uses import BotUse, uses_of
from qingniao.api.services import Services
from qingniao.bots.figures import BotFigures, read_figures
from qingniao.bots.kinds import KINDS, origin_of
from qingniao.storage.bot_records import BotFailure
from qingniao.storage.bots import Sealed
from qingniao.storage.rows import BotRow

__all__ = ["About", "info_of"]

_HOUR_MS: Final = 3_600_000
_FIGURES_H: Final = 24


class About(Struct, frozen=True):
    """What is known of all bots, by id."""

    sums: dict[str, Counter[str]]
    failures: dict[str, BotFailure]
    uses: dict[str, list[BotUse]]

    @classmethod
    async def of(cls, services: Services, rows: list[BotRow]) -> "About":
        """Read it. `rows` are all versions, newest first. Raises `StorageError`."""
        records = services.bot_records
        sums = await records.sums(services.clock() // _HOUR_MS - _FIGURES_H + 1)
        return cls(sums, await records.failures(), await uses_of(services, rows))

    def figures(self, bot: str) -> BotFigures:
        """Of the last 24 hours."""
        return read_figures(self.sums.get(bot, {}))


def info_of(rows: list[BotRow], sealed: Sealed, about: About) -> BotInfo:
    """One bot; `rows` are its versions, newest first."""
    newest = rows[0]
    held = sealed.get((newest.id, origin_of(newest.kind, newest.settings)), {})
    kind = KINDS.get(newest.kind)
    missing = [field for field in kind.secrets if field not in held] if kind is not None else []
    versions = [
        BotVersion(
            version=row.version,
            kind=row.kind,
            name=row.name,
            status=row.status,
            settings=row.settings,
            policy=row.policy,
            note=row.note,
            updated=row.updated,
        )
        for row in rows
    ]
    return BotInfo(
        id=newest.id,
        versions=versions,
        secrets=sorted(held),
        missing=missing,
        figures=about.figures(newest.id),
        failure=about.failures.get(newest.id),
        uses=about.uses.get(newest.id, []),
    )
