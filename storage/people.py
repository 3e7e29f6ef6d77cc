"""Who writes to us, and what they chose."""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from storage.database import Database, row


@dataclass(frozen=True, slots=True)
class Settings:
    """A person's choices; None leaves it to the client's language and the profile's quality."""

    language: str | None = None
    aspect_ratio: str = "1:1"
    quality: str | None = None
    style: str = "none"
    as_file: bool = False
    beautify: bool = True


_COLUMNS: Final = tuple(asdict(Settings()))
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM people WHERE user_id = ?"  # noqa: S608
_UPSERT: Final = (
    f"INSERT INTO people (user_id, {', '.join(_COLUMNS)}) "  # noqa: S608 - our own names
    f"VALUES (?, {', '.join('?' * len(_COLUMNS))}) ON CONFLICT (user_id) DO UPDATE SET "
)


class People:
    """The people table. ``clock`` gives Unix seconds."""

    def __init__(self, db: Database, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._clock = clock

    async def settings(self, user_id: int) -> Settings:
        """What the person chose; the defaults for a stranger."""
        return _settings_of(await self._db.row(_SELECT, (user_id,)))

    async def change(self, user_id: int, **changes: Any) -> Settings:  # noqa: ANN401 - fields of Settings
        """Set some of the settings; returns all of them.

        Raises:
            TypeError: there is no such setting.
        """
        async with self._db.transaction() as connection:
            settings = replace(_settings_of(await row(connection, _SELECT, (user_id,))), **changes)
            await connection.execute(
                _UPSERT + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS),
                (user_id, *asdict(settings).values()),
            )
        return settings

    async def seen(self, user_id: int, language_code: str | None) -> None:
        """The person wrote just now, so they have not blocked us."""
        now = self._clock()
        await self._note(
            user_id,
            "language_code = ?, blocked = 0, first_seen_at = COALESCE(first_seen_at, ?), "
            "last_seen_at = ?",
            (language_code, now, now),
        )

    async def mark_blocked(self, user_id: int) -> None:
        """The person's chat cannot be written to any more."""
        await self._note(user_id, "blocked = 1")

    async def unblock(self, user_id: int) -> None:
        """The person's chat can be written to again."""
        await self._note(user_id, "blocked = 0")

    async def _note(self, user_id: int, changes: str, parameters: tuple[object, ...] = ()) -> None:
        async with self._db.transaction() as connection:
            await connection.execute(
                _UPSERT + "user_id = user_id", (user_id, *asdict(Settings()).values())
            )
            await connection.execute(
                f"UPDATE people SET {changes} WHERE user_id = ?",  # noqa: S608 - our own words
                (*parameters, user_id),
            )


def _settings_of(found: sqlite3.Row | None) -> Settings:
    if found is None:
        return Settings()
    switches = {name: bool(found[name]) for name in ("as_file", "beautify")}
    return Settings(**{**dict(found), **switches})
