r"""The durable queue: one table, and every step a job can take through it.

    queued -> running -> done -> delivered      the picture is made, the chat has it
                |  \--> queued                  the attempt was cut short
                \-----> failed, cancelled       ``told`` once the chat knows
    queued ------------> cancelled

Each step is one transaction that asks for the state it starts from, so a step that comes too late
(a picture after its cancel, a second cancel) changes nothing and says so.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Final, Literal

import aiosqlite

from storage import quotas, turns
from storage.database import Database, row, rows
from storage.job import Card, Job, JobResult, JobState, NewJob, ResultPicture, job_of

__all__ = [
    "Card",
    "Job",
    "JobResult",
    "JobState",
    "Jobs",
    "NewJob",
    "NoSuchJobRow",
    "ResultPicture",
]

CLAIMS_MAX: Final = 5
"""A job that was claimed this often, and the program died each time, is not tried again."""
PRUNED_AT_ONCE: Final = 1000
_MARKS: Final = {"parent_id": "(SELECT id FROM jobs WHERE id = ?)"}
_SHOWN_AS: Final = """
    SELECT * FROM jobs WHERE chat_id = ?1 AND card_message_id IS NOT NULL AND (
        card_message_id = ?2
        OR ',' || substr(card_stage, instr(card_stage, ':') + 1) || ',' LIKE '%,' || ?2 || ',%'
    ) ORDER BY card_message_id <> ?2, id DESC LIMIT 1
"""
"""A stage ends with the numbers of the album's messages, as delivery writes it."""


class NoSuchJobRow(KeyError):
    """No job has this id."""


