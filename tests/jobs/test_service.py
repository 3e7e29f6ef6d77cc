"""From a request to a told ending, whatever happens on the way."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import pytest

from bot.jobs.attempts import Attempts
from bot.jobs.job import NoSuchJob
from bot.jobs.ports import Running, Waiting
from pipelines.contracts import EngineStopped, Event, Failed, Finished, Output, Work, WorkerDied
from storage.blobs import Blobs
from storage.job import JobResult
from storage.jobs import Jobs
from tests.jobs.conftest import Rig
from tests.jobs.fakes import Sketch, asker, drawn, until, until_told


async def test_a_request_comes_out_as_pictures_in_the_chat(rig: Rig) -> None:
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch(seed=5, n=2))
    await until_told(rig.jobs, job.id)
    job = await rig.jobs.get(job.id)
    assert job.state == "delivered"
    assert job.result is not None
    assert [picture.seed for picture in job.result.pictures] == [5, 6]
    png = await rig.blobs.get(job.result.pictures[1].png_key)
    assert png == f"png of 6 for job {job.id}".encode()
    assert rig.delivery.states() == {job.id: "done"}


async def test_the_card_shows_a_place_and_then_progress(rig: Rig) -> None:
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until_told(rig.jobs, job.id)
    job_id = job.id
    assert [type(view) for _, view in rig.delivery.shown] == [Waiting, Running, Running]
    assert rig.delivery.shown[1] == (job_id, Running(0, 1, None)), "said before it is drawn"
    assert rig.delivery.shown[2] == (job_id, Running(1, 2, b"preview"))


async def test_jobs_of_one_kind_run_together_and_slots_side_by_side(rig: Rig) -> None:
    rig.engine.slots = 2
    rig.engine.gate.clear()
    service = rig.service()
    for number in range(6):
        size = "large" if number % 2 else "small"
        await service.submit(asker(number), "sketch", Sketch(size=size))
    await service.start()
    await until(lambda: len(rig.engine.batches) == 2)
    assert rig.engine.batches == [[1, 3, 5], [2, 4, 6]]
    rig.engine.gate.set()
    await until_told(rig.jobs, 1, 2, 3, 4, 5, 6)


async def test_no_more_is_claimed_than_can_start_now(rig: Rig) -> None:
    rig.engine.gate.clear()
    service = await rig.started(batch_pictures=1)
    for user_id in (1, 2, 3):
        await service.submit(asker(user_id), "sketch", Sketch())
    await until(lambda: bool(rig.engine.batches))
    await asyncio.sleep(0.05)
    assert await service.totals() == (2, 1)


async def test_a_job_that_fails_is_told_with_its_code_and_the_next_one_runs(rig: Rig) -> None:
    rig.engine.fate = lambda work: "error-out-of-memory" if work.job_id == 1 else drawn(work)
    service = await rig.started(batch_pictures=1)
    for user_id in (1, 2):
        await service.submit(asker(user_id), "sketch", Sketch())
    await until_told(rig.jobs, 1, 2)
    assert rig.delivery.states() == {1: "failed", 2: "done"}
    assert (await rig.jobs.get(1)).error_code == "error-out-of-memory"


@pytest.mark.parametrize("fate", [ZeroDivisionError("a bug"), None], ids=["bug", "silence"])
async def test_an_engine_that_breaks_its_word_fails_the_job_alone(
    rig: Rig, fate: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    rig.engine.fate = lambda work: fate if work.job_id == 1 else drawn(work)
    service = await rig.started(batch_pictures=1)
    for user_id in (1, 2):
        await service.submit(asker(user_id), "sketch", Sketch())
    await until_told(rig.jobs, 1, 2)
    assert rig.delivery.states() == {1: "failed", 2: "done"}
    assert (await rig.jobs.get(1)).error_code == "error-generation-failed"
    assert "job 1: the engine reported no outcome" in caplog.text


async def test_a_second_outcome_of_the_same_job_is_ignored(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = rig.engine.run

    async def run_and_repeat(batch: Sequence[Work]) -> AsyncGenerator[Event, None]:
        async for event in run(batch):
            yield event
        yield Failed(batch[0].job_id, "error-generation-failed")

    monkeypatch.setattr(rig.engine, "run", run_and_repeat)
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until_told(rig.jobs, job.id)
    await until(lambda: "heard of again after its end" in caplog.text)
    assert rig.delivery.states() == {job.id: "done"}


async def test_a_request_an_older_version_wrote_fails_instead_of_blocking_the_queue(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    service = rig.service()
    for user_id in (1, 2):
        await service.submit(asker(user_id), "sketch", Sketch())
    async with rig.db.transaction() as connection:
        await connection.execute(
            """UPDATE jobs SET request = '{"colour": "secret words"}' WHERE id = 1"""
        )
    await service.start()
    await until_told(rig.jobs, 1, 2)
    assert rig.delivery.states() == {1: "failed", 2: "done"}
    assert rig.engine.batches == [[2]]
    assert "colour" in caplog.text
    assert "secret words" not in caplog.text


async def test_a_dead_worker_costs_its_job_one_retry(rig: Rig) -> None:
    deaths = [WorkerDied(had_begun=True)]
    rig.engine.fate = lambda work: deaths.pop() if deaths else drawn(work)
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until_told(rig.jobs, job.id)
    job = await rig.jobs.get(job.id)
    assert (job.state, job.crashes, job.attempts) == ("delivered", 1, 2)


async def test_a_worker_that_cannot_start_is_no_fault_of_the_job_it_was_given(rig: Rig) -> None:
    deaths: list[Exception] = [WorkerDied(had_begun=False) for _ in range(7)]
    rig.engine.fate = lambda work: deaths.pop() if deaths else drawn(work)
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until_told(rig.jobs, job.id)
    job = await rig.jobs.get(job.id)
    assert (job.state, job.crashes, job.attempts) == ("delivered", 0, 1)


async def test_an_attempt_that_fails_leaves_no_events_of_the_engine_open(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[list[int]] = []

    async def run(batch: Sequence[Work]) -> AsyncGenerator[Event, None]:
        try:
            for work in batch:
                yield Finished(work.job_id, drawn(work))
        finally:
            left.append([work.job_id for work in batch])

    async def keep(*_: object) -> None:
        assert left == []
        raise ZeroDivisionError

    monkeypatch.setattr(rig.engine, "run", run)
    monkeypatch.setattr(Attempts, "_keep", keep)
    monkeypatch.setattr(Attempts, "_failed", _closed_before(left, Attempts._failed))
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until_told(rig.jobs, job.id)
    assert rig.delivery.states() == {job.id: "failed"}


def _closed_before(left: list[list[int]], failed: Callable[..., Awaitable[None]]) -> object:
    async def fail(*arguments: object) -> None:
        assert left, "closed at once, not when the garbage is collected"
        await failed(*arguments)

    return fail


async def test_a_request_that_kills_the_worker_twice_is_never_run_a_third_time(rig: Rig) -> None:
    deadly = 2
    rig.engine.fate = lambda work: (
        WorkerDied(had_begun=True) if work.job_id == deadly else drawn(work)
    )
    service = rig.service()
    for user_id in (1, deadly, 3):
        await service.submit(asker(user_id), "sketch", Sketch())
    await service.start()
    await until_told(rig.jobs, 1, 2, 3)
    assert rig.delivery.states() == {1: "done", deadly: "failed", 3: "done"}
    assert (await rig.jobs.get(deadly)).error_code == "error-worker-died"
    assert rig.engine.batches == [[1, 2, 3], [2], [3]]


async def test_an_engine_that_stops_by_itself_loses_no_job(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.scheduler.TURNED_AWAY_PAUSE_S", 0.01)
    stops: list[Exception] = [EngineStopped() for _ in range(7)]
    rig.engine.fate = lambda work: stops.pop() if stops else drawn(work)
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until_told(rig.jobs, job.id)
    job = await rig.jobs.get(job.id)
    assert (job.state, job.crashes, job.attempts) == ("delivered", 0, 1)


async def test_a_waiting_job_is_cancelled_and_never_run(rig: Rig) -> None:
    rig.engine.gate.clear()
    service = await rig.started(batch_pictures=1)
    for user_id in (1, 2):
        await service.submit(asker(user_id), "sketch", Sketch())
    assert await service.cancel(2, 2)
    assert not await service.cancel(2, 2)
    rig.engine.gate.set()
    await until_told(rig.jobs, 1, 2)
    assert rig.delivery.states() == {1: "done", 2: "cancelled"}
    assert rig.engine.batches == [[1]]


async def test_a_running_job_is_cancelled_at_once_and_frees_the_device(rig: Rig) -> None:
    rig.engine.gate.clear()
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until(lambda: bool(rig.engine.batches))
    started_s = time.monotonic()
    assert await service.cancel(job.id, 1)
    assert time.monotonic() - started_s < 0.3
    assert not await service.cancel(job.id, 1)
    await until_told(rig.jobs, job.id)
    assert rig.engine.cancelled == [job.id]
    assert rig.delivery.states() == {job.id: "cancelled"}
    second = await service.submit(asker(1), "sketch", Sketch())
    rig.engine.gate.set()
    await until_told(rig.jobs, second.id)


async def test_a_picture_that_comes_after_its_cancel_is_dropped(rig: Rig) -> None:
    rig.engine.gate.clear()
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until(lambda: bool(rig.engine.batches))
    await service.cancel(job.id, 1)
    rig.engine.cancelled.clear()  # the engine has not noticed, and draws on
    rig.engine.gate.set()
    await until(lambda: service._scheduler._busy == 0)
    await until_told(rig.jobs, job.id)
    job = await rig.jobs.get(job.id)
    assert (job.state, job.result) == ("cancelled", None)
    assert rig.delivery.states() == {job.id: "cancelled"}


async def test_a_cancel_between_the_picture_and_its_row_wins(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await rig.started()
    finish = Jobs.finish

    async def finish_after_a_cancel(jobs: Jobs, job_id: int, result: JobResult) -> bool:
        assert await service.cancel(job_id, 1)
        return await finish(jobs, job_id, result)

    monkeypatch.setattr(Jobs, "finish", finish_after_a_cancel)
    job = await service.submit(asker(1), "sketch", Sketch())
    await until_told(rig.jobs, job.id)
    assert rig.delivery.states() == {job.id: "cancelled"}


async def test_a_cancel_the_engine_did_not_hear_is_repeated(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come after the claim and before the engine knows the job."""
    service = rig.service()
    run = Attempts._run

    async def run_after_a_cancel(attempts: Attempts, batch: object) -> bool:
        assert await service.cancel(1, 1)
        rig.engine.cancelled.clear()
        return await run(attempts, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Attempts, "_run", run_after_a_cancel)
    rig.engine.gate.clear()
    await service.submit(asker(1), "sketch", Sketch())
    await service.start()
    await until(lambda: rig.engine.cancelled == [1])
    await until_told(rig.jobs, 1)
    assert rig.delivery.states() == {1: "cancelled"}
    assert not any(isinstance(view, Running) for _, view in rig.delivery.shown)


