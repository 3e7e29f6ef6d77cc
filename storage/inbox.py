"""Updates that arrived: kept until handled, remembered a while so that none is handled twice.

An update is confirmed to its sender only once it is in here, so a kill at any moment loses none;
what was not handled is taken up again at the next start.
"""

import time
from collections.abc import Callable

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

    async def attempt(self, update_id: int) -> int:
        """Count one more attempt to handle the update; which one it is.

        Raises:
            KeyError: there is no such update.
        """
        async with self._db.transaction() as connection:
            found = await row(
                connection,
                "UPDATE inbox SET attempts = attempts + 1 WHERE update_id = ? RETURNING attempts",
                (update_id,),
            )
        if found is None:
            raise KeyError(update_id)
        return int(found["attempts"])

    async def interrupted(self, update_id: int) -> None:
        """The attempt was cut short by a stop in good order: it counts as begun, no more."""
        async with self._db.transaction() as connection:
            await connection.execute(
                "UPDATE inbox SET attempts = max(1, attempts - 1) WHERE update_id = ?",
                (update_id,),
            )

    async def done(self, update_id: int) -> None:
        """The update is handled: only its id is kept."""
        async with self._db.transaction() as connection:
            await connection.execute(
                "UPDATE inbox SET handled = 1, payload = '' WHERE update_id = ?", (update_id,)
            )

    async def forget_older_than(self, age_s: float) -> int:
        """Forget handled updates that arrived longer ago; how many."""
        async with self._db.transaction() as connection:
            cursor = await connection.execute(
                "DELETE FROM inbox WHERE handled = 1 AND received_at < ?", (self._clock() - age_s,)
            )
            return cursor.rowcount
