import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import pytest
import torch

from pipelines.contracts import (
    AnyMode,
    Cancelled,
    Mode,
    OnStep,
    OutOfDeviceMemory,
    Output,
    PartlyFailed,
    Request,
    Step,
    UnsupportedRequest,
)
from pipelines.engine.batch import Device
from pipelines.engine.wire import (
    BatchBegan,
    BatchProgress,
    JobFailed,
    JobFinished,
    Readiness,
    Report,
    RunBatch,
    Task,
)
from pipelines.profiles import Profile
from pipelines.registry import discover_modes
from pipelines.weights import ComponentStore


class Sketch(Request):
    """A request that asks for nothing in particular."""

    @property
    def batch_key(self) -> str:
        return "sketch"


class Draw(Protocol):
    """What a recipe does, without its weights."""

    def __call__(self, requests: Sequence[Request], on_step: OnStep) -> dict[int, Output]: ...


class Desk:
    """A device in this process, with what it reports."""

    def __init__(
        self,
        profile: Profile,
        draw: Draw | None = None,
        load: Callable[[ComponentStore], Draw] | None = None,
    ) -> None:
        self.reports: list[Report] = []
        self.withdrawn: set[int] = set()
        modes: dict[str, AnyMode] = dict(discover_modes())
        if draw:
            modes = {"draw": Mode("draw", Sketch, 1, load or (lambda store: draw))}
        self.device = Device(profile, modes, self.send, self.is_withdrawn)

    def is_withdrawn(self, batch: int, job_id: int) -> bool:
        return job_id in self.withdrawn

    def send(self, report: Report, parts: Sequence[bytes]) -> None:
        self.reports.append(report)

    def run(self, *job_ids: int, mode: str = "draw", **request: object) -> None:
        tasks = [Task(job_id=job, mode=mode, request={"seed": job, **request}) for job in job_ids]
        self.device.run(RunBatch(batch=1, tasks=tasks))

    def draw_words(self, *job_ids: int, quality: str = "flash") -> None:
        sizes = {"width_px": 64, "height_px": 64, "quality": quality}
        self.run(*job_ids, mode="text_to_image", prompt="a cat", **sizes)

    @property
    def failures(self) -> dict[int, str]:
        return {r.job_id: r.code for r in self.reports if isinstance(r, JobFailed)}

    @property
    def finished(self) -> list[int]:
        return [r.job_id for r in self.reports if isinstance(r, JobFinished)]

    @property
    def readiness(self) -> list[str]:
        return [r.state for r in self.reports if isinstance(r, Readiness)]


def failing(error: Exception) -> Draw:
    def draw(requests: Sequence[Request], on_step: OnStep) -> dict[int, Output]:
        raise error

    return draw


def done(requests: Sequence[Request], on_step: OnStep) -> dict[int, Output]:
    return {index: Output((), 0.1) for index in range(len(requests))}


def test_a_batch_is_answered_job_by_job(profile: Profile) -> None:
    desk = Desk(profile)
    desk.device.open()
    desk.device.warm_up("text_to_image")
    desk.draw_words(4, 2)
    assert desk.finished == [4, 2]
    assert desk.readiness == ["ready"]


def test_a_batch_has_begun_once_its_weights_are_there_and_before_it_is_drawn(
    profile: Profile,
) -> None:
    def draw(requests: Sequence[Request], on_step: OnStep) -> dict[int, Output]:
        assert desk.reports == [BatchBegan(batch=1)]
        return done(requests, on_step)

    desk = Desk(profile, draw)
    desk.run(1)
    assert desk.finished == [1]


def test_a_batch_whose_weights_are_missing_has_not_begun(profile: Profile) -> None:
    desk = Desk(profile.model_copy(update={"weights_dir": Path("nowhere")}))
    desk.draw_words(1)
    assert desk.failures == {1: "error-weights-missing"}
    assert not any(isinstance(report, BatchBegan) for report in desk.reports)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnsupportedRequest(), "error-unsupported"),
        (OutOfDeviceMemory(), "error-out-of-memory"),
        (MemoryError(), "error-out-of-memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "error-out-of-memory"),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory"
            ),
            "error-out-of-memory",
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), "error-out-of-memory"),
        (torch.AcceleratorError("CUDA error: out of memory"), "error-out-of-memory"),
        (RuntimeError("The size of tensor a (3) must match"), "error-generation-failed"),
        (ZeroDivisionError(), "error-generation-failed"),
    ],
    ids=repr,
)
def test_a_failure_has_a_code_and_the_device_lives_on(
    profile: Profile, error: Exception, code: str
) -> None:
    desk = Desk(profile, failing(error))
    desk.run(1)
    desk.run(2)
    assert desk.failures == {1: code, 2: code}


