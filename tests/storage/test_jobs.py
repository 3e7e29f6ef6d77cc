import json

import pytest

from storage import quotas
from storage.database import Database
from storage.jobs import CLAIMS_MAX, Card, JobResult, Jobs, NoSuchJobRow, ResultPicture
from tests.storage.stock import FakeClock, assert_sums_are_right, put, put_many

RESULT = JobResult((ResultPicture("p" * 64, "j" * 64, 7, 64, 96),), seconds=1.5)


async def units(db: Database, clock: FakeClock, user_id: int = 1) -> int:
    async with db.transaction() as connection:
        return await quotas.spent_today(connection, user_id, clock())


async def spend(db: Database, clock: FakeClock, cost: int, user_id: int = 1) -> None:
    async with db.transaction() as connection:
        await quotas.spend(connection, user_id, cost, clock())


async def test_a_job_goes_from_queued_to_delivered(jobs: Jobs, clock: FakeClock) -> None:
    job = await put(jobs, "a")
    assert (job.state, job.attempts, job.told) == ("queued", 0, False)
    clock.now += 1
    [running] = await jobs.claim(4)
    assert (running.id, running.state, running.attempts) == (job.id, "running", 1)
    assert running.started_at == clock.now
    clock.now += 2
    assert await jobs.finish(job.id, RESULT)
    done = await jobs.get(job.id)
    assert (done.state, done.result, done.finished_at) == ("done", RESULT, clock.now)
    assert [untold.id for untold in await jobs.untold()] == [job.id]
    await jobs.mark_told(job.id)
    told = await jobs.get(job.id)
    assert (told.state, told.told) == ("delivered", True)
    assert await jobs.untold() == []


async def test_an_unknown_job_is_an_error(jobs: Jobs) -> None:
    with pytest.raises(NoSuchJobRow):
        await jobs.get(1)


async def test_only_a_running_job_can_be_finished(jobs: Jobs) -> None:
    job = await put(jobs, "a")
    assert not await jobs.finish(job.id, RESULT)
    await jobs.claim(1)
    assert await jobs.finish(job.id, RESULT)
    assert not await jobs.finish(job.id, RESULT)
    assert not await jobs.fail(job.id, "error-generation-failed")
    assert not await jobs.requeue(job.id, crashed=False)
    assert await jobs.cancel(job.id) is None


async def test_a_waiting_job_is_cancelled_at_once_and_costs_nothing(
    jobs: Jobs, db: Database, clock: FakeClock
) -> None:
    job = await put(jobs, "a", cost=3)
    await spend(db, clock, 3)
    assert await jobs.cancel(job.id) == "queued"
    assert await jobs.cancel(job.id) is None
    cancelled = await jobs.get(job.id)
    assert cancelled.state == "cancelled"
    assert await units(db, clock) == 0
    assert await jobs.claim(4) == []
    assert [untold.id for untold in await jobs.untold()] == [job.id]


async def test_a_running_job_is_cancelled_for_good_and_paid_for(
    jobs: Jobs, db: Database, clock: FakeClock
) -> None:
    job = await put(jobs, "a", cost=3)
    await spend(db, clock, 3)
    await jobs.claim(4)
    assert await jobs.cancel(job.id) == "running"
    assert (await jobs.get(job.id)).state == "cancelled"
    assert not await jobs.finish(job.id, RESULT)
    assert (await jobs.get(job.id)).result is None
    assert await units(db, clock) == 3
    assert await jobs.recover() == 0


async def test_a_failed_job_gives_its_units_back_to_the_day_they_came_from(
    jobs: Jobs, db: Database, clock: FakeClock
) -> None:
    job = await put(jobs, "a", cost=3)
    await spend(db, clock, 3)
    yesterday = clock.now
    await jobs.claim(4)
    clock.now += quotas.DAY_S
    await spend(db, clock, 5)
    assert await jobs.fail(job.id, "error-out-of-memory")
    failed = await jobs.get(job.id)
    assert (failed.state, failed.error_code) == ("failed", "error-out-of-memory")
    assert await units(db, clock) == 5
    clock.now = yesterday
    assert await units(db, clock) == 0


async def test_a_crashed_job_returns_to_its_old_place(jobs: Jobs) -> None:
    first, second = await put(jobs, "a", user_id=1), await put(jobs, "b", user_id=2)
    third = await put(jobs, "c", user_id=1)
    [claimed] = await jobs.claim(1)
    assert claimed.id == first.id
    await jobs.requeue(first.id, crashed=True)
    assert [job.id for job in await jobs.front(9)] == [first.id, second.id, third.id]
    again = await jobs.get(first.id)
    assert (again.crashes, again.attempts, again.started_at) == (1, 1, None)


async def test_a_job_cut_short_by_a_stop_keeps_its_attempts(jobs: Jobs) -> None:
    job = await put(jobs, "a")
    await jobs.claim(1)
    await jobs.requeue(job.id, crashed=False)
    again = await jobs.get(job.id)
    assert (again.state, again.crashes, again.attempts) == ("queued", 0, 0)
    await jobs.claim(1)
    assert await jobs.release() == 1
    assert (await jobs.get(job.id)).attempts == 0


