import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.contracts import EngineStopped, WorkerDied
from pipelines.engine import process
from pipelines.engine.local import LocalEngine
from pipelines.engine.wire import Readiness
from pipelines.profiles import Profile
from tests.engine.asking import (
    everything,
    exists,
    first_step,
    is_running,
    outcomes,
    rest,
    until,
    work,
)

pytestmark = pytest.mark.timeout(240)
ROOT = Path(__file__).parents[2]


async def test_a_stopped_engine_gives_back_its_work_and_leaves_no_process(
    profile: Profile,
) -> None:
    engine = LocalEngine(profile)
    await engine.start()
    events = engine.run([work(1, "base")])
    await first_step(events)
    (pid,) = engine.worker_pids
    asked_s = time.monotonic()
    await engine.stop()
    assert time.monotonic() - asked_s < 5
    assert not exists(pid)
    with pytest.raises(EngineStopped):
        await rest(events)
    with pytest.raises(EngineStopped):
        await everything(engine, work(2))
    await engine.stop()


PARENT = """
import asyncio, sys
from pathlib import Path
from pipelines.engine.local import LocalEngine
from pipelines.profiles import Profile

async def main():
    engine = LocalEngine(Profile.model_validate_json(sys.argv[1]))
    await engine.start()
    while engine.readiness.state != sys.argv[2] or not engine.worker_pids:
        await asyncio.sleep(0.01)
    print(engine.worker_pids[0], flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def parent(profile: Profile) -> Iterator[Callable[[str], tuple[subprocess.Popen[str], int]]]:
    """A program with an engine, brought to a state of readiness; its worker's pid."""
    started: list[subprocess.Popen[str]] = []

    def start(state: str) -> tuple[subprocess.Popen[str], int]:
        program = subprocess.Popen(
            [sys.executable, "-c", PARENT, profile.model_dump_json(), state],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(program)
        assert program.stdout
        return program, int(program.stdout.readline())

    yield start
    for program in started:
        program.kill()
        program.wait()
        assert program.stdout
        program.stdout.close()


@pytest.mark.parametrize("state", ["starting", "ready"])
async def test_no_worker_outlives_a_killed_parent(
    parent: Callable[[str], tuple[subprocess.Popen[str], int]], state: str
) -> None:
    program, pid = await asyncio.to_thread(parent, state)
    assert is_running(pid)
    program.kill()
    await until(lambda: not is_running(pid), timeout_s=5)


async def test_weights_that_are_not_there_are_said_and_found_once_they_are(
    profile: Profile, weights_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "weights"
    engine = LocalEngine(profile.model_copy(update={"weights_dir": folder}))
    await engine.start()
    try:
        assert outcomes(await everything(engine, work(1))) == {1: "error-weights-missing"}
        broken = engine.readiness
        assert broken.state == "broken"
        assert str(folder) in broken.reason
        shutil.copytree(weights_dir, folder)
        assert outcomes(await everything(engine, work(2))) == {2: "finished"}
        assert engine.readiness.state == "ready"
    finally:
        await engine.stop()


SAY = "import os, sys, time; "


def speaking(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", SAY + script)


async def test_a_worker_that_speaks_nonsense_is_ended_like_one_that_died(
    profile: Profile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    script = "os.write(int(sys.argv[1]), b'nonsense' * 9); time.sleep(60)"
    monkeypatch.setattr(process, "COMMAND", speaking(script))
    engine = LocalEngine(profile)
    await engine.start()
    with pytest.raises(WorkerDied) as death:
        await everything(engine, work(1))
    assert not death.value.had_begun
    await until(lambda: engine.readiness.state == "broken", timeout_s=10)
    await engine.stop()
    assert "speaks nonsense" in caplog.text


async def test_a_worker_that_dies_again_and_again_is_given_time_and_called_broken(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "COMMAND", speaking("sys.exit(3)"))
    engine = LocalEngine(profile)
    await engine.start()
    await until(lambda: engine.readiness.state == "broken", timeout_s=10)
    assert engine.readiness.reason == "the worker died"
    asked_s = time.monotonic()
    await engine.stop()
    assert time.monotonic() - asked_s < 0.5


async def test_a_worker_that_cannot_be_started_breaks_no_bot(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "COMMAND", ("/no/such/python",))
    engine = LocalEngine(profile)
    await engine.start()
    await until(lambda: engine.readiness.state == "broken", timeout_s=10)
    assert engine.readiness.reason == "the worker could not be started"
    await engine.stop()


async def test_a_worker_that_will_not_leave_is_made_to(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    monkeypatch.setattr(process, "COMMAND", speaking(f"{script}print(1); time.sleep(600)"))
    monkeypatch.setattr(process, "GRACE_S", 0.5)
    monkeypatch.setattr(process, "TERMINATE_S", 0.2)
    engine = LocalEngine(profile)
    await engine.start()
    await until(lambda: engine.worker_pids != ())
    (pid,) = engine.worker_pids
    await engine.stop()
    assert not exists(pid)


async def test_an_engine_stopped_before_it_was_started_is_stopped(profile: Profile) -> None:
    engine = LocalEngine(profile)
    await engine.stop()
    with pytest.raises(EngineStopped):
        await everything(engine, work(1))


async def test_each_device_has_a_worker_and_the_least_busy_one_is_asked(
    profile: Profile,
) -> None:
    engine = LocalEngine(profile.model_copy(update={"device": "cpu, cpu"}))
    assert engine.slots == 2
    runs = [engine.run([work(job)]) for job in (1, 2)]
    assert [worker.load for worker in engine._workers] == [1, 1]
    await engine.stop()
    for run in runs:
        with pytest.raises(EngineStopped):
            await rest(run)
    assert [worker.load for worker in engine._workers] == [0, 0]


async def test_a_dead_device_attracts_no_jobs_and_gives_no_slot(profile: Profile) -> None:
    engine = LocalEngine(profile.model_copy(update={"device": "cpu, cpu"}))
    dead, alive = engine._workers
    dead._readiness = Readiness(state="broken", reason="the worker died")
    alive._readiness = Readiness(state="ready")
    assert engine.slots == 1
    for job_id in (1, 2):
        engine.run([work(job_id)])
    assert [dead.load, alive.load] == [0, 2]
    alive._readiness = dead._readiness
    assert engine.slots == 1
