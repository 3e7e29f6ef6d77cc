import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.jobs.ports import ChatGone
from bot.jobs.telling import AT_ONCE, Teller
from storage.people import People
from tests.jobs.conftest import Rig
from tests.jobs.fakes import until, until_told
from tests.storage.stock import is_marked_blocked, put


@pytest.fixture
async def teller(rig: Rig) -> AsyncIterator[Teller]:
    teller = Teller(
        jobs=rig.jobs,
        people=People(rig.db, rig.clock),
        delivery=rig.delivery,
        first_pause_s=0.01,
        longest_pause_s=0.02,
    )
    yield teller
    await teller.stop()


async def cancelled(rig: Rig, user_id: int = 1, *, chat_id: int | None = None) -> int:
    """A job that is over and not told."""
    job = await put(rig.jobs, f"origin {user_id} of {chat_id}", user_id=user_id)
    if chat_id is not None:
        async with rig.db.transaction() as connection:
            await connection.execute("UPDATE jobs SET chat_id = ? WHERE id = ?", (chat_id, job.id))
    await rig.jobs.cancel(job.id)
    return job.id


async def test_a_delivery_that_fails_is_repeated_until_it_works(
    rig: Rig, teller: Teller, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = await cancelled(rig)
    rig.delivery.faults[job_id] = [OSError("no network")] * 4
    teller.tell(job_id)
    await until_told(rig.jobs, job_id)
    assert rig.delivery.attempts == [job_id] * 5
    assert len(rig.delivery.delivered) == 1
    assert f"job {job_id}: telling failed" in caplog.text


async def test_one_chat_that_fails_holds_up_no_other(rig: Rig, teller: Teller) -> None:
    ill = [await cancelled(rig, user_id) for user_id in range(AT_ONCE + 2)]
    for job_id in ill:
        rig.delivery.faults[job_id] = [OSError("no network")] * 10_000
        teller.tell(job_id)
    well = await cancelled(rig, 100)
    teller.tell(well)
    await until_told(rig.jobs, well)


async def test_a_flooded_chat_takes_one_place_and_holds_up_no_other(
    rig: Rig, teller: Teller
) -> None:
    rig.delivery.gate.clear()
    flooded = [await cancelled(rig, user_id, chat_id=-77) for user_id in range(AT_ONCE + 2)]
    for job_id in flooded:
        teller.tell(job_id)
    await until(lambda: rig.delivery.at_once == 1)
    other = await cancelled(rig, 100)
    teller.tell(other)
    await until(lambda: rig.delivery.attempts[1:] == [other])
    rig.delivery.gate.set()
    await until_told(rig.jobs, *flooded, other)


async def test_a_job_that_can_never_be_told_is_given_up_and_lets_its_pictures_go(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    people = People(rig.db, rig.clock)
    teller = Teller(
        jobs=rig.jobs,
        people=people,
        delivery=rig.delivery,
        first_pause_s=0.01,
        longest_pause_s=0.01,
        patience_s=0.05,
    )
    job_id = await cancelled(rig)
    rig.delivery.faults[job_id] = [OSError("no right to send photos")] * 1000
    teller.tell(job_id)
    await until_told(rig.jobs, job_id)
    assert 2 <= len(rig.delivery.attempts) <= 6
    assert f"job {job_id}: its chat could not be told" in caplog.text
    await teller.stop()


async def test_telling_a_job_twice_at_once_delivers_it_once(rig: Rig, teller: Teller) -> None:
    job_id = await cancelled(rig)
    for _ in range(5):
        teller.tell(job_id)
    assert teller.is_telling(job_id)
    await until_told(rig.jobs, job_id)
    await teller.drain(1)
    teller.tell(job_id)
    await teller.drain(1)
    assert rig.delivery.attempts == [job_id]
    assert not teller.is_telling(job_id)


async def test_only_so_many_chats_are_told_at_once(rig: Rig, teller: Teller) -> None:
    rig.delivery.gate.clear()
    job_ids = [await cancelled(rig, user_id) for user_id in range(3 * AT_ONCE)]
    await teller.tell_all()
    await until(lambda: rig.delivery.at_once == AT_ONCE)
    await asyncio.sleep(0.02)
    rig.delivery.gate.set()
    await until_told(rig.jobs, *job_ids)
    assert rig.delivery.most_at_once == AT_ONCE


async def test_who_blocked_the_bot_is_noted_and_not_bothered_again(
    rig: Rig, teller: Teller
) -> None:
    job_id = await cancelled(rig, 5)
    rig.delivery.faults[job_id] = [ChatGone()]
    teller.tell(job_id)
    await until_told(rig.jobs, job_id)
    assert rig.delivery.attempts == [job_id]
    assert await is_marked_blocked(rig.db, 5)


async def test_a_group_that_is_gone_says_nothing_of_the_user(rig: Rig, teller: Teller) -> None:
    job_id = await cancelled(rig, 5, chat_id=-77)
    rig.delivery.faults[job_id] = [ChatGone()]
    teller.tell(job_id)
    await until_told(rig.jobs, job_id)
    assert not await is_marked_blocked(rig.db, 5)


async def test_a_job_that_is_not_over_is_not_told(rig: Rig, teller: Teller) -> None:
    job = await put(rig.jobs, "origin")
    teller.tell(job.id)
    teller.tell(job.id + 1)
    await teller.drain(1)
    assert rig.delivery.attempts == []