async def test_nobody_cancels_somebody_elses_job(rig: Rig) -> None:
    service = rig.service()
    job = await service.submit(asker(1), "sketch", Sketch())
    for job_id in (job.id, 999):
        with pytest.raises(NoSuchJob):
            await service.cancel(job_id, 2)
    assert (await rig.jobs.get(job.id)).state == "queued"


async def test_a_finished_job_cannot_be_cancelled(rig: Rig) -> None:
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until_told(rig.jobs, job.id)
    assert not await service.cancel(job.id, 1)


async def test_all_jobs_of_one_user_are_cancelled_and_nobody_elses(rig: Rig) -> None:
    rig.engine.gate.clear()
    service = await rig.started(batch_pictures=1)
    for user_id in (1, 1, 2, 1):
        await service.submit(asker(user_id), "sketch", Sketch())
    await until(lambda: bool(rig.engine.batches))
    assert await service.cancel_all(1) == 3
    assert await service.cancel_all(1) == 0
    rig.engine.gate.set()
    await until_told(rig.jobs, 1, 2, 3, 4)
    assert rig.delivery.states() == {
        1: "cancelled",
        2: "cancelled",
        3: "done",
        4: "cancelled",
    }


async def test_a_user_sees_what_waits_and_what_runs(rig: Rig) -> None:
    rig.engine.gate.clear()
    service = await rig.started(batch_pictures=1)
    for user_id in (1, 2, 1):
        await service.submit(asker(user_id), "sketch", Sketch())
    await until(lambda: bool(rig.engine.batches))
    (first, is_running), (second, waiting) = await service.mine(1)
    assert (first.id, is_running) == (1, None)
    assert waiting is not None
    assert (second.id, waiting.ahead) == (3, 1)
    assert waiting.wait_s > 0


