import asyncio
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from pipelines.contracts import Event, Failed, Finished, ImageBlob, Progressed, Work, WorkerDied
from pipelines.engine.local import LocalEngine
from pipelines.engine.wire import Readiness
from pipelines.image_variations import ImageVariationsRequest
from pipelines.profiles import Profile
from pipelines.text_to_image import MODE, TextToImageRequest
from tests.engine.asking import (
    computed_s,
    everything,
    first_step,
    outcomes,
    rest,
    until,
    work,
)
from tests.pipelines.micro import make_store

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

A_FEW_STEPS_S = 5.0
"""Of computing; a thousand steps take several times as long, and a picture by Flash a tenth."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine(profile: Profile) -> AsyncIterator[LocalEngine]:
    """One engine for all tests that leave it in working order."""
    engine = LocalEngine(profile)
    await engine.start()
    yield engine
    await engine.stop()


async def test_workers_of_several_devices_know_that_they_share_main_memory(
    profile: Profile,
) -> None:
    engine = LocalEngine(profile.model_copy(update={"device": "cpu, cpu"}))
    assert [(w._profile.device, w._workers) for w in engine._workers] == [("cpu", 2)] * 2


async def test_starting_takes_no_time_and_the_first_batch_waits_for_the_weights(
    engine: LocalEngine,
) -> None:
    assert engine.slots == 1
    assert outcomes(await everything(engine, work(1))) == {1: "finished"}
    assert engine.readiness == Readiness(state="ready")


async def test_a_mode_these_weights_cannot_serve_fails_by_name(engine: LocalEngine) -> None:
    photo = ImageBlob.of(b"a photo")
    request = ImageVariationsRequest(images=(photo,), width_px=64, height_px=64, seed=1)
    events = await everything(engine, Work(3, "image_variations", request))
    assert outcomes(events) == {3: "error-unsupported"}
    assert engine.readiness.state != "broken"


async def test_a_picture_through_the_engine_is_the_recipes_own(
    engine: LocalEngine, weights_dir: Path
) -> None:
    job = work(2, seed=11, n=2, negative_prompt="a hill")
    events = await everything(engine, job)
    store = make_store(weights_dir)
    recipe = MODE.load(store)
    assert isinstance(job.request, TextToImageRequest)
    expected = recipe([job.request], lambda step: frozenset())[0]

    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.output.pictures == expected.pictures
    assert [p.seed for p in finished.output.pictures] == [11, 12]


async def test_each_job_of_a_batch_sees_its_steps_and_then_its_pictures(
    engine: LocalEngine,
) -> None:
    events = await everything(engine, work(3, "refined"), work(4, "refined"))
    assert outcomes(events) == {3: "finished", 4: "finished"}
    for job_id in (3, 4):
        steps = [e for e in events if isinstance(e, Progressed) and e.job_id == job_id]
        indices = [step.index for step in steps]
        assert indices == sorted(set(indices))
        assert indices[-1] == 32
        assert {step.total for step in steps} == {32}
        assert all(step.preview and step.preview.startswith(b"\xff\xd8") for step in steps[:3])


async def test_a_cancelled_job_is_told_at_once_and_frees_the_device(engine: LocalEngine) -> None:
    events = engine.run([work(5, "base")])
    await first_step(events)
    (pid,) = engine.worker_pids
    cancelled_s = computed_s(pid)
    engine.cancel(5)
    async with asyncio.timeout(0):  # it is there to be taken
        told = await rest(events)
    assert told[-1] == Failed(5, "error-cancelled")
    assert outcomes(await everything(engine, work(6))) == {6: "finished"}
    assert computed_s(pid) - cancelled_s < A_FEW_STEPS_S


async def test_the_others_of_a_batch_go_on_when_one_is_cancelled(engine: LocalEngine) -> None:
    events = engine.run([work(7, "refined"), work(8, "refined")])
    seen: list[Event] = [await first_step(events)]
    engine.cancel(8)
    seen += await rest(events)
    assert outcomes(seen) == {7: "finished", 8: "error-cancelled"}
    alone = await everything(engine, work(7, "refined"))
    (together,) = [e for e in seen if isinstance(e, Finished)]
    assert isinstance(alone[-1], Finished)
    assert alone[-1].output.pictures[0].png == together.output.pictures[0].png


async def test_cancelling_a_job_that_is_not_there_is_harmless(engine: LocalEngine) -> None:
    engine.cancel(404)
    assert outcomes(await everything(engine, work(404))) == {404: "finished"}
    engine.cancel(404)
    assert outcomes(await everything(engine, work(404))) == {404: "finished"}


async def test_a_batch_nobody_listens_to_any_more_frees_the_device(engine: LocalEngine) -> None:
    events = engine.run([work(9, "base")])
    await first_step(events)
    await events.aclose()
    (pid,) = engine.worker_pids
    left_s = computed_s(pid)
    assert outcomes(await everything(engine, work(10))) == {10: "finished"}
    assert computed_s(pid) - left_s < A_FEW_STEPS_S


async def test_a_worker_ignores_the_keyboard(engine: LocalEngine) -> None:
    events = engine.run([work(11, "refined")])
    seen: list[Event] = [await first_step(events)]
    os.kill(engine.worker_pids[0], signal.SIGINT)
    seen += await rest(events)
    assert outcomes(seen) == {11: "finished"}


async def usual_lag_s() -> float:
    """How much later than asked this loop usually wakes up."""
    lags_s = []
    for _ in range(60):
        asked_s = time.perf_counter()
        await asyncio.sleep(0.005)
        lags_s.append(time.perf_counter() - asked_s - 0.005)
    return statistics.median(lags_s)


async def test_the_event_loop_is_free_while_the_device_is_busy(engine: LocalEngine) -> None:
    idle_s = await usual_lag_s()
    events = engine.run([work(12, "base")])
    await first_step(events)
    busy_s = await usual_lag_s()
    engine.cancel(12)
    assert (await rest(events))[-1] == Failed(12, "error-cancelled")
    assert busy_s < max(0.02, 4 * idle_s)  # on a busy machine an idle loop is late, too


async def test_a_worker_killed_at_work_is_noticed_at_once_and_replaced(
    engine: LocalEngine,
) -> None:
    events = engine.run([work(13, "base")])
    await first_step(events)
    (pid,) = engine.worker_pids
    killed_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerDied) as death:
        await rest(events)
    assert death.value.had_begun
    assert time.monotonic() - killed_s < 10  # and not when it would be taken for hung
    assert outcomes(await everything(engine, work(13))) == {13: "finished"}
    assert engine.worker_pids != (pid,)


async def test_a_worker_that_hangs_is_noticed_and_replaced(engine: LocalEngine) -> None:
    (worker,) = engine._workers
    events = engine.run([work(15, "base")])
    waiting = engine.run([work(16)])
    await first_step(events)
    (pid,) = engine.worker_pids
    patient = worker._profile
    worker._profile = patient.model_copy(update={"hang_timeout_s": 2.0})
    await asyncio.sleep(0.5)  # it still speaks, so nothing happens
    assert engine.worker_pids == (pid,)
    os.kill(pid, signal.SIGSTOP)  # alive, and as silent as in a deadlock
    stopped_s = time.monotonic()
    with pytest.raises(WorkerDied, match="the worker hung") as death:
        await rest(events)
    assert death.value.had_begun
    assert 1 < time.monotonic() - stopped_s < 20
    with pytest.raises(WorkerDied) as death:
        await rest(waiting)
    assert not death.value.had_begun
    worker._profile = patient
    assert outcomes(await everything(engine, work(15))) == {15: "finished"}
    assert engine.worker_pids not in {(), (pid,)}


async def test_a_worker_with_nothing_to_do_may_be_silent(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (worker,) = engine._workers
    assert outcomes(await everything(engine, work(17))) == {17: "finished"}
    await until(lambda: not worker._owed)
    pids = engine.worker_pids
    monkeypatch.setattr(
        worker, "_profile", worker._profile.model_copy(update={"hang_timeout_s": 0.2})
    )
    worker._watch()
    await asyncio.sleep(0.6)
    assert engine.worker_pids == pids


async def test_a_worker_killed_while_idle_is_replaced_before_anyone_asks(
    engine: LocalEngine,
) -> None:
    (pid,) = engine.worker_pids
    os.kill(pid, signal.SIGKILL)
    await until(lambda: engine.worker_pids not in {(), (pid,)})
    assert engine.readiness.state == "starting"
    await until(lambda: engine.readiness.state == "ready")
    assert outcomes(await everything(engine, work(14))) == {14: "finished"}
