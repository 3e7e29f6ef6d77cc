"""How fast kinds of jobs have been lately: moving averages of measured device seconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import aiosqlite

from storage.database import Database

WEIGHT: Final = 0.3
"""Share of the newest batch in the average; about the last six batches are remembered."""
ALL_KINDS: Final = ("", "")
KEPT_S: Final = 90 * 86_400


@dataclass(frozen=True, slots=True)
class Pace:
    """Device seconds for one picture and for one job, its share of the batch it ran in."""

    picture_s: float
    job_s: float


class Paces:
    """The pace table. ``clock`` gives Unix seconds."""

    def __init__(self, db: Database, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._clock = clock

    async def all(self) -> dict[tuple[str, str], Pace]:
        """Every measured kind's pace by (mode, batch key), and :data:`ALL_KINDS`' together."""
        found = await self._db.rows("SELECT mode, batch_key, picture_s, job_s FROM paces")
        return {
            (pace["mode"], pace["batch_key"]): Pace(pace["picture_s"], pace["job_s"])
            for pace in found
        }

    async def record(
        self, mode: str, batch_key: str, *, seconds: float, jobs: int, pictures: int
    ) -> None:
        """Take one finished batch into the averages."""
        async with self._db.transaction() as connection:
            for kind in ((mode, batch_key), ALL_KINDS):
                await self._average(connection, kind, Pace(seconds / pictures, seconds / jobs))

    async def _average(
        self, connection: aiosqlite.Connection, kind: tuple[str, str], pace: Pace
    ) -> None:
        await connection.execute(
            "INSERT INTO paces (mode, batch_key, picture_s, job_s, measured_at) "
            "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (mode, batch_key) DO UPDATE SET "
            "picture_s = picture_s + ?6 * (excluded.picture_s - picture_s), "
            "job_s = job_s + ?6 * (excluded.job_s - job_s), "
            "measured_at = excluded.measured_at",
            (*kind, pace.picture_s, pace.job_s, self._clock(), WEIGHT),
        )

    async def forget_old(self) -> int:
        """Forget kinds not asked for in three months; how many."""
        async with self._db.transaction() as connection:
            cursor = await connection.execute(
                "DELETE FROM paces WHERE measured_at < ?", (self._clock() - KEPT_S,)
            )
            return cursor.rowcount
