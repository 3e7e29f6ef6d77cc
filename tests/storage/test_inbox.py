import pytest

from storage.database import Database
from storage.inbox import Inbox
from tests.storage.stock import FakeClock


@pytest.fixture
def inbox(db: Database, clock: FakeClock) -> Inbox:
    return Inbox(db, clock)


async def test_an_update_is_taken_once(inbox: Inbox) -> None:
    assert await inbox.put(7, "first")
    assert not await inbox.put(7, "again")
    assert await inbox.pending() == [(7, "first")]


async def test_pending_updates_come_in_the_order_of_their_ids(inbox: Inbox) -> None:
    for update_id in (9, 7, 8):
        await inbox.put(update_id, f"{update_id}")
    await inbox.done(8)
    assert await inbox.pending() == [(7, "7"), (9, "9")]


async def test_a_handled_update_is_still_known(inbox: Inbox, db: Database) -> None:
    await inbox.put(7, "secret words")
    await inbox.done(7)
    assert not await inbox.put(7, "again")
    assert await inbox.pending() == []
    assert [tuple(update) for update in await db.rows("SELECT payload FROM inbox")] == [("",)]


async def test_attempts_are_counted(inbox: Inbox) -> None:
    await inbox.put(7, "a")
    assert [await inbox.attempt(7) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(KeyError):
        await inbox.attempt(8)


async def test_an_album_is_attempted_and_done_as_one(inbox: Inbox) -> None:
    for update_id in (7, 8, 9):
        await inbox.put(update_id, "a")
    assert await inbox.attempt(7) == 1
    assert await inbox.attempt(7, 8) == 2
    await inbox.interrupted(7, 8)
    assert await inbox.attempt(8) == 2
    with pytest.raises(KeyError):
        await inbox.attempt(9, 10)
    assert await inbox.attempt(9) == 1, "all of them, or none"
    await inbox.done(7, 8)
    assert await inbox.pending() == [(9, "a")]


async def test_only_handled_updates_are_forgotten(inbox: Inbox, clock: FakeClock) -> None:
    for update_id in (1, 2):
        await inbox.put(update_id, "a")
    await inbox.done(1)
    clock.now += 100
    await inbox.put(3, "a")
    await inbox.done(3)
    assert await inbox.forget_older_than(50) == 1
    assert await inbox.put(1, "a")
    assert not await inbox.put(2, "a")
    assert not await inbox.put(3, "a")
