"""A program to be killed: the whole job service over real tables, busy at every line.

    python -m tests.jobs.victim FOLDER SEED [--finish]

It submits and cancels jobs without end and notes every accepted one; with ``--finish`` it takes
no new ones, brings the old ones to their end and exits.
"""

import asyncio
import os
import random
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from bot.jobs.ports import Running, Waiting
from bot.jobs.service import JobService
from pipelines.contracts import Event, Finished, Progressed, Work, WorkerDied
from storage.blobs import Blobs
from storage.database import Database
from storage.jobs import Job, Jobs
from tests.jobs.fakes import MODES, FakeLimits, Sketch, asker, drawn


class Log:
    """Lines that survive a kill, each written at once."""

    def __init__(self, path: Path) -> None:
        self.lines = path.read_text().split("\n") if path.exists() else []
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def add(self, line: str) -> None:
        self.lines.append(line)
        os.write(self._file, f"{line}\n".encode())


class HastyEngine:
    """Takes some milliseconds a batch; its worker dies now and then."""

    slots = 2

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def cancel(self, job_id: int) -> None: ...

    async def run(self, batch: Sequence[Work]) -> AsyncGenerator[Event, None]:
        for work in batch:
            yield Progressed(work.job_id, 1, 2, None)
            await asyncio.sleep(self._chance.random() * 0.01)
            if self._chance.random() < 0.05:
                raise WorkerDied(had_begun=True)
            yield Finished(work.job_id, drawn(work))


class LoggedDelivery:
    """A chat that knows what it has, as an edited card does: told twice, it holds it once."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def show(self, job: Job, view: Waiting | Running) -> None: ...

    async def deliver(self, job: Job) -> None:
        await asyncio.sleep(0.001)
        if not any(line.split()[0] == str(job.id) for line in self._log.lines if line):
            self._log.add(f"{job.id} {job.state}")


async def submit_without_end(service: JobService, log: Log, chance: random.Random) -> None:
    while True:
        user_id = chance.randint(1, 6)
        number = chance.getrandbits(60)
        request = Sketch(n=chance.randint(1, 3), size=chance.choice(["small", "large"]))
        job = await service.submit(asker(user_id, f"message {number}"), "sketch", request)
        log.add(f"{job.id}")
        if chance.random() < 0.2:
            await service.cancel(job.id, user_id)
        if await service.totals() > (10, 0):
            await asyncio.sleep(0.02)


async def finish(service: JobService, jobs: Jobs) -> None:
    async with asyncio.timeout(120):
        while await service.totals() != (0, 0) or await jobs.untold():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await service.stop(grace_s=5)


async def main(folder: Path, seed: int, *, is_last: bool) -> None:
    chance = random.Random(seed)
    db = await Database.open(folder / "bot.sqlite")
    jobs = Jobs(db)
    service = JobService(
        engine=HastyEngine(chance),
        delivery=LoggedDelivery(Log(folder / "delivered.log")),
        jobs=jobs,
        blobs=Blobs(folder / "blobs", db, lifetime_s=1e6, max_bytes=10**9),
        modes=MODES,
        limits=FakeLimits(),
        batch_pictures=4,
    )
    await service.start()
    if is_last:
        await finish(service, jobs)
    else:
        await submit_without_end(service, Log(folder / "accepted.log"), chance)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), is_last="--finish" in sys.argv))