def test_a_real_lack_of_memory_is_told_from_other_errors(profile: Profile) -> None:
    def draw(requests: Sequence[Request], on_step: OnStep) -> dict[int, Output]:
        torch.empty(2**60)
        return {}

    desk = Desk(profile, draw)
    desk.run(1)
    assert desk.failures == {1: "error-out-of-memory"}


def test_a_batch_too_large_for_the_memory_is_drawn_one_by_one(profile: Profile) -> None:
    def draw(requests: Sequence[Request], on_step: OnStep) -> dict[int, Output]:
        if len(requests) > 1 or requests[0].seed == 2:
            raise torch.OutOfMemoryError
        return done(requests, on_step)

    desk = Desk(profile, draw)
    desk.run(1, 2, 3)
    assert desk.finished == [1, 3]
    assert desk.failures == {2: "error-out-of-memory"}


def test_after_a_split_each_job_sees_its_own_progress_and_a_withdrawn_one_is_not_begun(
    profile: Profile,
) -> None:
    def draw(requests: Sequence[Request], on_step: OnStep) -> dict[int, Output]:
        if len(requests) > 1:
            desk.withdrawn.add(2)
            raise torch.OutOfMemoryError
        on_step(Step(1, 1))
        return done(requests, on_step)

    desk = Desk(profile, draw)
    desk.run(1, 2, 3)
    assert [r.jobs for r in desk.reports if isinstance(r, BatchProgress)] == [[1], [3]]
    assert desk.finished == [1, 3]


def failing_load(store: ComponentStore) -> Draw:
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_lack_of_memory_while_loading_is_called_so_and_its_batch_has_not_begun(
    profile: Profile,
) -> None:
    desk = Desk(profile, done, load=failing_load)
    desk.run(1)
    assert desk.failures == {1: "error-out-of-memory"}
    assert not any(isinstance(report, BatchBegan) for report in desk.reports)


def test_a_lack_of_memory_while_warming_up_is_told_with_its_reason(profile: Profile) -> None:
    desk = Desk(profile, done, load=failing_load)
    desk.device.warm_up("draw")
    assert desk.reports == [Readiness(state="broken", reason="CUDA out of memory")]


@pytest.mark.parametrize("error", [None, Cancelled()], ids=["left out", "given up"])
def test_a_job_its_recipe_leaves_out_has_failed_unless_it_was_withdrawn(
    profile: Profile, error: Cancelled | None
) -> None:
    def draw(requests: Sequence[Request], on_step: OnStep) -> dict[int, Output]:
        desk.withdrawn.add(2)
        if error:
            raise error
        return {0: Output((), 0.1)}

    desk = Desk(profile, draw)
    desk.run(1, 2, 3)
    lost = {1, 3} if error else {3}
    assert desk.failures == dict.fromkeys(lost, "error-generation-failed")
    assert set(desk.finished) == {1, 3} - lost


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    ],
    ids=repr,
)
def test_a_lost_context_is_not_survived_and_nobody_is_told_their_job_is_to_blame(
    profile: Profile, error: RuntimeError
) -> None:
    desk = Desk(profile, failing(error))
    with pytest.raises(type(error)):
        desk.run(1)
    assert desk.failures == {}


