"""Filling a database, and asking whether its sums are right."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from storage.database import Database, rows
from storage.job import Job, NewJob
from storage.jobs import Jobs

A_JOB: Final = NewJob(
    origin="message:1:1",
    user_id=1,
    chat_id=1,
    thread_id=None,
    reply_to_message_id=None,
    language="en",
    mode="sketch",
    request="{}",
    batch_key="small",
    pictures=1,
    cost=1,
)


class FakeClock:
    """Unix seconds that stand still until a test moves them."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def put(jobs: Jobs, origin: str, *, user_id: int = 1, **changes: object) -> Job:
    """Insert one job, past all gates."""
    new = replace(A_JOB, origin=origin, user_id=user_id, chat_id=user_id, **changes)  # type: ignore[arg-type]
    async with jobs.db.transaction() as connection:
        return await jobs.insert(connection, new, now=jobs._clock())


async def put_many(db: Database, count: int, *, users: int, state: str = "queued") -> None:
    """Store ``count`` jobs of ``users`` users in turn, all at once."""
    told = int(state not in {"queued", "running"})
    async with db.transaction() as connection:
        await connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1) "
            "INSERT INTO jobs (origin, user_id, chat_id, language, mode, request, batch_key, "
            "pictures, cost, created_at, state, told, finished_at) "
            "SELECT 'stock:' || i, 1000 + i % ?2, 1000 + i % ?2, 'en', 'sketch', '{}', "
            "CASE i % 3 WHEN 0 THEN 'small' ELSE 'large' END, 1, 1, 1, ?3, ?4, "
            "CASE ?4 WHEN 1 THEN 1.0 END FROM n",
            (count, users, state, told),
        )


async def assert_sums_are_right(db: Database) -> None:
    """Compare what the triggers keep with what the job table says."""
    async with db.transaction() as connection:
        kept = await rows(
            connection,
            "SELECT user_id, waiting, head_id, head_mode, head_key, head_pictures FROM turns "
            "WHERE waiting > 0 ORDER BY user_id",
        )
        counted = await rows(
            connection,
            "SELECT user_id, COUNT(*), MIN(id), mode, "
            "CASE WHEN crashes = 0 THEN batch_key END, pictures "
            "FROM jobs WHERE state = 'queued' GROUP BY user_id ORDER BY user_id",
        )
        depths = await rows(connection, "SELECT waiting, users FROM depths ORDER BY waiting")
        deep = await rows(
            connection,
            "SELECT waiting, COUNT(*) FROM turns WHERE waiting > 0 "
            "GROUP BY waiting ORDER BY waiting",
        )
    assert [tuple(turn) for turn in kept] == [tuple(turn) for turn in counted]
    assert [tuple(depth) for depth in depths] == [tuple(depth) for depth in deep]


def files_under(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


async def is_marked_blocked(db: Database, user_id: int) -> bool:
    """Whether the table says that the person's chat cannot be written to."""
    found = await db.row("SELECT blocked FROM people WHERE user_id = ?", (user_id,))
    return found is not None and bool(found["blocked"])
