"""Whose turn it is: examples first, then any history that can happen."""

import asyncio
import random
import tempfile
from collections import Counter, defaultdict
from itertools import chain
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import turns
from storage.database import Database
from storage.job import Job
from storage.jobs import JobResult, Jobs
from tests.storage.stock import FakeClock, assert_sums_are_right, put, put_many

NOTHING: Final = JobResult((), 1.0)


async def claimed(jobs: Jobs, limit_pictures: int = 1) -> list[int]:
    return [job.id for job in await jobs.claim(limit_pictures)]


async def test_nobody_waits_behind_one_persons_hundred_jobs(jobs: Jobs) -> None:
    for number in range(100):
        await put(jobs, f"greedy {number}", user_id=1)
    modest = await put(jobs, "modest", user_id=2)
    assert await jobs.waiting_view(modest) == 1
    assert await claimed(jobs) == [1]
    assert await claimed(jobs) == [modest.id]


async def test_users_take_turns_and_each_ones_jobs_keep_their_order(jobs: Jobs) -> None:
    for user_id in (1, 2, 3):
        for number in range(3):
            await put(jobs, f"{user_id}-{number}", user_id=user_id)
    order = [(await jobs.claim(1))[0] for _ in range(9)]
    assert [job.user_id for job in order] == [1, 2, 3] * 3
    assert [job.id for job in order] == [1, 4, 7, 2, 5, 8, 3, 6, 9]


async def test_coming_back_is_no_way_to_the_front(jobs: Jobs) -> None:
    await put(jobs, "1-0", user_id=1)
    await put(jobs, "2-0", user_id=2)
    await put(jobs, "3-0", user_id=3)
    await claimed(jobs)
    back = await put(jobs, "1-1", user_id=1)
    assert await jobs.waiting_view(back) == 2


async def test_jobs_of_one_kind_share_a_batch_others_first(jobs: Jobs) -> None:
    for number in range(3):
        await put(jobs, f"1-{number}", user_id=1, batch_key="small")
    await put(jobs, "2-0", user_id=2, batch_key="large")
    await put(jobs, "3-0", user_id=3, batch_key="small")
    await put(jobs, "4-0", user_id=4, batch_key="small", mode="upscale")
    assert await claimed(jobs, 4) == [1, 5, 2, 3]
    assert await claimed(jobs, 4) == [4]
    assert await claimed(jobs, 4) == [6]


async def test_a_batch_never_overtakes_within_one_user(jobs: Jobs) -> None:
    await put(jobs, "1-0", user_id=1, batch_key="small")
    await put(jobs, "2-0", user_id=2, batch_key="large")
    await put(jobs, "2-1", user_id=2, batch_key="small")
    assert await claimed(jobs, 4) == [1]


async def test_a_batch_holds_as_many_pictures_as_fit(jobs: Jobs) -> None:
    await put(jobs, "1-0", user_id=1, pictures=2)
    await put(jobs, "2-0", user_id=2, pictures=3)
    await put(jobs, "3-0", user_id=3, pictures=1)
    await put(jobs, "4-0", user_id=4, pictures=1)
    assert await claimed(jobs, 4) == [1, 3, 4]
    assert await claimed(jobs, 4) == [2]


async def test_a_job_larger_than_a_batch_runs_alone(jobs: Jobs) -> None:
    await put(jobs, "1-0", user_id=1, pictures=6)
    await put(jobs, "2-0", user_id=2)
    assert await claimed(jobs, 4) == [1]


async def test_a_job_that_killed_the_worker_runs_alone(jobs: Jobs) -> None:
    for user_id in (1, 2, 3):
        await put(jobs, f"{user_id}-0", user_id=user_id)
    assert await claimed(jobs, 2) == [1, 2]
    await jobs.requeue(1, crashed=True)
    await jobs.requeue(2, crashed=True)
    assert await claimed(jobs, 4) == [1]
    assert await claimed(jobs, 4) == [2]
    assert await claimed(jobs, 4) == [3]


async def test_a_crowd_before_one_is_never_counted_too_small(jobs: Jobs, db: Database) -> None:
    crowd = turns.RING_LOOK + 50
    await put_many(db, 2 * crowd, users=crowd)
    last = await put(jobs, "last", user_id=1)
    assert await jobs.waiting_view(last) == crowd
    middle = (await jobs.of_user(1000 + turns.RING_LOOK + 10, ["queued"]))[0]
    assert turns.RING_LOOK + 10 <= await jobs.waiting_view(middle) <= crowd


STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 4), st.integers(0, 1), st.integers(1, 3)),
        st.tuples(st.just("claim"), st.integers(1, 5)),
        st.tuples(st.sampled_from(["finish", "crash", "requeue", "cancel"]), st.integers(0, 30)),
        st.tuples(st.sampled_from(["recover", "release", "tidy"])),
    ),
    max_size=40,
)


