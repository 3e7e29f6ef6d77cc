"""Whose job is next, and how many are before one: questions to the ring of waiting users.

No query here costs more when more jobs are stored or more users wait; triggers (migration 0002)
keep the ring beside the job table.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

import aiosqlite

from storage.database import Database, row, rows
from storage.job import Job, job_of

RING_LOOK: Final = 100
"""How many users before one are counted exactly; see :func:`ahead_of`."""
FILL_LOOK: Final = 32
"""How many candidates for the rest of a batch are looked at."""


@dataclass(frozen=True, slots=True)
class Head:
    """The oldest waiting job of one user. ``batch_key`` is None if it must run alone."""

    job_id: int
    mode: str
    batch_key: str | None
    pictures: int


_HEADS: Final = "SELECT head_id, head_mode, head_key, head_pictures FROM turns "


def _head_of(found: sqlite3.Row) -> Head:
    return Head(*found)


async def next_head(connection: aiosqlite.Connection) -> Head | None:
    """The job whose turn it is."""
    found = await row(connection, _HEADS + "WHERE waiting > 0 ORDER BY place, head_id LIMIT 1")
    return None if found is None else _head_of(found)


async def next_companion(
    connection: aiosqlite.Connection, lead: Head, pictures_left: int
) -> Head | None:
    """The first job in the order of turns that may join ``lead``'s batch and still fits.

    Only users' oldest jobs are asked, so nobody's jobs overtake one another, and only the first
    :data:`FILL_LOOK` of the kind.
    """
    if lead.batch_key is None or pictures_left <= 0:
        return None
    candidates = await rows(
        connection,
        _HEADS + "WHERE waiting > 0 AND head_mode = ? AND head_key = ? ORDER BY place LIMIT ?",
        (lead.mode, lead.batch_key, FILL_LOOK),
    )
    heads = map(_head_of, candidates)
    return next((head for head in heads if head.pictures <= pictures_left), None)


async def forget_idle(db: Database) -> int:
    """Delete the turns of users with nothing queued or running; how many.

    They would join at the end of the ring anyhow. The turn of a running job is where it returns.
    """
    async with db.transaction() as connection:
        cursor = await connection.execute(
            "DELETE FROM turns WHERE waiting = 0 "
            "AND user_id NOT IN (SELECT user_id FROM jobs WHERE state = 'running')"
        )
        return cursor.rowcount


async def waiting_total(connection: aiosqlite.Connection) -> int:
    """How many jobs are queued, all users together."""
    [found] = await rows(connection, "SELECT COALESCE(SUM(waiting * users), 0) FROM depths")
    return int(found[0])


async def in_flight_of(connection: aiosqlite.Connection, user_id: int) -> int:
    """How many jobs of one user are queued or running."""
    [found] = await rows(
        connection,
        "SELECT (SELECT COUNT(*) FROM jobs WHERE user_id = ?1 AND state = 'running') "
        "+ COALESCE((SELECT waiting FROM turns WHERE user_id = ?1), 0)",
        (user_id,),
    )
    return int(found[0])


async def ahead_of(connection: aiosqlite.Connection, job: Job) -> int:
    """How many queued jobs run before this one if every turn serves one job; 0 once it left.

    The job is the k-th of its user, so before it come k - 1 whole rounds, in which each user
    with w jobs has min(w, k - 1), and in round k the users placed before this one who still have
    a k-th job. Of those the first :data:`RING_LOOK` are counted; with more users before it the
    whole round is taken. Batches serve several at a time, so this is never too few.
    """
    mine = await row(
        connection,
        "SELECT place, waiting - (SELECT COUNT(*) FROM jobs "
        "WHERE user_id = ?1 AND state = 'queued' AND id > ?2) AS k FROM turns "
        "WHERE user_id = ?1 AND EXISTS (SELECT 1 FROM jobs WHERE id = ?2 AND state = 'queued')",
        (job.user_id, job.id),
    )
    if mine is None:
        return 0
    k = int(mine["k"])
    [rounds] = await rows(
        connection,
        "SELECT COALESCE(SUM(MIN(waiting, ?1 - 1) * users), 0) AS whole, "
        "COALESCE(SUM(users) FILTER (WHERE waiting >= ?1), 0) AS in_round FROM depths",
        (k,),
    )
    before = await rows(
        connection,
        "SELECT waiting FROM turns WHERE waiting > 0 AND place < ? ORDER BY place LIMIT ?",
        (mine["place"], RING_LOOK),
    )
    if len(before) < RING_LOOK:
        return int(rounds["whole"]) + sum(int(found["waiting"]) >= k for found in before)
    return int(rounds["whole"]) + max(0, int(rounds["in_round"]) - 1)


async def front(db: Database, limit: int) -> list[Job]:
    """The first ``limit`` queued jobs in the order of turns: k-th jobs by rounds, then by place.

    No user before the last of them, and no job of theirs, lies further back than ``limit``.
    """
    found = await db.rows(
        "WITH ring AS (SELECT place, user_id FROM turns WHERE waiting > 0 "
        "ORDER BY place LIMIT ?1), next AS (SELECT own.id AS id, ring.place AS place, "
        "ROW_NUMBER() OVER (PARTITION BY own.user_id ORDER BY own.id) AS k "
        "FROM ring JOIN jobs AS own ON own.user_id = ring.user_id AND own.state = 'queued' "
        "WHERE own.id IN (SELECT id FROM jobs WHERE user_id = ring.user_id AND state = 'queued' "
        "ORDER BY id LIMIT ?1) ORDER BY k, place LIMIT ?1) "
        "SELECT jobs.* FROM next JOIN jobs ON jobs.id = next.id ORDER BY next.k, next.place",
        (limit,),
    )
    return [job_of(job) for job in found]
