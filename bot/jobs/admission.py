"""The gates, and the transaction that passes a request through all of them or leaves no trace.

Order matters: those that only look come first, those that spend come last. A refusal rolls back
what earlier gates spent, so it costs nothing.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import aiosqlite

from bot.jobs.job import Asker, DailyQuotaSpent, QueueFull, TooManyAtOnce, TooSoon
from pipelines.contracts import AnyMode, Request
from storage import quotas, turns
from storage.jobs import Job, Jobs, NewJob


class Limits(Protocol):
    """What one user, and all together, may ask for; ``bot.config`` has the real one."""

    @property
    def queue_size(self) -> int:
        """Jobs waiting, all users together."""
        ...

    @property
    def in_flight_per_user(self) -> int:
        """Jobs waiting or running, of one user."""
        ...

    @property
    def burst(self) -> int:
        """Jobs a user may submit at once after a rest."""
        ...

    @property
    def refill_per_minute(self) -> float:
        """Jobs a minute a user may submit for long."""
        ...

    @property
    def daily_units(self) -> int:
        """Cost units a user may spend on one UTC day."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """What the gates see of a request: whose it is, its cost in units, the time (Unix seconds)."""

    user_id: int
    cost: int
    now: float


class Gate(Protocol):
    """One admission rule. Returning means yes."""

    async def check(self, connection: aiosqlite.Connection, entry: Entry) -> None:
        """Decide, and spend if there is something to spend, inside the caller's transaction.

        Raises:
            Rejected: no.
        """
        ...


class QueueSize:
    """At most ``size`` jobs wait. ``turn_s`` tells in how many seconds the queue moves by one."""

    def __init__(self, size: int, turn_s: Callable[[], Awaitable[float]]) -> None:
        self._size = size
        self._turn_s = turn_s

    async def check(self, connection: aiosqlite.Connection, entry: Entry) -> None:  # noqa: ARG002
        """Look at the queue."""
        if await turns.waiting_total(connection) >= self._size:
            raise QueueFull(size=self._size, wait_s=await self._turn_s())


class InFlight:
    """At most ``limit`` jobs of one user wait or run."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    async def check(self, connection: aiosqlite.Connection, entry: Entry) -> None:
        """Look at the user's jobs."""
        if await turns.in_flight_of(connection, entry.user_id) >= self._limit:
            raise TooManyAtOnce(limit=self._limit)


class TokenBucket:
    """A user may submit ``burst`` jobs at once, and ``refill_per_minute`` for long."""

    def __init__(self, burst: int, refill_per_minute: float) -> None:
        self._burst = burst
        self._refill_per_s = refill_per_minute / 60

    async def check(self, connection: aiosqlite.Connection, entry: Entry) -> None:
        """Spend a token."""
        wait_s = await quotas.take_token(
            connection,
            entry.user_id,
            entry.now,
            burst=self._burst,
            refill_per_s=self._refill_per_s,
        )
        if wait_s > 0:
            raise TooSoon(wait_s=wait_s)


class DailyQuota:
    """A user may spend ``limit`` units on one UTC day."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    async def check(self, connection: aiosqlite.Connection, entry: Entry) -> None:
        """Spend ``cost`` units."""
        spent = await quotas.spent_today(connection, entry.user_id, entry.now)
        if spent + entry.cost > self._limit:
            raise DailyQuotaSpent(
                cost=entry.cost,
                left=max(0, self._limit - spent),
                limit=self._limit,
                wait_s=quotas.until_tomorrow_s(entry.now),
            )
        await quotas.spend(connection, entry.user_id, entry.cost, entry.now)


def gates_of(limits: Limits, turn_s: Callable[[], Awaitable[float]]) -> tuple[Gate, ...]:
    """The gates in their order."""
    return (
        QueueSize(limits.queue_size, turn_s),
        InFlight(limits.in_flight_per_user),
        TokenBucket(limits.burst, limits.refill_per_minute),
        DailyQuota(limits.daily_units),
    )


@dataclass(frozen=True, slots=True)
class Admitted:
    """The job a request has led to, now or before, and how many are ahead of it."""

    job: Job
    ahead: int
    is_new: bool


class Admission:
    """Turns requests into queued jobs."""

    def __init__(
        self, jobs: Jobs, gates: Sequence[Gate], clock: Callable[[], float] = time.time
    ) -> None:
        self._jobs = jobs
        self._gates = gates
        self._clock = clock

    async def admit(
        self, asker: Asker, mode: AnyMode, request: Request, parent_id: int | None = None
    ) -> Admitted:
        """Queue ``request``, or find the job its origin has led to already, which is free.

        Raises:
            Rejected: a gate said no; nothing is spent.
        """
        entry = Entry(asker.user_id, mode.cost * request.pictures, self._clock())
        async with self._jobs.db.transaction() as connection:
            job = await self._jobs.by_origin(connection, asker.origin)
            is_new = job is None
            if job is None:
                for gate in self._gates:
                    await gate.check(connection, entry)
                new = _new_job(asker, mode, request, entry.cost, parent_id)
                job = await self._jobs.insert(connection, new, entry.now)
            ahead = await turns.ahead_of(connection, job)
        return Admitted(job, ahead, is_new)


def _new_job(
    asker: Asker, mode: AnyMode, request: Request, cost: int, parent_id: int | None
) -> NewJob:
    return NewJob(
        origin=asker.origin,
        user_id=asker.user_id,
        chat_id=asker.chat_id,
        thread_id=asker.thread_id,
        reply_to_message_id=asker.reply_to_message_id,
        language=asker.language,
        mode=mode.name,
        request=request.model_dump_json(),
        batch_key=request.batch_key,
        pictures=request.pictures,
        cost=cost,
        parent_id=parent_id,
    )
