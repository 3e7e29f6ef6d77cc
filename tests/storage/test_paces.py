import pytest

from storage.database import Database
from storage.paces import ALL_KINDS, KEPT_S, WEIGHT, Pace, Paces
from tests.storage.stock import FakeClock


@pytest.fixture
def paces(db: Database, clock: FakeClock) -> Paces:
    return Paces(db, clock)


async def test_nothing_is_known_before_something_is_measured(paces: Paces) -> None:
    assert await paces.all() == {}


async def test_a_batch_is_shared_by_its_jobs_and_pictures(paces: Paces) -> None:
    await paces.record("sketch", "small", seconds=12, jobs=3, pictures=4)
    expected = Pace(picture_s=3, job_s=4)
    assert await paces.all() == {("sketch", "small"): expected, ALL_KINDS: expected}


async def test_the_average_follows_what_is_measured(paces: Paces) -> None:
    await paces.record("sketch", "small", seconds=10, jobs=1, pictures=1)
    await paces.record("sketch", "small", seconds=20, jobs=1, pictures=1)
    assert (await paces.all())["sketch", "small"].job_s == pytest.approx(10 + WEIGHT * 10)
    for _ in range(30):
        await paces.record("sketch", "small", seconds=20, jobs=1, pictures=1)
    assert (await paces.all())["sketch", "small"].job_s == pytest.approx(20, rel=0.01)


async def test_kinds_are_kept_apart(paces: Paces) -> None:
    await paces.record("sketch", "small", seconds=1, jobs=1, pictures=1)
    await paces.record("sketch", "large", seconds=9, jobs=1, pictures=1)
    known = await paces.all()
    assert known["sketch", "small"].picture_s == 1
    assert known["sketch", "large"].picture_s == 9
    assert 1 < known[ALL_KINDS].picture_s < 9


async def test_kinds_nobody_asks_for_are_forgotten(paces: Paces, clock: FakeClock) -> None:
    await paces.record("sketch", "small", seconds=1, jobs=1, pictures=1)
    clock.now += KEPT_S + 1
    await paces.record("sketch", "large", seconds=9, jobs=1, pictures=1)
    assert await paces.forget_old() == 1
    assert set(await paces.all()) == {("sketch", "large"), ALL_KINDS}
