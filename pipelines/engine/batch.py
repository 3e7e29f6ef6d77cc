"""Running batches on a device: what the worker process does between its messages."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import torch

from pipelines.contracts import (
    AnyMode,
    Cancelled,
    GenerationError,
    OutOfDeviceMemory,
    Output,
    Pipeline,
    Request,
    Step,
)
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
from pipelines.weights import ComponentStore, DeviceMissing, WeightsError

PROGRESS_INTERVAL_S: Final = 0.25
_LACK_OF_MEMORY: Final = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "cublas_status_alloc_failed",
)
_CONTEXT_LOST: Final = ("CUDA error", "cuDNN error")
_LOG: Final = logging.getLogger(__name__)

Send = Callable[[Report, Sequence[bytes]], None]
IsWithdrawn = Callable[[int, int], bool]
"""Whether nobody wants a job any more, by its batch's number and its own id."""

ResultT = TypeVar("ResultT")


def attempt(work: Callable[[], ResultT]) -> ResultT:
    """Load or draw, and say what lack of memory is by its name.

    Raises:
        OutOfDeviceMemory: the device, or the machine, has not enough memory for it.
        GenerationError: any other expected failure.
    """
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if not _is_lack_of_memory(error):
            raise
        shortage = OutOfDeviceMemory(str(error))
    # Outside the handler, whose traceback would keep the tensors alive.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise shortage


