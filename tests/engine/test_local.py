import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from pipelines.contracts import Event, Failed, Finished, Progressed, WorkerDied
from pipelines.engine.local import LocalEngine
from pipelines.engine.wire import Readiness
from pipelines.profiles import Profile
from pipelines.text_to_image import MODE, TextToImageRequest
from tests.engine.asking import everything, first_step, outcomes, rest, until, work
from tests.pipelines.micro import make_store

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine(profile: Profile) -> AsyncIterator[LocalEngine]:
    """One engine for all tests that leave it in working order."""
    engine = LocalEngine(profile)
    await engine.start()
    yield engine
    await engine.stop()


async def test_starting_takes_no_time_and_the_first_batch_waits_for_the_weights(
    engine: LocalEngine,
) -> None:
    assert engine.slots == 1
    assert outcomes(await everything(engine, work(1))) == {1: "finished"}
    assert engine.readiness == Readiness(state="ready")


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
    cancelled_s = time.monotonic()
    engine.cancel(5)
    told = await rest(events)
    assert time.monotonic() - cancelled_s < 0.3
    assert told[-1] == Failed(5, "error-cancelled")
    assert outcomes(await everything(engine, work(6))) == {6: "finished"}
    # A thousand steps would have taken longer than this.
    assert time.monotonic() - cancelled_s < 5


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
    left_s = time.monotonic()
    assert outcomes(await everything(engine, work(10))) == {10: "finished"}
    assert time.monotonic() - left_s < 5


async def test_a_worker_ignores_the_keyboard(engine: LocalEngine) -> None:
    events = engine.run([work(11, "refined")])
    seen: list[Event] = [await first_step(events)]
    os.kill(engine.worker_pids[0], signal.SIGINT)
    seen += await rest(events)
    assert outcomes(seen) == {11: "finished"}


async def test_the_event_loop_is_free_while_the_device_is_busy(engine: LocalEngine) -> None:
    events = engine.run([work(12, "base")])
    await first_step(events)
    lags_s = []
    for _ in range(100):
        asked_s = time.perf_counter()
        await asyncio.sleep(0.005)
        lags_s.append(time.perf_counter() - asked_s - 0.005)
    engine.cancel(12)
    assert (await rest(events))[-1] == Failed(12, "error-cancelled")
    assert sorted(lags_s)[50] < 0.02


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
    assert time.monotonic() - killed_s < 1
    assert outcomes(await everything(engine, work(13))) == {13: "finished"}
    assert engine.worker_pids != (pid,)


async def test_a_worker_killed_while_idle_is_replaced_before_anyone_asks(
    engine: LocalEngine,
) -> None:
    (pid,) = engine.worker_pids
    os.kill(pid, signal.SIGKILL)
    await until(lambda: engine.worker_pids not in {(), (pid,)})
    assert engine.readiness.state == "starting"
    await until(lambda: engine.readiness.state == "ready")
    assert outcomes(await everything(engine, work(14))) == {14: "finished"}
