"""One SQLite file, opened by one process: connections, transactions and migrations."""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self

import aiosqlite

MIGRATIONS: Final = Path(__file__).parent / "migrations"
APPLICATION_ID: Final = 0x4B33_4442
"""Marks a SQLite file as ours ("K3DB"), so that no other program's file is ever migrated."""
BUSY_TIMEOUT_MS: Final = 5000


class DatabaseUnusable(Exception):
    """The file cannot serve as our database; the message is one line for the operator."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


class Database:
    """An open database, locked against every other process.

    Two connections: one writes, inside :meth:`transaction` only; one reads what is committed, so
    that a reader never waits behind a write and never sees half of one.

    ``synchronous`` is FULL: what was accepted survives a power cut, not only a kill. That is one
    flush to disk per transaction, some 0.4 ms, and a picture takes seconds.
    """

    def __init__(
        self,
        writer: aiosqlite.Connection,
        reader: aiosqlite.Connection,
        resources: AsyncExitStack,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._resources = resources
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path, migrations: Path = MIGRATIONS) -> Self:
        """Open or create the database at ``path`` and bring it up to date.

        Raises:
            DatabaseUnusable: the file is damaged, another program's, written by a newer version
                of this one, in use by another process, or its place cannot be written.
        """
        async with AsyncExitStack() as resources:
            try:
                resources.callback(os.close, await asyncio.to_thread(_lock, path))
                writer = await resources.enter_async_context(_connection(path))
                await _migrate(path, writer, migrations)
                reader = await resources.enter_async_context(_connection(path))
                await rows(reader, "PRAGMA query_only = ON")
            except BlockingIOError as fault:
                raise DatabaseUnusable(path, "another process is using it") from fault
            except OSError as fault:
                raise DatabaseUnusable(path, f"cannot be written: {fault.strerror}") from fault
            except sqlite3.Error as fault:
                raise DatabaseUnusable(path, f"cannot be used: {fault}") from fault
            return cls(writer, reader, resources.pop_all())

    async def close(self) -> None:
        """Wait for the transaction in progress and close the file."""
        async with self._turn:
            await self._resources.aclose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """Write: everything inside happens, or none of it. One at a time.

        ``commit`` and ``rollback`` do nothing where no transaction is open, and the connection's
        thread takes its orders first in, first out: a task cancelled at any of these lines, even
        while it waits for BEGIN or COMMIT, leaves no transaction behind.
        """
        async with self._turn:
            try:
                await self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                await self._writer.commit()
            except BaseException:
                await self._writer.rollback()
                raise

    async def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Read what is committed."""
        return await rows(self._reader, sql, parameters)

    async def row(self, sql: str, parameters: Sequence[object] = ()) -> sqlite3.Row | None:
        """Read the first row, or None."""
        return await row(self._reader, sql, parameters)


async def rows(
    connection: aiosqlite.Connection, sql: str, parameters: Sequence[object] = ()
) -> list[sqlite3.Row]:
    """Run one statement to its end and return its rows."""
    found: Iterable[sqlite3.Row] = await connection.execute_fetchall(sql, parameters)
    return list(found)


async def row(
    connection: aiosqlite.Connection, sql: str, parameters: Sequence[object] = ()
) -> sqlite3.Row | None:
    """Run one statement to its end and return its first row, or None."""
    found = await rows(connection, sql, parameters)
    return found[0] if found else None


def _lock(path: Path) -> int:
    """Hold the database for as long as the descriptor is open; a killed process lets go of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@asynccontextmanager
async def _connection(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        connection.row_factory = sqlite3.Row
        await rows(connection, f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        await rows(connection, "PRAGMA foreign_keys = ON")
        await rows(connection, "PRAGMA synchronous = FULL")
        yield connection


async def _migrate(path: Path, connection: aiosqlite.Connection, migrations: Path) -> None:
    version = await _pragma(connection, "user_version")
    owner = await _pragma(connection, "application_id")
    is_empty = await row(connection, "SELECT 1 FROM sqlite_master LIMIT 1") is None
    if owner != APPLICATION_ID and not (is_empty and owner == 0 and version == 0):
        raise DatabaseUnusable(path, "is another program's database")
    files = await asyncio.to_thread(lambda: sorted(migrations.glob("*.sql")))
    if version > len(files):
        raise DatabaseUnusable(
            path, f"was written by a newer version (schema {version}, this one knows {len(files)})"
        )
    await rows(connection, "PRAGMA journal_mode = WAL")
    for number, file in enumerate(files[version:], start=version + 1):
        if not file.name.startswith(f"{number:04d}_"):
            raise DatabaseUnusable(path, f"migration {number} is missing, found {file.name}")
        await _apply(connection, number, file)


async def _apply(connection: aiosqlite.Connection, number: int, file: Path) -> None:
    """Run one migration and note it, in one transaction."""
    statements = await asyncio.to_thread(file.read_text, encoding="utf-8")
    try:
        await connection.executescript(
            f"BEGIN IMMEDIATE;\n{statements}\n"
            f"PRAGMA application_id = {APPLICATION_ID};\n"
            f"PRAGMA user_version = {number};\nCOMMIT;"
        )
    except BaseException:
        await connection.rollback()
        raise


async def _pragma(connection: aiosqlite.Connection, name: str) -> int:
    value = await row(connection, f"PRAGMA {name}")
    assert value is not None, name  # noqa: S101 - these pragmas always answer
    answer: Any = value[0]
    return int(answer)