def test_a_bug_is_logged_with_the_jobs_it_met(
    profile: Profile, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(profile, failing(KeyError("latents")))
    with caplog.at_level(logging.ERROR):
        desk.run(41, 42)
    assert desk.failures == dict.fromkeys((41, 42), "error-generation-failed")
    assert "[41, 42]" in caplog.text
    assert "KeyError: 'latents'" in caplog.text


def test_a_request_of_another_shape_is_a_bug_and_survived(profile: Profile) -> None:
    desk = Desk(profile, done)
    desk.run(1, seed=-1)
    desk.run(2, more=2)
    desk.run(3, mode="no such mode")
    desk.run(4)
    assert desk.failures == dict.fromkeys((1, 2, 3), "error-generation-failed")
    assert desk.finished == [4]


def test_a_withdrawn_job_leaves_within_one_step_and_the_rest_is_finished(
    profile: Profile,
) -> None:
    desk = Desk(profile)

    def withdraw_at_the_second(report: Report, parts: Sequence[bytes]) -> None:
        desk.reports.append(report)
        if isinstance(report, BatchProgress) and report.index == 2:
            desk.withdrawn.add(1)

    desk.device._send = withdraw_at_the_second
    desk.draw_words(1, 2)
    shown = {r.index: r.shown for r in desk.reports if isinstance(r, BatchProgress)}
    assert (shown[2], shown[3]) == ([1, 2], [2])
    assert desk.finished == [2]
    assert desk.failures == {}


def test_a_batch_nobody_wants_stops_within_one_step(profile: Profile) -> None:
    seen: list[int] = []

    def draw(requests: Sequence[Request], on_step: OnStep) -> dict[int, Output]:
        for index in range(1, 101):
            seen.append(index)
            if index == 5:
                desk.withdrawn.add(1)
            if on_step(Step(index, 100)):
                raise Cancelled
        return {}

    desk = Desk(profile, draw)
    desk.run(1)
    assert seen == [1, 2, 3, 4, 5]
    assert desk.finished == []
    assert desk.failures == {}


def test_what_was_withdrawn_before_it_began_is_not_begun(profile: Profile) -> None:
    desk = Desk(profile, failing(AssertionError("begun")))
    desk.withdrawn.update({1, 2})
    desk.run(1, 2)
    assert desk.failures == {}


def test_progress_comes_a_few_times_a_second_with_previews_and_the_last_step(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 100.0
    monkeypatch.setattr("pipelines.engine.batch.time.monotonic", lambda: now_s)

    def draw(requests: Sequence[Request], on_step: OnStep) -> dict[int, Output]:
        nonlocal now_s
        for index in range(1, 101):
            now_s += 0.02
            on_step(Step(index, 100, {0: b"jpeg"} if index in {2, 60} else {}))
        return done(requests, on_step)

    desk = Desk(profile, draw)
    desk.run(1)
    told = [r.index for r in desk.reports if isinstance(r, BatchProgress)]
    assert told[:2] == [1, 2]
    assert 60 in told
    assert told[-1] == 100
    assert len(told) <= 2.0 / 0.25 + 4


def test_broken_weights_fail_each_batch_until_they_are_repaired(
    profile: Profile, weights_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "weights"
    desk = Desk(profile.model_copy(update={"weights_dir": folder}))
    desk.device.open()
    desk.draw_words(1)
    assert desk.failures == {1: "error-weights-missing"}
    assert desk.readiness == ["broken"]
    assert str(folder) in caplog.text

    shutil.copytree(weights_dir, folder)
    desk.draw_words(2)
    assert desk.finished == [2]
    assert desk.readiness == ["broken", "ready"]


def test_a_device_that_is_not_there_is_told_and_does_not_end_the_worker(profile: Profile) -> None:
    desk = Desk(profile.model_copy(update={"device": "cudaa"}))
    desk.device.open()
    desk.draw_words(1)
    assert desk.failures == {1: "error-device-missing"}
    assert desk.readiness == ["broken"]


def test_one_broken_component_leaves_the_others_of_use(
    profile: Profile, weights_dir: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(weights_dir, tmp_path / "weights"))
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    unet.write_bytes(bytes(unet.stat().st_size))
    desk = Desk(profile.model_copy(update={"weights_dir": folder}))
    desk.draw_words(1, quality="base")
    desk.draw_words(2, quality="flash")
    assert desk.failures == {1: "error-weights-missing"}
    assert desk.finished == [2]
    assert desk.readiness == ["broken", "ready"]


def test_a_device_too_small_for_the_model_is_told_once_what_would_fit(
    profile: Profile, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(profile.model_copy(update={"memory_bytes": 1}))
    desk.device.open()
    desk.device.warm_up("text_to_image")
    desk.draw_words(1)
    desk.draw_words(2, 3)
    (told,) = [r for r in desk.reports if isinstance(r, Readiness) and r.state == "broken"]
    assert "does not fit" in told.reason
    assert caplog.text.count(told.reason) == 1
    assert desk.failures == dict.fromkeys((1, 2, 3), "error-device-missing")


def test_a_context_lost_on_opening_ends_the_worker(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_profile: Profile, _workers: int) -> ComponentStore:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(ComponentStore, "open", lost)
    with pytest.raises(torch.AcceleratorError):
        Desk(profile).device.open()


def test_who_failed_alone_leaves_the_others_their_pictures(
    profile: Profile, caplog: pytest.LogCaptureFixture
) -> None:
    alone = PartlyFailed({0: Output((), 0.1), 2: Output((), 0.1)}, {1: UnsupportedRequest("no")})
    desk = Desk(profile, failing(alone))
    desk.run(1, 2, 3)
    assert desk.finished == [1, 3]
    assert desk.failures == {2: "error-unsupported"}
    assert desk.readiness == ["ready"]
    assert "job 2: no" in caplog.text
