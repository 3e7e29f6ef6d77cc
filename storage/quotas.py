"""What a user has left: a token bucket against haste, units a day against excess.

Every function works inside the caller's transaction, so that a refusal after it takes it back.
"""

from typing import Final

import aiosqlite

from storage.database import Database, row

DAY_S: Final = 86_400
KEPT_DAYS: Final = 2
BUCKET_KEPT_DAYS: Final = 30
"""After which any bucket is full again, as a new one is."""


async def take_token(
    connection: aiosqlite.Connection,
    user_id: int,
    now: float,
    *,
    burst: int,
    refill_per_s: float,
) -> float:
    """Take one token if there is one.

    A new bucket holds ``burst``. Elapsed time is taken without its sign: where the clock was set
    back, the bucket neither stays shut until it catches up nor gains more than a burst.

    Returns:
        0 if a token was taken, else the seconds until there is one.
    """
    found = await row(
        connection, "SELECT tokens, updated_at FROM buckets WHERE user_id = ?", (user_id,)
    )
    tokens = float(burst)
    if found is not None:
        refill = abs(now - found["updated_at"]) * refill_per_s
        tokens = min(float(burst), found["tokens"] + refill)
    if tokens < 1:
        return (1 - tokens) / refill_per_s
    await connection.execute(
        "INSERT INTO buckets (user_id, tokens, updated_at) VALUES (?, ?, ?) "
        "ON CONFLICT (user_id) DO UPDATE SET tokens = excluded.tokens, "
        "updated_at = excluded.updated_at",
        (user_id, tokens - 1, now),
    )
    return 0.0


async def spent_today(connection: aiosqlite.Connection, user_id: int, now: float) -> int:
    """Units spent on the UTC day of ``now``."""
    found = await row(
        connection,
        "SELECT spent FROM daily_units WHERE user_id = ? AND day = ?",
        (user_id, day_of(now)),
    )
    return 0 if found is None else int(found["spent"])


async def spend(connection: aiosqlite.Connection, user_id: int, cost: int, now: float) -> None:
    """Book ``cost`` units on the UTC day of ``now``."""
    await connection.execute(
        "INSERT INTO daily_units (user_id, day, spent) VALUES (?, ?, ?) "
        "ON CONFLICT (user_id, day) DO UPDATE SET spent = spent + excluded.spent",
        (user_id, day_of(now), cost),
    )


async def refund(connection: aiosqlite.Connection, user_id: int, cost: int, then: float) -> None:
    """Give back what was spent at ``then``, to that day."""
    await connection.execute(
        "UPDATE daily_units SET spent = MAX(0, spent - ?) WHERE user_id = ? AND day = ?",
        (cost, user_id, day_of(then)),
    )


async def forget_old_days(db: Database, now: float) -> int:
    """Delete the books of days that no refund can reach any more; how many rows."""
    async with db.transaction() as connection:
        cursor = await connection.execute(
            "DELETE FROM daily_units WHERE day < ?", (day_of(now) - KEPT_DAYS,)
        )
        return cursor.rowcount


async def forget_old_buckets(db: Database, now: float) -> int:
    """Delete the buckets that have been left to fill for long; how many."""
    async with db.transaction() as connection:
        cursor = await connection.execute(
            "DELETE FROM buckets WHERE updated_at < ?", (now - BUCKET_KEPT_DAYS * DAY_S,)
        )
        return cursor.rowcount


def day_of(now: float) -> int:
    """Whole UTC days since 1970-01-01."""
    return int(now // DAY_S)


def until_tomorrow_s(now: float) -> float:
    """Seconds until the next UTC day."""
    return (day_of(now) + 1) * DAY_S - now
