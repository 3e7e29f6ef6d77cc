"""Submitting and claiming cost the same however much is stored: plans and steps, not seconds."""

from collections.abc import Awaitable, Callable

import pytest

from storage import turns
from storage.database import Database, rows
from storage.jobs import JobResult, Jobs
from tests.storage.stock import put, put_many

RATIO_MAX = 1.5


async def whole_path(jobs: Jobs, origin: str) -> None:
    """Everything a job costs the tables, from its coming to its end."""
    async with jobs.db.transaction() as connection:
        assert await jobs.by_origin(connection, origin) is None
        await turns.waiting_total(connection)
        await turns.in_flight_of(connection, 1)
    job = await put(jobs, origin)
    await jobs.waiting_view(job)
    for claimed in await jobs.claim(4):
        await jobs.finish(claimed.id, JobResult((), 1.0))
        await jobs.mark_told(claimed.id)
    await jobs.cancel(job.id)
    await jobs.mark_told(job.id)
    await jobs.untold()
    await jobs.totals()
    await jobs.of_user(1, ["queued", "running"])
    await jobs.recover()


async def test_no_statement_scans_the_queue(jobs: Jobs, db: Database) -> None:
    statements: list[str] = []
    await put_many(db, 300, users=30)
    for connection in (db._writer, db._reader):
        await connection.set_trace_callback(statements.append)
    await whole_path(jobs, "watched")
    await jobs.front(10)
    await jobs.forget_older_than(10)
    for connection in (db._writer, db._reader):
        await connection.set_trace_callback(lambda _: None)
    asked = {
        sql for sql in statements if sql.split()[0] in {"SELECT", "UPDATE", "INSERT", "DELETE"}
    }
    assert len(asked) > 15
    for sql in asked:
        async with db.transaction() as connection:
            plan = [step["detail"] for step in await rows(connection, f"EXPLAIN QUERY PLAN {sql}")]
        scans = [step for step in plan if step.startswith("SCAN") and is_a_scan(step)]
        assert scans == [], sql


def is_a_scan(step: str) -> bool:
    """Walking a partial index holds only what is asked for; depths has a row per queue length."""
    return not any(
        harmless in step
        for harmless in (
            "SCAN CONSTANT ROW",
            "SCAN depths",
            "SCAN ring",  # these two are as long as was asked for
            "SCAN next",
            "INDEX jobs_running",
            "INDEX jobs_untold",
            "INDEX turns_ring",
        )
    )


async def steps_of(db: Database, act: Callable[[], Awaitable[None]]) -> int:
    """How many instructions of SQLite's virtual machine ``act`` takes, triggers included."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    for connection in (db._writer, db._reader):
        await connection.set_progress_handler(count, 1)
    await act()
    for connection in (db._writer, db._reader):
        await connection.set_progress_handler(lambda: 0, 1_000_000)
    return steps


@pytest.mark.parametrize(
    ("users", "state"),
    [(1, "queued"), (20, "queued"), (10_000, "queued"), (20, "delivered")],
    ids=["of one user", "of some users", "of a user each", "delivered"],
)
async def test_a_hundred_times_the_jobs_cost_no_more(
    jobs: Jobs, db: Database, users: int, state: str
) -> None:
    await put_many(db, 100, users=min(users, 100), state=state)
    few = await steps_of(db, lambda: whole_path(jobs, "few"))
    async with db.transaction() as connection:
        await connection.execute("UPDATE jobs SET origin = 'old ' || origin")
    await put_many(db, 10_000, users=users, state=state)
    many = await steps_of(db, lambda: whole_path(jobs, "many"))
    assert few > 100
    assert many <= RATIO_MAX * few
