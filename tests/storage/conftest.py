from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database import Database
from storage.jobs import Jobs
from tests.storage.stock import FakeClock


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "bot.sqlite")
    yield database
    await database.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def jobs(db: Database, clock: FakeClock) -> Jobs:
    return Jobs(db, clock)