def _is_lack_of_memory(error: Exception) -> bool:
    """Tell it from other runtime errors; torch's CPU allocator and cuBLAS have no class for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        words in str(error).lower() for words in _LACK_OF_MEMORY
    )


def _is_context_lost(error: Exception) -> bool:
    """Tell errors after which CUDA answers every call of this process with the same error."""
    return isinstance(error, torch.AcceleratorError) or (
        isinstance(error, RuntimeError) and str(error).startswith(_CONTEXT_LOST)
    )


class Device:
    """One device with its weights. Every batch it is given is answered, job by job.

    Args:
        profile: which weights.
        modes: what can be asked.
        send: takes the reports.
        is_withdrawn: asked at each step.
    """

    def __init__(
        self,
        profile: Profile,
        modes: Mapping[str, AnyMode],
        send: Send,
        is_withdrawn: IsWithdrawn,
    ) -> None:
        self._profile = profile
        self._modes = modes
        self._send = send
        self._is_withdrawn = is_withdrawn
        self._store: ComponentStore | None = None
        self._pipelines: dict[str, Pipeline[Any]] = {}
        self._told: Readiness | None = None

    def open(self) -> None:
        """Check device and weights and report. Broken ones are looked at again with each batch."""
        try:
            self._opened()
        except (DeviceMissing, WeightsError) as error:
            self._tell_broken(error)
        else:
            self._tell(Readiness(state="ready"))

    def warm_up(self, mode: str) -> None:
        """Load a mode before anyone asks for it, unless memory is short."""
        if self._profile.memory_bytes is not None:
            return
        try:
            attempt(partial(self._pipeline, mode))
        except GenerationError as error:
            self._tell_broken(error)

    def run(self, batch: RunBatch) -> None:
        """Draw a batch and report on each of its jobs, once, but for those withdrawn.

        Raises:
            RuntimeError: the device answers this process no more; only another one can use it.
        """
        tasks = self._wanted(batch.batch, batch.tasks)
        try:
            if tasks:
                self._draw(batch.batch, tasks, [self._request(task) for task in tasks])
        except Exception as error:  # a bug must not take the device down with it
            if _is_context_lost(error):
                raise
            _LOG.exception("jobs %s failed unexpectedly", [task.job_id for task in tasks])
            self._fail(batch.batch, tasks, GenerationError.code)

    def _draw(self, number: int, tasks: Sequence[Task], requests: Sequence[Request]) -> None:
        progress = _Progress(number, tasks, self._send, self._is_withdrawn)
        try:
            outputs = attempt(partial(self._outputs, tasks[0].mode, requests, progress))
        except Cancelled:
            self._answer(number, tasks, {})
        except (DeviceMissing, WeightsError) as error:
            self._tell_broken(error)
            self._fail(number, tasks, error.code)
        except OutOfDeviceMemory as error:
            _LOG.warning("jobs %s: out of memory", [task.job_id for task in tasks])
            if len(tasks) == 1:
                self._fail(number, tasks, error.code)
            else:  # together they were too much; each by itself may not be
                for task, request in zip(tasks, requests, strict=True):
                    if self._wanted(number, [task]):
                        self._draw(number, [task], [request])
        except GenerationError as error:
            _LOG.warning("jobs %s: %s: %s", [task.job_id for task in tasks], error.code, error)
            self._fail(number, tasks, error.code)
        else:
            self._tell(Readiness(state="ready"))
            self._answer(number, tasks, outputs)

    def _outputs(
        self, mode: str, requests: Sequence[Request], progress: "_Progress"
    ) -> dict[int, Output]:
        pipeline = self._pipeline(mode)
        progress.begin()
        return pipeline(requests, progress)

    def _answer(self, number: int, tasks: Sequence[Task], outputs: Mapping[int, Output]) -> None:
        """Send what was made; a wanted job that was left out has failed."""
        for index, task in enumerate(tasks):
            if index in outputs:
                self._send(*JobFinished.of(number, task.job_id, outputs[index]))
            elif self._wanted(number, [task]):
                _LOG.error("job %d was left out by its recipe", task.job_id)
                self._fail(number, [task], GenerationError.code)

    def _wanted(self, number: int, tasks: Sequence[Task]) -> list[Task]:
        return [task for task in tasks if not self._is_withdrawn(number, task.job_id)]

    def _opened(self) -> ComponentStore:
        if self._store is None:
            self._store = ComponentStore.open(self._profile)
        return self._store

    def _pipeline(self, mode: str) -> Pipeline[Any]:
        if mode not in self._pipelines:
            self._pipelines[mode] = self._modes[mode].load(self._opened())
        return self._pipelines[mode]

    def _request(self, task: Task) -> Request:
        request: Request = self._modes[task.mode].request_type.model_validate(task.request)
        return request

    def _tell_broken(self, error: GenerationError) -> None:
        _LOG.error("%s", error)
        self._tell(Readiness(state="broken", reason=str(error) or error.code))

    def _tell(self, readiness: Readiness) -> None:
        if readiness != self._told:
            self._told = readiness
            self._send(readiness, ())

    def _fail(self, number: int, tasks: Sequence[Task], code: str) -> None:
        for task in tasks:
            self._send(JobFailed(batch=number, job_id=task.job_id, code=code), ())


class _Progress:
    """Passes steps on, a few a second, and answers with who has left."""

    def __init__(
        self, number: int, tasks: Sequence[Task], send: Send, is_withdrawn: IsWithdrawn
    ) -> None:
        self._number = number
        self._tasks = tasks
        self._send = send
        self._is_withdrawn = is_withdrawn
        self._next_s = 0.0

    def begin(self) -> None:
        """Say that the weights are there: from here on a death may be the batch's doing."""
        self._send(BatchBegan(batch=self._number), ())

    def __call__(self, step: Step) -> frozenset[int]:
        now_s = time.monotonic()
        if step.previews or now_s >= self._next_s or step.index == step.total:
            self._next_s = now_s + PROGRESS_INTERVAL_S
            message = BatchProgress(
                batch=self._number,
                index=step.index,
                total=step.total,
                jobs=[task.job_id for task in self._tasks],
                shown=[self._tasks[index].job_id for index in step.previews],
            )
            self._send(message, list(step.previews.values()))
        return frozenset(
            index
            for index, task in enumerate(self._tasks)
            if self._is_withdrawn(self._number, task.job_id)
        )
