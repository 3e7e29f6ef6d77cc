"""Pictures on disk, by the hash of their bytes: the same bytes are kept once."""

import asyncio
import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

from storage.database import Database

SETTLING_S: Final = 60
"""Pictures this young are never collected: the job they belong to may not be written yet."""

_KEY: Final = re.compile(r"[0-9a-f]{64}")
_COLLECTABLE: Final = """
    SELECT key, size_bytes, stored_at FROM blobs
    WHERE stored_at < ?1 AND key NOT IN (
        SELECT json_extract(image.value, '$.key')
            FROM jobs, json_each(jobs.request, '$.images') AS image
            WHERE jobs.state IN ('queued', 'running') AND image.type = 'object'
        UNION ALL
        SELECT json_extract(picture.value, '$.png_key')
            FROM jobs, json_each(jobs.result, '$.pictures') AS picture
            WHERE jobs.told = 0 AND jobs.state IN ('done', 'failed', 'cancelled')
        UNION ALL
        SELECT json_extract(picture.value, '$.jpeg_key')
            FROM jobs, json_each(jobs.result, '$.pictures') AS picture
            WHERE jobs.told = 0 AND jobs.state IN ('done', 'failed', 'cancelled')
    ) AND (
        stored_at < ?2 OR key NOT IN (
            SELECT leaf.atom FROM conversations, json_tree(conversations.data) AS leaf
            WHERE leaf.type = 'text' AND length(leaf.atom) = 64
        )
    )
    ORDER BY stored_at
"""


class BlobGone(Exception):
    """The bytes were collected, or never kept."""

    code: ClassVar[str] = "error-blob-gone"


class Blobs:
    """A folder of pictures with a row for each, so that their age and size are known.

    The row is written before the file and deleted after it: a file without a row, which nothing
    would ever collect, cannot come to be.
    """

    def __init__(
        self,
        root: Path,
        db: Database,
        *,
        lifetime_s: float,
        max_bytes: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._root = root
        self._db = db
        self._lifetime_s = lifetime_s
        self._max_bytes = max_bytes
        self._clock = clock
        self._changing = asyncio.Lock()

    async def put(self, data: bytes) -> str:
        """Keep ``data`` for a lifetime from now, and return its key.

        On return the bytes are on the disk; a crash before leaves either all of them or none.

        Raises:
            OSError: the disk is full or cannot be written.
        """
        key = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        async with self._changing:
            async with self._db.transaction() as connection:
                await connection.execute(
                    "INSERT INTO blobs (key, size_bytes, stored_at) VALUES (?, ?, ?) "
                    "ON CONFLICT (key) DO UPDATE SET stored_at = excluded.stored_at",
                    (key, len(data), self._clock()),
                )
            await asyncio.to_thread(_write, self._path(key), data)
        return key

    async def get(self, key: str) -> bytes:
        """Read a blob.

        Raises:
            BlobGone: it is not kept any more.
        """
        if _KEY.fullmatch(key) is None:
            raise BlobGone(key)
        try:
            return await asyncio.to_thread(self._path(key).read_bytes)
        except FileNotFoundError as fault:
            raise BlobGone(key) from fault

    async def renew(self, key: str) -> None:
        """Keep a blob for another lifetime from now.

        Raises:
            BlobGone: it is not kept any more.
        """
        async with self._changing:
            if _KEY.fullmatch(key) is None or not await asyncio.to_thread(self._path(key).exists):
                raise BlobGone(key)
            async with self._db.transaction() as connection:
                await connection.execute(
                    "UPDATE blobs SET stored_at = ? WHERE key = ?", (self._clock(), key)
                )

    async def collect(self) -> int:
        """Delete what is past its lifetime, then the oldest while the whole is too large.

        What a waiting or running job starts from stays, and so do pictures of jobs that are not
        delivered yet, however old; what a draft has gathered stays for its lifetime. Returns how
        many went.
        """
        now = self._clock()
        async with self._changing:
            total = await self._db.row("SELECT COALESCE(SUM(size_bytes), 0) FROM blobs")
            size_bytes = 0 if total is None else int(total[0])
            expired, settled = now - self._lifetime_s, now - SETTLING_S
            before = settled if size_bytes > self._max_bytes else min(expired, settled)
            candidates = await self._db.rows(_COLLECTABLE, (before, expired))
            doomed: list[str] = []
            for blob in candidates:
                if blob["stored_at"] >= expired and size_bytes <= self._max_bytes:
                    break
                doomed.append(blob["key"])
                size_bytes -= blob["size_bytes"]
            await self._delete(doomed)
        return len(doomed)

    async def _delete(self, keys: list[str]) -> None:
        for key in keys:
            await asyncio.to_thread(_remove, self._path(key))
        async with self._db.transaction() as connection:
            await connection.executemany(
                "DELETE FROM blobs WHERE key = ?", [(key,) for key in keys]
            )

    def _path(self, key: str) -> Path:
        return self._root / key[:2] / key


def _write(path: Path, data: bytes) -> None:
    """Write beside, flush, rename, flush the folder. What a crash left beside is overwritten."""
    if path.exists():
        return
    if not path.parent.exists():
        path.parent.mkdir(parents=True)
        _flush_folder(path.parent.parent)
    beside = path.with_suffix(".part")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    _flush_folder(path.parent)


def _flush_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_suffix(".part").unlink(missing_ok=True)