class History:
    """A queue and what an outsider remembers of it."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self.waiting: defaultdict[int, list[int]] = defaultdict(list)
        self.running: list[Job] = []
        self.ended: Counter[int] = Counter()
        self.count = 0

    async def step(self, name: str, *arguments: int) -> None:
        await getattr(self, f"do_{name}")(*arguments)
        await self.check()

    async def do_put(self, user_id: int, kind: int, pictures: int) -> None:
        self.count += 1
        job = await put(
            self.jobs,
            f"job {self.count}",
            user_id=user_id,
            batch_key=f"kind {kind}",
            pictures=pictures,
        )
        self.waiting[user_id].append(job.id)

    async def do_claim(self, limit_pictures: int) -> None:
        front = await self.jobs.front(1)
        batch = await self.jobs.claim(limit_pictures)
        assert [job.id for job in front] == [job.id for job in batch[:1]]
        for job in batch:
            assert job.id == self.waiting[job.user_id].pop(0), "overtaken by a younger one"
        assert len({(job.mode, job.batch_key) for job in batch}) <= 1
        assert len(batch) <= 1 or sum(job.pictures for job in batch) <= limit_pictures
        assert len(batch) <= 1 or not any(job.crashes for job in batch)
        self.running += batch

    def pick(self, number: int) -> Job | None:
        return self.running.pop(number % len(self.running)) if self.running else None

    async def do_finish(self, number: int) -> None:
        if job := self.pick(number):
            assert await self.jobs.finish(job.id, NOTHING)
            self.ended[job.id] += 1
            assert not await self.jobs.finish(job.id, NOTHING)

    async def do_crash(self, number: int) -> None:
        if job := self.pick(number):
            assert await self.jobs.requeue(job.id, crashed=True)
            self.back(job)

    async def do_requeue(self, number: int) -> None:
        if job := self.pick(number):
            assert await self.jobs.requeue(job.id, crashed=False)
            self.back(job)

    async def do_cancel(self, number: int) -> None:
        known = self.count and number % self.count + 1
        was = await self.jobs.cancel(known)
        if was == "queued":
            next(ids for ids in self.waiting.values() if known in ids).remove(known)
        self.running = [job for job in self.running if job.id != known]
        self.ended[known] += was is not None

    async def do_recover(self) -> None:
        await self.jobs.recover()
        await self.reread()

    async def do_tidy(self) -> None:
        await turns.forget_idle(self.jobs.db)
        kept = {turn["user_id"] for turn in await self.jobs.db.rows("SELECT user_id FROM turns")}
        busy = {job.user_id for job in self.running}
        assert kept == busy | {user_id for user_id, ids in self.waiting.items() if ids}

    async def do_release(self) -> None:
        await self.jobs.release()
        await self.reread()

    async def reread(self) -> None:
        for job in self.running:
            if (await self.jobs.get(job.id)).state == "queued":
                self.back(job)
            else:
                self.ended[job.id] += 1
        self.running = []

    def back(self, job: Job) -> None:
        self.waiting[job.user_id] = sorted([*self.waiting[job.user_id], job.id])

    async def check(self) -> None:
        await assert_sums_are_right(self.jobs.db)
        assert all(times <= 1 for times in self.ended.values())
        stored = await self.jobs.db.rows("SELECT id, state FROM jobs")
        over = {job["id"] for job in stored if job["state"] not in ("queued", "running")}
        assert over == {job_id for job_id, times in self.ended.items() if times}
        assert {job["id"] for job in stored if job["state"] == "running"} == {
            job.id for job in self.running
        }
        front = await self.jobs.front(100)
        assert sorted(job.id for job in front) == sorted(chain(*self.waiting.values()))
        for ahead, job in enumerate(front):
            assert await self.jobs.waiting_view(job) == ahead


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_no_history_loses_doubles_or_misplaces_a_job(steps: list[tuple[str, int]]) -> None:
    async def live() -> None:
        with tempfile.TemporaryDirectory() as folder:
            db = await Database.open(Path(folder) / "bot.sqlite")
            try:
                history = History(Jobs(db, FakeClock()))
                for name, *arguments in steps:
                    await history.step(name, *arguments)
            finally:
                await db.close()

    asyncio.run(live())


async def test_between_two_turns_of_one_user_every_other_leads_at_most_once(jobs: Jobs) -> None:
    """However many arrive meanwhile: this is what bounds everybody's wait."""
    chance = random.Random(7)
    led_since: defaultdict[int, Counter[int]] = defaultdict(Counter)
    served = 0
    for number in range(400):
        if chance.random() < 0.6:
            user_id = chance.randint(1, 8)
            if not await jobs.of_user(user_id, ["queued"]):
                led_since[user_id].clear()
            await put(jobs, f"{number}", user_id=user_id, batch_key=chance.choice("ab"))
            continue
        batch = await jobs.claim(3)
        if not batch:
            continue
        served += len(batch)
        for counts in led_since.values():
            counts[batch[0].user_id] += 1
        for job in batch:
            led_since[job.user_id].clear()
        waiting = {job.user_id for job in await jobs.front(500)}
        for user_id in waiting:
            assert max(led_since[user_id].values(), default=0) <= 1
    assert served > 100
