"""The signing keys of an installation of several processes: in the database, the same for all.

Owns the table and the moment from which a new key signs. Rule: a key verifies everywhere before it
signs anywhere: it signs a minute after it was added, by the database's clock, and every process
looks several times in that minute.
"""

import asyncio
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from qingniao.auth import KeyRing
from qingniao.auth.keys import HIGHEST_NUMBER, KEY_BYTES
from qingniao.errors import StartError, StorageError
from qingniao.log import get_logger
from qingniao.storage.database import Database, lock, now_ms
from qingniao.storage.models import signing_keys

__all__ = ["SharedKeys"]

_log: Final = get_logger("storage")
LOOK_S: Final = 15.0
SIGNS_AFTER_MS: Final = 60_000


class SharedKeys:
    """The keys in the database. `ring` is what to sign with: it is kept up to date by `run`."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database = database
        self.ring = ring

    @classmethod
    async def open(cls, database: Database, *, seed: Path | None = None) -> "SharedKeys":
        """Read the keys, or make the first one; of several processes at once one makes it.

        `seed` is a file of keys: an installation that was one process brings its own, so that the
        tokens it gave stay good. Raises `StartError`.
        """
        try:
            async with database.read() as connection:
                ring = await _ring(connection)
            if ring is None:
                first = await asyncio.to_thread(_first, seed)
                async with database.write() as connection:
                    await lock(connection, "keys")
                    ring = await _ring(connection)
                    if ring is None:
                        await _add(connection, first.keys, created_ms=0)
                        ring = first
        except StorageError as exc:
            raise StartError(f"The signing keys cannot be read: {exc}") from exc
        return cls(database, ring)

    async def rotate(self) -> int:
        """Add a key, which signs from a minute on; its number. Tokens signed before stay good.
        Raises `StartError` when there are no more numbers."""
        async with self._database.write() as connection:
            await lock(connection, "keys")
            held = await _ring(connection)
            newest = max(held.keys) if held is not None else 0
            if newest == HIGHEST_NUMBER:
                raise StartError(f"Key {HIGHEST_NUMBER} is there, the last number there is.")
            key = secrets.token_bytes(KEY_BYTES)
            await _add(connection, {newest + 1: key}, created_ms=await now_ms(connection))
        await self.look()
        return newest + 1

    async def look(self) -> None:
        """Take over what has changed. Raises `StorageError`."""
        async with self._database.read() as connection:
            ring = await _ring(connection)
        if ring is not None:
            self.ring.replace(ring.keys, current=ring.current)

    async def run(self) -> None:
        """Keep the ring up to date until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except (StorageError, StartError) as exc:
                _log.warning("keys_not_read", reason=str(exc))


async def _ring(connection: AsyncConnection) -> KeyRing | None:
    query = select(signing_keys.c.number, signing_keys.c.key, signing_keys.c.created)
    rows = (await connection.execute(query.order_by(signing_keys.c.number))).all()
    if not rows:
        return None
    signs_ms = await now_ms(connection) - SIGNS_AFTER_MS
    ripe = [number for number, _, created in rows if created <= signs_ms]
    keys = {int(number): bytes.fromhex(key) for number, key, _ in rows}
    return KeyRing(keys, current=ripe[-1] if ripe else rows[0][0])


async def _add(connection: AsyncConnection, keys: Mapping[int, bytes], *, created_ms: int) -> None:
    values = [
        {"number": number, "key": key.hex(), "created": created_ms} for number, key in keys.items()
    ]
    await connection.execute(insert(signing_keys), values)


def _first(seed: Path | None) -> KeyRing:
    return KeyRing.open(seed) if seed is not None and seed.exists() else KeyRing.fresh()
