from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.jobs.admission import Limits
from bot.jobs.service import JobService
from storage.blobs import Blobs
from storage.database import Database
from storage.jobs import Jobs
from tests.jobs.fakes import MODES, FakeEngine, FakeLimits, RecordingDelivery
from tests.storage.stock import FakeClock


@dataclass
class Rig:
    """Real tables and pictures on a disk, with the outside world around them faked."""

    folder: Path
    db: Database
    clock: FakeClock = field(default_factory=FakeClock)
    engine: FakeEngine = field(default_factory=FakeEngine)
    delivery: RecordingDelivery = field(default_factory=RecordingDelivery)
    services: list[JobService] = field(default_factory=list)

    @property
    def jobs(self) -> Jobs:
        return Jobs(self.db, self.clock)

    @property
    def blobs(self) -> Blobs:
        return Blobs(
            self.folder / "blobs", self.db, lifetime_s=1e6, max_bytes=10**9, clock=self.clock
        )

    def service(self, limits: Limits | None = None, batch_pictures: int = 4) -> JobService:
        """A service that is not started yet."""
        service = JobService(
            engine=self.engine,
            delivery=self.delivery,
            jobs=self.jobs,
            blobs=self.blobs,
            modes=MODES,
            limits=limits or FakeLimits(),
            batch_pictures=batch_pictures,
            clock=self.clock,
        )
        self.services.append(service)
        return service

    async def started(self, batch_pictures: int = 4) -> JobService:
        service = self.service(batch_pictures=batch_pictures)
        await service.start()
        return service

    async def restart(self) -> JobService:
        """Kill what runs, as far as a test inside one process can, and start anew."""
        for service in self.services:
            await kill(service)
        self.services.clear()
        self.engine, self.delivery = FakeEngine(), RecordingDelivery()
        return await self.started()


async def kill(service: JobService) -> None:
    """End every task where it stands; nothing is put in order."""
    await service._loops.stop()
    await service._scheduler.stop()
    await service._teller._tasks.stop()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    db = await Database.open(tmp_path / "bot.sqlite")
    rig = Rig(tmp_path, db)
    yield rig
    for service in rig.services:
        await kill(service)
    await db.close()
