import asyncio
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.database import MIGRATIONS, Database, DatabaseUnusable
from storage.jobs import Jobs
from tests.storage.stock import assert_sums_are_right, put, put_many

KNOWN = len(list(MIGRATIONS.glob("*.sql")))


async def version_of(db: Database) -> int:
    found = await db.row("PRAGMA user_version")
    assert found is not None
    return int(found[0])


def tables_in(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    try:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    finally:
        connection.close()


def open_elsewhere(path: Path, migrations: Path) -> "subprocess.Popen[bytes]":
    program = (
        "import asyncio, pathlib, sys; from storage.database import Database; "
        "asyncio.run(Database.open(*map(pathlib.Path, sys.argv[1:])))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, path, migrations], cwd=MIGRATIONS.parents[1]
    )


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MIGRATIONS, tmp_path / "migrations"))


def forget_from(number: int, migrations: Path) -> None:
    for file in migrations.glob("*.sql"):
        if int(file.name[:4]) >= number:
            file.unlink()


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [int(file.name[:4]) for file in sorted(MIGRATIONS.glob("*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers


async def test_an_empty_place_gets_the_newest_schema(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "bot.sqlite"
    db = await Database.open(path)
    assert await version_of(db) == KNOWN
    await db.close()
    assert {"jobs", "turns", "people", "blobs", "inbox"} <= tables_in(path)


async def test_opening_again_changes_nothing_and_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite"
    db = await Database.open(path)
    async with db.transaction() as connection:
        await connection.execute("INSERT INTO conversations VALUES ('a', 'b', '{}', 0)")
    await db.close()
    before = tables_in(path)
    db = await Database.open(path)
    found = await db.row("SELECT state FROM conversations")
    await db.close()
    assert found is not None
    assert found["state"] == "b"
    assert tables_in(path) == before


async def test_jobs_from_before_pictures_live_on_and_can_have_children(
    tmp_path: Path, migrations: Path
) -> None:
    path = tmp_path / "bot.sqlite"
    forget_from(4, migrations)
    db = await Database.open(path, migrations)
    await put_many(db, 4, users=2)
    async with db.transaction() as connection:
        await connection.execute(
            "UPDATE jobs SET state = 'delivered', told = 1, finished_at = 0 WHERE id = 1"
        )
    await db.close()

    db = await Database.open(path)
    assert await version_of(db) == KNOWN
    jobs = Jobs(db)
    [old] = await jobs.of_user(1000, ["delivered"])
    assert old.parent_id is None
    assert await jobs.totals() == (3, 0)
    child = await put(jobs, "child", parent_id=old.id)
    assert child.parent_id == old.id
    assert await jobs.forget_older_than(1) == 1
    assert (await jobs.get(child.id)).parent_id is None
    assert len(await jobs.claim(8)) > 0
    await assert_sums_are_right(db)
    await db.close()


async def test_a_migration_that_fails_midway_leaves_no_half(
    tmp_path: Path, migrations: Path
) -> None:
    path = tmp_path / "bot.sqlite"
    number = KNOWN + 1
    broken = migrations / f"{number:04d}_broken.sql"
    broken.write_text("CREATE TABLE half (x INTEGER);\nCREATE TABLE jobs (x INTEGER);")
    with pytest.raises(DatabaseUnusable, match="already exists"):
        await Database.open(path, migrations)
    assert "half" not in tables_in(path)
    broken.write_text("CREATE TABLE half (x INTEGER);")
    db = await Database.open(path, migrations)
    assert await version_of(db) == number
    await db.close()


async def test_a_kill_within_a_migration_leaves_no_half(tmp_path: Path, migrations: Path) -> None:
    path = tmp_path / "bot.sqlite"
    endless = migrations / f"{KNOWN + 1:04d}_endless.sql"
    endless.write_text(
        "CREATE TABLE half (x INTEGER);\n"
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "INSERT INTO half SELECT i FROM n;"
    )
    child = open_elsewhere(path, migrations)
    deadline = time.monotonic() + 60
    while not path.exists() or _version(path) < KNOWN:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    child.send_signal(signal.SIGKILL)
    assert child.wait(timeout=10) == -signal.SIGKILL
    endless.unlink()
    db = await Database.open(path, migrations)
    assert await version_of(db) == KNOWN
    await db.close()
    assert "half" not in tables_in(path)


def _version(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.OperationalError:  # locked while it is turned into WAL
        return 0
    finally:
        connection.close()


async def test_a_gap_in_the_migrations_is_refused(tmp_path: Path, migrations: Path) -> None:
    number = KNOWN + 2
    (migrations / f"{number:04d}_too_far.sql").write_text("CREATE TABLE far (x INTEGER);")
    with pytest.raises(DatabaseUnusable, match="is missing"):
        await Database.open(tmp_path / "bot.sqlite", migrations)


async def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite"
    await (await Database.open(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(DatabaseUnusable, match="newer version"):
        await Database.open(path)
    assert _version(path) == 999


async def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(DatabaseUnusable, match="another program's"):
        await Database.open(path)
    assert tables_in(path) == {"recipes"}


@pytest.mark.parametrize("content", [b"this is no database, but it is long enough" * 100])
async def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bot.sqlite"
    path.write_bytes(content)
    with pytest.raises(DatabaseUnusable, match="not a database"):
        await Database.open(path)
    assert path.read_bytes() == content


async def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatabaseUnusable, match="cannot be written"):
        await Database.open(tmp_path / "file" / "bot.sqlite")


async def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match=re.escape(str(tmp_path))):
        await Database.open(tmp_path)


async def test_a_second_bot_on_the_same_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite"
    db = await Database.open(path)
    with pytest.raises(DatabaseUnusable, match="another process"):
        await Database.open(path)
    await db.close()
    await (await Database.open(path)).close()


async def test_a_failing_transaction_leaves_nothing(db: Database) -> None:
    async def fail() -> None:
        async with db.transaction() as connection:
            await connection.execute("INSERT INTO inbox VALUES (1, 'a', 0, 0, 0)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await db.rows("SELECT * FROM inbox") == []


async def test_a_reader_sees_only_what_is_committed(db: Database) -> None:
    async with db.transaction() as connection:
        await connection.execute("INSERT INTO inbox VALUES (1, 'a', 0, 0, 0)")
        assert await db.rows("SELECT * FROM inbox") == []
    assert len(await db.rows("SELECT * FROM inbox")) == 1


async def test_a_reader_cannot_write(db: Database) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await db.rows("DELETE FROM inbox")


@pytest.mark.parametrize("ticks", range(8))
async def test_a_cancelled_transaction_blocks_nobody(db: Database, ticks: int) -> None:
    async def write() -> None:
        async with db.transaction() as connection:
            await connection.execute("INSERT INTO inbox VALUES (1, 'a', 0, 0, 0)")

    writing = asyncio.ensure_future(write())  # noqa: TID251 - to be cancelled at every await
    for _ in range(ticks):
        await asyncio.sleep(0.0002)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    async with db.transaction() as connection:
        await connection.execute("INSERT INTO inbox VALUES (2, 'b', 0, 0, 0)")
    kept = {found["payload"] for found in await db.rows("SELECT payload FROM inbox")}
    assert "b" in kept
