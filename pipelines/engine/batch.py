"""Running batches on a device: what the worker process does between its messages."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import torch

from pipelines.contracts import (
    AnyMode,
    Cancelled,
    GenerationError,
    ImageBlob,
    ImageRequest,
    OutOfDeviceMemory,
    Output,
    PartlyFailed,
    PictureGone,
    Pipeline,
    Request,
    Step,
    UnsupportedRequest,
)
from pipelines.devices import DeviceMissing
from pipelines.engine.wire import (
    BatchBegan,
    BatchProgress,
    BatchRewording,
    JobFailed,
    JobFinished,
    JobWorded,
    Readiness,
    Report,
    RunBatch,
    Task,
)
from pipelines.memory import DeviceTooSmall
from pipelines.profiles import Profile
from pipelines.prompting.settings import PromptingSettings
from pipelines.weights import ComponentStore, WeightsError

if TYPE_CHECKING:
    from pipelines.prompting.step import PromptStep

PROGRESS_INTERVAL_S: Final = 0.25
REWORDING_INTERVAL_S: Final = 5.0
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
        prompting: which language model rewords prompts; none is none.
        workers: processes that share this machine's main memory, this one included.
    """

    def __init__(
        self,
        profile: Profile,
        modes: Mapping[str, AnyMode],
        send: Send,
        is_withdrawn: IsWithdrawn,
        prompting: PromptingSettings | None = None,
        workers: int = 1,
    ) -> None:
        self._profile = profile
        self._workers = workers
        self._prompting = prompting
        self._prompt_step: PromptStep | None = None
        self._modes = modes
        self._send = send
        self._is_withdrawn = is_withdrawn
        self._store: ComponentStore | None = None
        self._pipelines: dict[str, Pipeline[Any]] = {}
        self._told: Readiness | None = None

    def open(self) -> None:
        """Check device and weights and report. Broken ones are looked at again with each batch."""
        try:
            attempt(self._opened)
        except GenerationError as error:
            self._tell_broken(error)
        else:
            self._tell(Readiness(state="ready"))

    def warm_up(self, mode: str) -> None:
        """Load a mode before anyone asks for it: what of it the memory plan keeps."""
        if not self._modes[mode].is_served(self._profile):
            return
        try:
            attempt(partial(self._pipeline, mode))
        except GenerationError as error:
            self._tell_broken(error)

    def run(self, batch: RunBatch, pictures: Mapping[str, bytes] = MappingProxyType({})) -> None:
        """Draw a batch and report on each of its jobs, once, but for those withdrawn.

        Args:
            batch: the jobs.
            pictures: the bytes of what their requests start from, by their keys.

        Raises:
            RuntimeError: the device answers this process no more; only another one can use it.
        """
        tasks = self._wanted(batch.batch, batch.tasks)
        try:
            known = self._requests(batch.batch, tasks, pictures)
            tasks = [task for task in tasks if task.job_id in known]
            requests = self._worded(batch.batch, tasks, list(known.values()))
            if wanted := self._wanted(batch.batch, tasks):
                self._draw(batch.batch, wanted, [requests[task.job_id] for task in wanted])
        except Exception as error:  # a bug must not take the device down with it
            if _is_context_lost(error):
                raise
            _LOG.exception("jobs %s failed unexpectedly", [task.job_id for task in tasks])
            self._fail(batch.batch, tasks, GenerationError.code)

    def _worded(
        self, number: int, tasks: Sequence[Task], requests: Sequence[Request]
    ) -> dict[int, Request]:
        """Let a language model at the words of those requests that ask for it, if there is one.

        Returns the requests by the ids of their jobs. Whatever goes wrong with the words, the
        picture is worth more: then they are drawn as typed.
        """
        jobs = [task.job_id for task in tasks]
        worded = dict(zip(jobs, requests, strict=True))
        if self._prompting is None or not tasks:
            return worded

        rewording = _Rewording(number, jobs, self._send, self._is_withdrawn)
        step = self._prompt_step
        try:
            if step is None:
                # What it needs takes seconds to import, which those without it need not wait.
                from pipelines.prompting.step import PromptStep  # noqa: PLC0415

                step = self._prompt_step = PromptStep.open(self._prompting, self._opened())
            drawn = attempt(partial(step, requests, rewording.is_wanted, rewording.begin))
        except Exception as error:
            if _is_context_lost(error):
                raise
            is_bug = not isinstance(error, GenerationError)
            _LOG.error("the words cannot be looked at: %s", error, exc_info=is_bug)
            drawn = step.as_typed(requests) if step else {}
        for index, words in drawn.items():
            worded[jobs[index]] = requests[index].model_copy(update={"drawn": words})
            self._send(JobWorded(batch=number, job_id=jobs[index], drawn=words), ())
        return worded

    def _draw(self, number: int, tasks: Sequence[Task], requests: Sequence[Request]) -> None:
        progress = _Progress(number, tasks, self._send, self._is_withdrawn)
        try:
            outputs = attempt(partial(self._outputs, tasks[0].mode, requests, progress))
        except Cancelled:
            self._answer(number, tasks, {})
        except (DeviceMissing, DeviceTooSmall, WeightsError) as error:
            self._tell_broken(error)
            _LOG.warning("jobs %s: %s", [task.job_id for task in tasks], error.code)
            self._fail(number, tasks, error.code)
        except PartlyFailed as error:
            self._tell(Readiness(state="ready"))
            self._answer(number, tasks, error.outputs, error.errors)
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

    def _answer(
        self,
        number: int,
        tasks: Sequence[Task],
        outputs: Mapping[int, Output],
        errors: Mapping[int, GenerationError] = MappingProxyType({}),
    ) -> None:
        """Send what was made; a wanted job that was left out has failed."""
        for index, task in enumerate(tasks):
            if index in outputs:
                self._send(*JobFinished.of(number, task.job_id, outputs[index]))
            elif index in errors:
                _LOG.warning("job %d: %s", task.job_id, errors[index])
                self._fail(number, [task], errors[index].code)
            elif self._wanted(number, [task]):
                _LOG.error("job %d was left out by its recipe", task.job_id)
                self._fail(number, [task], GenerationError.code)

    def _wanted(self, number: int, tasks: Sequence[Task]) -> list[Task]:
        return [task for task in tasks if not self._is_withdrawn(number, task.job_id)]

    def _opened(self) -> ComponentStore:
        if self._store is None:
            self._store = ComponentStore.open(self._profile, self._workers)
        return self._store

    def _pipeline(self, mode: str) -> Pipeline[Any]:
        if mode not in self._pipelines:
            self._pipelines[mode] = self._modes[mode].load(self._opened())
        return self._pipelines[mode]

    def _requests(
        self, number: int, tasks: Sequence[Task], pictures: Mapping[str, bytes]
    ) -> dict[int, Request]:
        """Read what is asked for, by the ids of the jobs; what cannot be done fails alone."""
        requests: dict[int, Request] = {}
        for task in tasks:
            try:
                requests[task.job_id] = self._request(task, pictures)
            except GenerationError as error:
                _LOG.warning("job %d: %s", task.job_id, str(error) or error.code)
                self._fail(number, [task], error.code)
        return requests

    def _request(self, task: Task, pictures: Mapping[str, bytes]) -> Request:
        mode = self._modes[task.mode]
        if not mode.is_served(self._profile):
            msg = f"the weights cannot serve {mode.name}"
            raise UnsupportedRequest(msg)
        request: Request = mode.request_type.model_validate(task.request)
        if not isinstance(request, ImageRequest):
            return request
        for image in request.images:
            if ImageBlob.of(pictures.get(image.key, b"")).key != image.key:
                msg = f"picture {image.key} is not what it was"
                raise PictureGone(msg)
        return request.with_data(pictures)

    def _tell_broken(self, error: GenerationError) -> None:
        readiness = Readiness(state="broken", reason=str(error) or error.code)
        if readiness != self._told:  # once, and not with each job that fails for it
            _LOG.error("%s", readiness.reason)
        self._tell(readiness)

    def _tell(self, readiness: Readiness) -> None:
        if readiness != self._told:
            self._told = readiness
            self._send(readiness, ())

    def _fail(self, number: int, tasks: Sequence[Task], code: str) -> None:
        for task in tasks:
            self._send(JobFailed(batch=number, job_id=task.job_id, code=code), ())


class _Rewording:
    """Says that a language model is at work, again and again, and answers who has left."""

    def __init__(
        self, number: int, jobs: Sequence[int], send: Send, is_withdrawn: IsWithdrawn
    ) -> None:
        self._number = number
        self._jobs = jobs
        self._send = send
        self._is_withdrawn = is_withdrawn
        self._indices: Sequence[int] = ()
        self._next_s = 0.0

    def begin(self, indices: Sequence[int]) -> None:
        """Say whose words are looked at; from here on a death may be the batch's doing."""
        self._indices = indices
        self._send(BatchBegan(batch=self._number), ())
        self._tell()

    def is_wanted(self, index: int) -> bool:
        """Whether anybody still waits for the job of this index."""
        if self._indices and time.monotonic() >= self._next_s:
            self._tell()  # a worker that is silent for long is taken for hung
        return not self._is_withdrawn(self._number, self._jobs[index])

    def _tell(self) -> None:
        self._next_s = time.monotonic() + REWORDING_INTERVAL_S
        jobs = [self._jobs[index] for index in self._indices]
        self._send(BatchRewording(batch=self._number, jobs=jobs), ())


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
