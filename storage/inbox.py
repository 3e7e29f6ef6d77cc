"""Updates that arrived: kept until handled, remembered a while so that none is handled twice.

An update is confirmed to its sender only once it is in here, so a kill at any moment loses none;
what was not handled is taken up again at the next start.
"""

import time
from collections.abc import Callable, Sequence

from storage.database import Database, row


class Inbox:
    """The inbox table. ``clock`` gives Unix seconds."""

    def __init__(self, db: Database, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._clock = clock

    async def put(self, update_id: int, payload: str) -> bool:
        """Keep an update. False if it was seen before."""
        async with self._db.transaction() as connection:
            cursor = await connection.execute(
                "INSERT INTO inbox (update_id, payload, received_at) VALUES (?, ?, ?) "
                "ON CONFLICT (update_id) DO NOTHING",
                (update_id, payload, self._clock()),
            )
            return cursor.rowcount > 0

    async def pending(self) -> list[tuple[int, str]]:
        """Updates not handled yet, in the order of their ids, with what they say."""
        found = await self._db.rows(
            "SELECT update_id, payload FROM inbox WHERE handled = 0 ORDER BY update_id"
        )
        return [(update["update_id"], update["payload"]) for update in found]

    async def attempt(self, *update_ids: int) -> int:
        """Count one more attempt to handle these updates as one; which one it is.

        Raises:
            KeyError: there is no such update.
        """
        attempts = 0
        async with self._db.transaction() as connection:
            for update_id in update_ids:
                found = await row(
                    connection,
                    "UPDATE inbox SET attempts = attempts + 1 WHERE update_id = ? "
                    "RETURNING attempts",
                    (update_id,),
                )
                if found is None:
                    raise KeyError(update_id)
                attempts = max(attempts, int(found["attempts"]))
        return attempts

    async def interrupted(self, *update_ids: int) -> None:
        """The attempt was cut short by a stop in good order: it counts as begun, no more."""
        await self._change("attempts = max(1, attempts - 1)", update_ids)

    async def done(self, *update_ids: int) -> None:
        """The updates are handled, all at once or none: only their ids are kept."""
        await self._change("handled = 1, payload = ''", update_ids)

    async def forget_older_than(self, age_s: float) -> int:
        """Forget handled updates that arrived longer ago; how many."""
        async with self._db.transaction() as connection:
            cursor = await connection.execute(
                "DELETE FROM inbox WHERE handled = 1 AND received_at < ?", (self._clock() - age_s,)
            )
            return cursor.rowcount

    async def _change(self, change: str, update_ids: Sequence[int]) -> None:
        async with self._db.transaction() as connection:
            await connection.executemany(
                f"UPDATE inbox SET {change} WHERE update_id = ?",  # noqa: S608 - our own words
                [(update_id,) for update_id in update_ids],
            )
