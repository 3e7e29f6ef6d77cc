"""Starting on what an earlier run left, and stopping in good order."""

import asyncio
import time

import pytest

from tests.jobs.conftest import Rig
from tests.jobs.fakes import Sketch, asker, until, until_told


async def test_what_ran_when_the_program_died_is_run_again(rig: Rig) -> None:
    rig.engine.gate.clear()
    service = await rig.started(batch_pictures=1)
    for user_id in (1, 2):
        await service.submit(asker(user_id), "sketch", Sketch())
    await until(lambda: bool(rig.engine.batches))
    await rig.restart()
    await until_told(rig.jobs, 1, 2)
    assert rig.delivery.states() == {1: "done", 2: "done"}
    assert (await rig.jobs.get(1)).attempts == 2


async def test_a_cancel_survives_the_death_of_the_program(rig: Rig) -> None:
    rig.engine.gate.clear()
    rig.delivery.gate.clear()
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until(lambda: bool(rig.engine.batches))
    await service.cancel(job.id, 1)
    await rig.restart()
    await until_told(rig.jobs, job.id)
    assert rig.delivery.states() == {job.id: "cancelled"}
    assert rig.engine.batches == []


async def test_what_was_not_told_is_told_after_a_restart(rig: Rig) -> None:
    rig.delivery.gate.clear()
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until(lambda: rig.delivery.attempts == [job.id])
    assert rig.delivery.delivered == []
    await rig.restart()
    await until_told(rig.jobs, job.id)
    assert rig.engine.batches == []
    assert rig.delivery.states() == {job.id: "done"}


async def test_waiting_cards_are_shown_afresh_after_a_restart(rig: Rig) -> None:
    service = rig.service()
    for user_id in (1, 2, 3):
        await service.submit(asker(user_id), "sketch", Sketch())
    rig.services.clear()
    rig.delivery.shown.clear()
    rig.engine.gate.clear()
    await rig.started(batch_pictures=1)
    await until(lambda: rig.delivery.places(3)[-1:] == [1])


async def test_a_stop_lets_the_running_batch_end_and_be_told(rig: Rig) -> None:
    rig.engine.gate.clear()
    service = await rig.started(batch_pictures=1)
    for user_id in (1, 2):
        await service.submit(asker(user_id), "sketch", Sketch())
    await until(lambda: bool(rig.engine.batches))
    asyncio.get_running_loop().call_later(0.05, rig.engine.gate.set)
    await service.stop(grace_s=5)
    assert rig.delivery.states() == {1: "done"}
    assert (await rig.jobs.get(1)).told
    assert (await rig.jobs.get(2)).state == "queued"
    assert rig.engine.batches == [[1]]
    assert not rig.engine.is_up


async def test_a_stop_that_runs_out_of_grace_puts_the_batch_back_uncounted(rig: Rig) -> None:
    rig.engine.gate.clear()
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until(lambda: bool(rig.engine.batches))
    started_s = time.monotonic()
    await service.stop(grace_s=0.05)
    assert time.monotonic() - started_s < 2
    job = await rig.jobs.get(job.id)
    assert (job.state, job.attempts, job.crashes) == ("queued", 0, 0)
    await rig.restart()
    await until_told(rig.jobs, job.id)


async def test_a_stop_cut_short_while_the_engine_ends_has_put_the_batch_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.engine.gate.clear()
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until(lambda: bool(rig.engine.batches))
    monkeypatch.setattr(rig.engine, "stop", asyncio.Event().wait)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(service.stop(grace_s=0.05), 0.2)
    job = await rig.jobs.get(job.id)
    assert (job.state, job.attempts) == ("queued", 0)


async def test_a_stop_cut_short_while_batches_end_has_put_them_back(rig: Rig) -> None:
    rig.engine.gate.clear()
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until(lambda: bool(rig.engine.batches))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(service.stop(grace_s=5), 0.05)
    job = await rig.jobs.get(job.id)
    assert (job.state, job.attempts) == ("queued", 0)


async def test_a_stop_lets_what_is_on_its_way_arrive_and_sends_nothing_new(rig: Rig) -> None:
    rig.delivery.gate.clear()
    service = await rig.started()
    for _ in range(2):  # of one chat, so the second waits for the first
        await service.submit(asker(1), "sketch", Sketch())
    async with asyncio.timeout(5):
        while len(await rig.jobs.untold()) < 2:  # noqa: ASYNC110 - as an outsider
            await asyncio.sleep(0.01)
    assert rig.delivery.attempts == [1]
    asyncio.get_running_loop().call_later(0.1, rig.delivery.gate.set)
    await service.stop(grace_s=0.01)
    assert rig.delivery.states() == {1: "done"}
    assert (await rig.jobs.get(1)).told
    assert [job.id for job in await rig.jobs.untold()] == [2]


async def test_a_stop_does_not_wait_for_a_chat_that_does_not_answer(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.telling.FINISH_S", 0.1)
    rig.delivery.gate.clear()
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until(lambda: bool(rig.delivery.attempts))
    started_s = time.monotonic()
    await service.stop(grace_s=0.1)
    assert time.monotonic() - started_s < 2
    assert (await rig.jobs.get(job.id)).state == "done"


async def test_a_stopped_service_leaves_no_task_behind(rig: Rig) -> None:
    before = asyncio.all_tasks()
    service = await rig.started()
    job = await service.submit(asker(1), "sketch", Sketch())
    await until_told(rig.jobs, job.id)
    await service.stop(grace_s=1)
    assert asyncio.all_tasks() == before
