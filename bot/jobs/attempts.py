"""One batch on the engine, and what becomes of each of its jobs."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from pydantic import ValidationError

from bot.jobs.backoff import insist
from bot.jobs.ports import Delivery, Engine, Running
from pipelines.contracts import (
    AnyMode,
    EngineStopped,
    Event,
    Failed,
    Finished,
    GenerationError,
    ImageRequest,
    Output,
    PictureGone,
    Progressed,
    Rewording,
    Worded,
    Work,
    WorkerDied,
)
from storage.blobs import BlobGone, Blobs
from storage.jobs import Job, JobResult, Jobs, ResultPicture
from storage.paces import Paces

logger = logging.getLogger(__name__)

CRASHES_MAX: Final = 2
"""A job whose attempts killed the worker this often is not tried again."""
WORKER_DIED_CODE: Final = "error-worker-died"


@dataclass(slots=True)
class _Batch:
    """The jobs that have no outcome yet, and the outputs there are."""

    open: dict[int, Job]
    outputs: list[Output] = field(default_factory=list)


class Attempts:
    """Runs batches. Whatever happens to the engine, each job ends in the table.

    ``over`` is called with the id of each job that ended, so that its chat is told.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        delivery: Delivery,
        jobs: Jobs,
        blobs: Blobs,
        paces: Paces,
        modes: Mapping[str, AnyMode],
        over: Callable[[int], None],
    ) -> None:
        self._engine = engine
        self._delivery = delivery
        self._jobs = jobs
        self._blobs = blobs
        self._paces = paces
        self._modes = modes
        self._over = over
        self._withdrawn: set[int] = set()

    def withdraw(self, job_id: int) -> None:
        """Stop a running job's work; its row is cancelled already."""
        self._withdrawn.add(job_id)
        self._engine.cancel(job_id)

    async def run(self, jobs: Sequence[Job]) -> bool:
        """Run a batch to its end. False if the engine turned it away because it stops."""
        batch = _Batch(open={job.id: job for job in jobs})
        try:
            return await self._run(batch)
        finally:
            self._withdrawn.difference_update(job.id for job in jobs)

    async def _run(self, batch: _Batch) -> bool:
        work = [
            piece for job in list(batch.open.values()) if (piece := await self._read(batch, job))
        ]
        try:
            if work:
                self._show_begun(batch)
                async with aclosing(self._engine.run(work)) as events:
                    async for event in events:
                        await self._hear(batch, event)
        except WorkerDied as death:
            logger.warning("the worker died with jobs %s", sorted(batch.open))
            await (self._crashed(batch) if death.had_begun else self._returned(batch))
            return True
        except EngineStopped:
            await self._returned(batch)
            return False
        except Exception:
            logger.exception("jobs %s: the attempt failed unexpectedly", sorted(batch.open))
        else:
            await self._measure(batch, work)
        for job_id in list(batch.open):
            logger.error("job %s: the engine reported no outcome", job_id)
            await self._failed(batch, job_id, GenerationError.code)
        return True

    async def _read(self, batch: _Batch, job: Job) -> Work | None:
        """The job as the engine takes it; one that cannot be read any more fails."""
        try:
            request = self._modes[job.mode].request_type.model_validate_json(job.request)
        except KeyError:
            logger.error("job %s: there is no mode %r", job.id, job.mode)
        except ValidationError as fault:
            # The values are people's own words, and no business of the log's.
            reasons = fault.errors(include_input=False, include_context=False, include_url=False)
            logger.error("job %s: its request cannot be read: %s", job.id, reasons)
        else:
            return await self._illustrated(batch, Work(job.id, job.mode, request))
        await self._failed(batch, job.id, GenerationError.code)
        return None

    async def _illustrated(self, batch: _Batch, work: Work) -> Work | None:
        """The work with the bytes of what it starts from; without them the job fails."""
        request = work.request
        if not isinstance(request, ImageRequest):
            return work
        what = f"job {work.job_id}"
        try:
            data = {
                image.key: await insist(partial(self._blobs.get, image.key), what)
                for image in request.images
            }
        except BlobGone:
            await self._failed(batch, work.job_id, PictureGone.code)
            return None
        return replace(work, request=request.with_data(data))

    async def _hear(self, batch: _Batch, event: Event) -> None:
        job = batch.open.get(event.job_id)
        if job is None:
            logger.error("job %s: heard of again after its end: %s", event.job_id, type(event))
            return
        match event:
            case Progressed(job_id) | Rewording(job_id) if job_id in self._withdrawn:
                self._engine.cancel(job_id)  # the first call may have come before the engine knew
            case Rewording():
                self._show(job, Running(0, 1, None, is_rewording=True))
            case Worded(job_id, drawn):
                settle = partial(self._jobs.set_drawn, job_id, drawn.model_dump_json())
                await insist(settle, f"job {job_id}")
            case Progressed(_, index, total, preview):
                self._show(job, Running(index, total, preview))
            case Finished(job_id, output):
                await self._finished(batch, job_id, output)
            case Failed(job_id, code):
                await self._failed(batch, job_id, code)

    def _show_begun(self, batch: _Batch) -> None:
        """No card shall say "you are next" through the minutes that weights may take to load."""
        for job_id, job in batch.open.items():
            if job_id not in self._withdrawn:
                self._show(job, Running(0, 1, None))  # the engine has yet to say how many steps

    def _show(self, job: Job, view: Running) -> None:
        try:
            self._delivery.show(job, view)
        except Exception:
            logger.exception("job %s: its progress cannot be shown", job.id)

    async def _finished(self, batch: _Batch, job_id: int, output: Output) -> None:
        """Keep the pictures, then say so: a done job always has them."""
        if job_id not in self._withdrawn:
            await insist(partial(self._keep, job_id, output), f"job {job_id}")
        del batch.open[job_id]
        batch.outputs.append(output)
        self._over(job_id)

    async def _keep(self, job_id: int, output: Output) -> None:
        pictures = [
            ResultPicture(
                png_key=await self._blobs.put(picture.png),
                jpeg_key=await self._blobs.put(picture.jpeg),
                seed=picture.seed,
                width_px=picture.width_px,
                height_px=picture.height_px,
            )
            for picture in output.pictures
        ]
        await self._jobs.finish(job_id, JobResult(tuple(pictures), output.seconds))

    async def _failed(self, batch: _Batch, job_id: int, code: str) -> None:
        if await insist(partial(self._jobs.fail, job_id, code), f"job {job_id}"):
            logger.warning("job %s: %s", job_id, code)
        del batch.open[job_id]
        self._over(job_id)

    async def _crashed(self, batch: _Batch) -> None:
        for job in list(batch.open.values()):
            if job.crashes + 1 >= CRASHES_MAX:
                await self._failed(batch, job.id, WORKER_DIED_CODE)
            else:
                await insist(partial(self._jobs.requeue, job.id, crashed=True), f"job {job.id}")

    async def _returned(self, batch: _Batch) -> None:
        """Queue the jobs again: what cut them short was no fault of theirs."""
        for job_id in batch.open:
            await insist(partial(self._jobs.requeue, job_id, crashed=False), f"job {job_id}")

    async def _measure(self, batch: _Batch, work: Sequence[Work]) -> None:
        """Take the batch into the averages, unless some of its jobs ended early."""
        if not work or len(batch.outputs) < len(work):
            return
        record = partial(
            self._paces.record,
            work[0].mode,
            work[0].request.batch_key,
            seconds=max(output.seconds for output in batch.outputs),
            jobs=len(work),
            pictures=sum(piece.request.pictures for piece in work),
        )
        await insist(record, "the pace")
