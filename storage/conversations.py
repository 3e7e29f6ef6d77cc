"""Half-finished conversations: a state and plain data under a text key."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from storage.database import Database


class Conversations:
    """The conversation table. A key with neither state nor data takes no row.

    ``clock`` gives Unix seconds.
    """

    def __init__(self, db: Database, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._clock = clock

    async def state(self, key: str) -> str | None:
        """Where the conversation stands."""
        found = await self._db.row("SELECT state FROM conversations WHERE key = ?", (key,))
        return None if found is None else found["state"]

    async def set_state(self, key: str, state: str | None) -> None:
        """Move the conversation; None ends it and leaves its data alone."""
        await self._put(key, "state", state)

    async def data(self, key: str) -> dict[str, Any]:
        """What the conversation has gathered: a fresh copy."""
        found = await self._db.row("SELECT data FROM conversations WHERE key = ?", (key,))
        gathered: dict[str, Any] = {} if found is None else json.loads(found["data"])
        return gathered

    async def set_data(self, key: str, data: Mapping[str, Any]) -> None:
        """Replace what the conversation has gathered.

        Raises:
            TypeError: a value is not plain (text, number, bool, None, list, mapping).
        """
        await self._put(key, "data", json.dumps(dict(data), ensure_ascii=False))

    async def forget_older_than(self, age_s: float) -> int:
        """Drop conversations nobody has touched for longer; how many."""
        async with self._db.transaction() as connection:
            cursor = await connection.execute(
                "DELETE FROM conversations WHERE updated_at < ?", (self._clock() - age_s,)
            )
            return cursor.rowcount

    async def _put(self, key: str, column: str, value: str | None) -> None:
        async with self._db.transaction() as connection:
            await connection.execute(
                f"INSERT INTO conversations (key, {column}, updated_at) "  # noqa: S608
                f"VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
                f"{column} = excluded.{column}, updated_at = excluded.updated_at",
                (key, value, self._clock()),
            )
            await connection.execute(
                "DELETE FROM conversations WHERE key = ? AND state IS NULL AND data = '{}'", (key,)
            )