async def test_a_full_disk_delays_a_picture_and_loses_none(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.backoff.STORAGE_FIRST_S", 0.01)
    put, refusals = Blobs.put, [OSError(28, "No space left on device")] * 3

    async def put_when_there_is_room(blobs: Blobs, data: bytes) -> str:
        if refusals:
            raise refusals.pop()
        return await put(blobs, data)

    monkeypatch.setattr(Blobs, "put", put_when_there_is_room)
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until_told(rig.jobs, job.id)
    assert rig.delivery.states() == {job.id: "done"}


async def test_a_card_that_cannot_be_shown_stops_no_picture(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def show(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(rig.delivery, "show", show)
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until_told(rig.jobs, job.id)
    assert f"job {job.id}: its progress cannot be shown" in caplog.text


async def test_estimates_learn_from_finished_batches(rig: Rig) -> None:
    def slowly(work: Work) -> Output:
        return drawn(work, seconds=8.0)

    rig.engine.fate = slowly
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch(n=2))
    await until_told(rig.jobs, job.id)
    await until(lambda: service._scheduler._busy == 0)
    again = await service.submit(asker(1), "sketch", Sketch(n=2))
    told = [view for job_id, view in rig.delivery.shown if job_id == again.id]
    assert isinstance(told[0], Waiting)
    assert told[0].wait_s == pytest.approx(8)
    await until_told(rig.jobs, again.id)