async def test_what_a_dead_program_ran_is_queued_again_but_not_for_ever(
    jobs: Jobs, db: Database, clock: FakeClock
) -> None:
    job = await put(jobs, "a", cost=2)
    await spend(db, clock, 2)
    for attempt in range(1, CLAIMS_MAX):
        await jobs.claim(1)
        assert await jobs.recover() == 1
        assert (await jobs.get(job.id)).attempts == attempt
    await jobs.claim(1)
    assert await jobs.recover() == 0
    assert (await jobs.get(job.id)).error_code == "error-generation-failed"
    assert await units(db, clock) == 0


async def test_a_card_is_kept_with_its_job(jobs: Jobs) -> None:
    job = await put(jobs, "a")
    assert job.card is None
    card = Card(message_id=55, has_media=True, stage="placeholder")
    await jobs.set_card(job.id, card)
    assert (await jobs.get(job.id)).card == card


async def test_telegrams_names_are_kept_with_the_pictures(jobs: Jobs) -> None:
    job = await put(jobs, "a")
    await jobs.claim(1)
    await jobs.finish(job.id, RESULT)
    await jobs.set_file_ids(job.id, ["AgAC"])
    result = (await jobs.get(job.id)).result
    assert result is not None
    assert [picture.file_id for picture in result.pictures] == ["AgAC"]
    with pytest.raises(ValueError, match="longer"):
        await jobs.set_file_ids(job.id, ["AgAC", "AgAD"])


async def test_a_users_jobs_are_found_by_state(jobs: Jobs) -> None:
    first, second = await put(jobs, "a"), await put(jobs, "b")
    await put(jobs, "c", user_id=2)
    await jobs.cancel(first.id)
    assert [job.id for job in await jobs.of_user(1, ["queued", "running"])] == [second.id]
    assert [job.id for job in await jobs.of_user(1, ["cancelled", "queued"])] == [1, 2]


async def test_totals_count_everybody(jobs: Jobs) -> None:
    for user_id in (1, 2, 3):
        await put(jobs, f"job of {user_id}", user_id=user_id, batch_key=str(user_id))
    await jobs.claim(4)
    assert await jobs.totals() == (2, 1)
    assert [job.user_id for job in await jobs.running()] == [1]


async def test_only_old_jobs_whose_chats_know_are_forgotten(
    jobs: Jobs, db: Database, clock: FakeClock
) -> None:
    await put_many(db, 2500, users=7, state="delivered")
    untold, waiting = await put(jobs, "untold"), await put(jobs, "waiting", user_id=2)
    await jobs.cancel(untold.id)
    clock.now += 100
    fresh = await put(jobs, "fresh")
    await jobs.cancel(fresh.id)
    await jobs.mark_told(fresh.id)
    assert await jobs.forget_older_than(50) == 2500
    left = await db.rows("SELECT id FROM jobs ORDER BY id")
    assert [job["id"] for job in left] == [untold.id, waiting.id, fresh.id]
    await assert_sums_are_right(db)


async def test_a_forgotten_jobs_number_is_never_given_again(jobs: Jobs, clock: FakeClock) -> None:
    job = await put(jobs, "a")
    await jobs.cancel(job.id)
    await jobs.mark_told(job.id)
    clock.now += 1
    assert await jobs.forget_older_than(0) == 1
    assert (await put(jobs, "b")).id > job.id


async def test_the_words_that_are_drawn_complete_a_running_jobs_request(jobs: Jobs) -> None:
    request = '{"seed":4294967295,"prompt":"лиса 🦊 \\"в\\" кафе","drawn":null}'
    job = await put(jobs, "a", request=request)
    drawn = {"words": 'a fox 🦊 in a "café"', "code": None}
    assert not await jobs.set_drawn(job.id, json.dumps(drawn))  # it waits; nobody drew anything
    await jobs.claim(1)
    assert await jobs.set_drawn(job.id, json.dumps(drawn))
    kept = (await jobs.get(job.id)).request
    assert json.loads(kept) == {**json.loads(request), "drawn": drawn}
    await jobs.requeue(job.id, crashed=True)
    [again] = await jobs.claim(1)
    assert again.request == kept


async def test_a_job_is_found_by_its_card_and_by_each_message_of_its_album(jobs: Jobs) -> None:
    single, album, other = [await put(jobs, origin) for origin in ("a", "b", "c")]
    await jobs.set_card(single.id, Card(20, has_media=True, stage="final"))
    await jobs.set_card(album.id, Card(34, has_media=False, stage="final:31,32,33"))
    for message_id, job in ((20, single), (31, album), (32, album), (33, album), (34, album)):
        found = await jobs.shown_as(1, message_id)
        assert found is not None
        assert found.id == job.id
    for message_id in (2, 3, 30, 35):
        assert await jobs.shown_as(1, message_id) is None
    assert await jobs.shown_as(2, 20) is None
    assert other.card is None


async def test_of_two_that_could_be_meant_the_card_is(jobs: Jobs) -> None:
    """Where messages are deleted and numbers start anew, an old album may still name a number."""
    old, new = await put(jobs, "a"), await put(jobs, "b")
    await jobs.set_card(old.id, Card(34, has_media=False, stage="final:31,32"))
    await jobs.set_card(new.id, Card(31, has_media=True, stage="final"))
    found = await jobs.shown_as(1, 31)
    assert found is not None
    assert found.id == new.id
