from dataclasses import asdict

import pytest

from storage.database import Database
from storage.people import People, Settings
from tests.storage.stock import FakeClock, is_marked_blocked


@pytest.fixture
def people(db: Database, clock: FakeClock) -> People:
    return People(db, clock)


async def test_a_stranger_has_the_defaults(people: People) -> None:
    assert await people.settings(1) == Settings()


async def test_each_setting_can_be_changed_and_stays(people: People) -> None:
    chosen = Settings("ru", "16:9", "flash", "anime", as_file=True, beautify=False)
    for name, value in asdict(chosen).items():
        changed = await people.change(1, **{name: value})
        assert getattr(changed, name) == value
    assert await people.settings(1) == chosen
    assert await people.settings(2) == Settings()


async def test_a_setting_can_be_taken_back(people: People) -> None:
    await people.change(1, language="ru", quality="flash")
    assert await people.change(1, language=None) == Settings(quality="flash")


async def test_a_setting_that_does_not_exist_is_an_error(people: People) -> None:
    with pytest.raises(TypeError):
        await people.change(1, colour="red")


async def test_being_seen_changes_no_setting(people: People, db: Database) -> None:
    await people.change(1, style="anime")
    await people.seen(1, "en")
    assert await people.settings(1) == Settings(style="anime")


async def test_someone_who_writes_again_is_not_blocked(
    people: People, db: Database, clock: FakeClock
) -> None:
    assert not await is_marked_blocked(db, 1)
    await people.mark_blocked(1)
    assert await is_marked_blocked(db, 1)
    first = clock.now
    await people.seen(1, "ru")
    assert not await is_marked_blocked(db, 1)
    clock.now += 5
    await people.seen(1, None)
    [person] = await db.rows("SELECT first_seen_at, last_seen_at FROM people")
    assert tuple(person) == (first, first + 5)
    await people.mark_blocked(1)
    await people.unblock(1)
    assert not await is_marked_blocked(db, 1)