class Jobs:
    """The job table. ``clock`` gives Unix seconds."""

    def __init__(self, db: Database, clock: Callable[[], float] = time.time) -> None:
        self.db = db
        self._clock = clock

    async def insert(self, connection: aiosqlite.Connection, new: NewJob, now: float) -> Job:
        """Queue a job, inside the transaction that admits it.

        A parent that has been forgotten since is none.
        """
        fields = {**asdict(new), "created_at": now}
        names = ", ".join(fields)
        marks = ", ".join(_MARKS.get(name, "?") for name in fields)
        inserted = await row(
            connection,
            f"INSERT INTO jobs ({names}) VALUES ({marks}) RETURNING *",  # noqa: S608 - our names
            list(fields.values()),
        )
        return _known(inserted, new.origin)

    async def by_origin(self, connection: aiosqlite.Connection, origin: str) -> Job | None:
        """The job that this message or press has already led to."""
        found = await row(connection, "SELECT * FROM jobs WHERE origin = ?", (origin,))
        return None if found is None else job_of(found)

    async def get(self, job_id: int) -> Job:
        """Read one job.

        Raises:
            NoSuchJobRow: there is none, or it was forgotten.
        """
        found = await self.db.row("SELECT * FROM jobs WHERE id = ?", (job_id,))
        return _known(found, job_id)

    async def shown_as(self, chat_id: int, message_id: int) -> Job | None:
        """The job that a message of ours shows: as its card, or in its album."""
        found = await self.db.row(_SHOWN_AS, (chat_id, message_id))
        return None if found is None else job_of(found)

    async def of_user(self, user_id: int, states: Sequence[JobState]) -> list[Job]:
        """One user's jobs in these states, oldest first."""
        marks = ", ".join("?" * len(states))
        found = await self.db.rows(
            f"SELECT * FROM jobs WHERE user_id = ? AND state IN ({marks}) ORDER BY id",  # noqa: S608
            (user_id, *states),
        )
        return [job_of(job) for job in found]

    async def running(self) -> list[Job]:
        """What the device works on, in the order it was submitted."""
        found = await self.db.rows("SELECT * FROM jobs WHERE state = 'running' ORDER BY id")
        return [job_of(job) for job in found]

    async def untold(self) -> list[Job]:
        """Jobs that are over and whose chats do not know it yet, oldest first."""
        found = await self.db.rows(
            "SELECT * FROM jobs WHERE told = 0 AND state IN ('done', 'failed', 'cancelled') "
            "ORDER BY id"
        )
        return [job_of(job) for job in found]

    async def totals(self) -> tuple[int, int]:
        """How many jobs wait, and how many run."""
        [found] = await self.db.rows(
            "SELECT (SELECT COALESCE(SUM(waiting * users), 0) FROM depths), "
            "(SELECT COUNT(*) FROM jobs INDEXED BY jobs_running WHERE state = 'running')"
        )
        return int(found[0]), int(found[1])

    async def waiting_view(self, job: Job) -> int:
        """How many queued jobs come before this one; see :func:`storage.turns.ahead_of`."""
        async with self.db.transaction() as connection:
            return await turns.ahead_of(connection, job)

    async def front(self, limit: int) -> list[Job]:
        """The next ``limit`` queued jobs in the order of turns: the i-th has i before it."""
        return await turns.front(self.db, limit)

    async def claim(self, limit_pictures: int) -> list[Job]:
        """Take the next batch out of the queue and mark it running; empty if nothing waits.

        The user longest without a turn leads with their oldest job. Then users' oldest jobs of
        the same mode and batch key join in the order of turns, for as long as they fit into
        ``limit_pictures``; a job larger than that runs alone. So does one whose attempt killed
        the worker: it shall not take others with it again. A batch shares one ``started_at``.
        """
        now = self._clock()
        async with self.db.transaction() as connection:
            lead = await turns.next_head(connection)
            if lead is None:
                return []
            batch = [await _take(connection, lead.job_id, now)]
            left = limit_pictures - lead.pictures
            while (companion := await turns.next_companion(connection, lead, left)) is not None:
                batch.append(await _take(connection, companion.job_id, now))
                left -= companion.pictures
        return batch

    async def finish(self, job_id: int, result: JobResult) -> bool:
        """Running -> done. False if the job is no longer running: the result is dropped."""
        return await self._step(
            "UPDATE jobs SET state = 'done', result = ?, finished_at = ? "
            "WHERE id = ? AND state = 'running'",
            (result.to_json(), self._clock(), job_id),
        )

    async def fail(self, job_id: int, code: str) -> bool:
        """Running -> failed, and its units back: nobody pays for a picture that never was.

        False if the job is no longer running.
        """
        async with self.db.transaction() as connection:
            return await self._fail(connection, job_id, code)

    async def _fail(self, connection: aiosqlite.Connection, job_id: int, code: str) -> bool:
        failed = await rows(
            connection,
            "UPDATE jobs SET state = 'failed', error_code = ?, finished_at = ? "
            "WHERE id = ? AND state = 'running' RETURNING *",
            (code, self._clock(), job_id),
        )
        for job in map(job_of, failed):
            await quotas.refund(connection, job.user_id, job.cost, job.created_at)
        return bool(failed)

    async def set_drawn(self, job_id: int, drawn: str) -> bool:
        """Complete the request of a running job: its ``drawn`` becomes this JSON.

        So that a second attempt, and whatever is asked for on the strength of this job, need not
        find out again what is drawn. False if the job is no longer running.
        """
        return await self._step(
            "UPDATE jobs SET request = json_set(request, '$.drawn', json(?)) "
            "WHERE id = ? AND state = 'running'",
            (drawn, job_id),
        )

    async def requeue(self, job_id: int, *, crashed: bool) -> bool:
        """Running -> queued, at its old place. False if the job is no longer running.

        Args:
            job_id: the job.
            crashed: the attempt killed the worker; else it was cut short through no fault of the
                job's, and does not count as one.
        """
        return await self._step(
            "UPDATE jobs SET state = 'queued', started_at = NULL, "
            "attempts = attempts - ?, crashes = crashes + ? WHERE id = ? AND state = 'running'",
            (int(not crashed), int(crashed), job_id),
        )

    async def cancel(self, job_id: int) -> Literal["queued", "running"] | None:
        """End a job that is not over, at once and for good, and say which state it was in.

        Returns None if it was over already. One that had not run gives its units back; what the
        device still makes of one that is running is dropped by :meth:`finish`.
        """
        async with self.db.transaction() as connection:
            found = await row(
                connection,
                "SELECT * FROM jobs WHERE id = ? AND state IN ('queued', 'running')",
                (job_id,),
            )
            if found is None:
                return None
            job = job_of(found)
            await connection.execute(
                "UPDATE jobs SET state = 'cancelled', finished_at = ? WHERE id = ?",
                (self._clock(), job_id),
            )
            if job.state == "running":
                return "running"
            await quotas.refund(connection, job.user_id, job.cost, job.created_at)
            return "queued"

    async def mark_told(self, job_id: int) -> None:
        """The chat knows how the job ended; a done job is now delivered."""
        await self._step(
            "UPDATE jobs SET told = 1, "
            "state = CASE state WHEN 'done' THEN 'delivered' ELSE state END "
            "WHERE id = ? AND state NOT IN ('queued', 'running')",
            (job_id,),
        )

    async def set_card(self, job_id: int, card: Card) -> None:
        """Remember the message that shows the job, and how far delivery is with it."""
        await self._step(
            "UPDATE jobs SET card_message_id = ?, card_has_media = ?, card_stage = ? WHERE id = ?",
            (card.message_id, card.has_media, card.stage, job_id),
        )

    async def set_file_ids(self, job_id: int, file_ids: Sequence[str]) -> None:
        """Remember Telegram's names of the pictures, in their order.

        Raises:
            ValueError: not one name per picture.
        """
        async with self.db.transaction() as connection:
            found = await row(connection, "SELECT * FROM jobs WHERE id = ?", (job_id,))
            result = _known(found, job_id).result
            pictures = () if result is None else result.pictures
            named = tuple(
                replace(picture, file_id=file_id)
                for picture, file_id in zip(pictures, file_ids, strict=True)
            )
            if result is not None:
                await connection.execute(
                    "UPDATE jobs SET result = ? WHERE id = ?",
                    (replace(result, pictures=named).to_json(), job_id),
                )

    async def recover(self) -> int:
        """Put back into the queue what was running when the program died; how many.

        To be called before anything is claimed. The attempt counts; a job the program did not
        survive :data:`CLAIMS_MAX` times fails with ``error-generation-failed``.
        """
        async with self.db.transaction() as connection:
            worn_out = await rows(
                connection,
                "SELECT id FROM jobs WHERE state = 'running' AND attempts >= ?",
                (CLAIMS_MAX,),
            )
            for job in worn_out:
                await self._fail(connection, job["id"], "error-generation-failed")
            return await self._requeue_running(connection, counted=True)

    async def release(self) -> int:
        """Put back what is still running because the program stops in good order; how many."""
        async with self.db.transaction() as connection:
            return await self._requeue_running(connection, counted=False)

    async def _requeue_running(self, connection: aiosqlite.Connection, *, counted: bool) -> int:
        cursor = await connection.execute(
            "UPDATE jobs SET state = 'queued', started_at = NULL, attempts = attempts - ? "
            "WHERE state = 'running'",
            (int(not counted),),
        )
        return cursor.rowcount

    async def forget_older_than(self, age_s: float) -> int:
        """Delete jobs that ended longer ago and whose chats know it; how many."""
        before = self._clock() - age_s
        forgotten = 0
        while True:
            async with self.db.transaction() as connection:
                cursor = await connection.execute(
                    "DELETE FROM jobs WHERE id IN "
                    "(SELECT id FROM jobs WHERE told = 1 AND finished_at < ? LIMIT ?)",
                    (before, PRUNED_AT_ONCE),
                )
                forgotten += cursor.rowcount
            if cursor.rowcount < PRUNED_AT_ONCE:
                return forgotten

    async def _step(self, sql: str, parameters: Sequence[object]) -> bool:
        async with self.db.transaction() as connection:
            cursor = await connection.execute(sql, parameters)
            return cursor.rowcount > 0


async def _take(connection: aiosqlite.Connection, job_id: int, now: float) -> Job:
    taken = await row(
        connection,
        "UPDATE jobs SET state = 'running', attempts = attempts + 1, started_at = ?, "
        "claimed_at_place = (SELECT place FROM turns WHERE turns.user_id = jobs.user_id) "
        "WHERE id = ? RETURNING *",
        (now, job_id),
    )
    return _known(taken, job_id)


def _known(found: sqlite3.Row | None, name: object) -> Job:
    if found is None:
        raise NoSuchJobRow(name)
    return job_of(found)
