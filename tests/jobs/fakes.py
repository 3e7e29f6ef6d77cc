"""The outside world of the job service, as small as it can be, and able to fail on demand."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from bot.jobs.job import Asker
from bot.jobs.ports import Running, Waiting
from pipelines.contracts import (
    AnyMode,
    Drawn,
    EngineStopped,
    Event,
    Failed,
    Finished,
    ImageRequest,
    Mode,
    Output,
    Picture,
    Pipeline,
    Progressed,
    Request,
    Rewording,
    Worded,
    Work,
)
from storage.jobs import Job, Jobs


class Sketch(Request):
    """A request that costs no time to draw."""

    seed: int = 1
    n: int = 1
    size: str = "small"

    @property
    def pictures(self) -> int:
        return self.n

    @property
    def batch_key(self) -> str:
        return self.size


class Collage(Sketch, ImageRequest):
    """A sketch that starts from pictures."""


def _load(store: object) -> Pipeline[Sketch]:
    raise AssertionError("the bot's process loads no pipeline")


MODES: Final[Mapping[str, AnyMode]] = {
    "sketch": Mode("sketch", Sketch, cost=2, load=_load),
    "collage": Mode("collage", Collage, cost=2, load=_load),
}


def drawn(work: Work, seconds: float = 1.0) -> Output:
    """Pictures that tell which job and seed they belong to."""
    request = work.request
    pictures = tuple(
        Picture(
            png=f"png of {request.seed + i} for job {work.job_id}".encode(),
            jpeg=f"jpeg of {request.seed + i} for job {work.job_id}".encode(),
            width_px=64,
            height_px=96,
            seed=request.seed + i,
        )
        for i in range(request.pictures)
    )
    return Output(pictures, seconds)


@dataclass
class FakeEngine:
    """Draws at once, unless told otherwise.

    Attributes:
        gate: while cleared, a batch stays after its first step.
        fate: what becomes of a job instead of a picture: a code it fails with, an exception that
            ends the whole batch, or None for no word at all.
        batches: the ids of the jobs of each batch, in the order they came.
        cancelled: the ids of every call of :meth:`cancel`.
        words_gate: while cleared, its language model keeps silent.
        reword: what its language model makes of a job's words; none where it is not asked.
    """

    slots: int = 1
    fate: Callable[[Work], str | Exception | Output | None] = drawn
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    batches: list[list[int]] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    reword: Callable[[Work], Drawn | None] = lambda _work: None
    words_gate: asyncio.Event = field(default_factory=asyncio.Event)
    is_up: bool = False
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()
        self.words_gate.set()

    async def start(self) -> None:
        self.is_up = True

    async def stop(self) -> None:
        self.is_up = False
        self.stopping.set()

    def cancel(self, job_id: int) -> None:
        self.cancelled.append(job_id)

    async def run(self, batch: Sequence[Work]) -> AsyncGenerator[Event, None]:
        self.batches.append([work.job_id for work in batch])
        for work in batch:
            if drawn := self.reword(work):
                yield Rewording(work.job_id)
                await self.words_gate.wait()
                yield Worded(work.job_id, drawn)
            yield Progressed(work.job_id, 1, 2, b"preview")
        await self._pass_the_gate(batch)
        for work in batch:
            if work.job_id in self.cancelled:
                yield Failed(work.job_id, "error-cancelled")
                continue
            match self.fate(work):
                case Output() as output:
                    yield Finished(work.job_id, output)
                case str() as code:
                    yield Failed(work.job_id, code)
                case Exception() as fault:
                    raise fault
                case None:
                    pass

    async def _pass_the_gate(self, batch: Sequence[Work]) -> None:
        while not self.gate.is_set() and not all(w.job_id in self.cancelled for w in batch):
            if self.stopping.is_set():
                raise EngineStopped
            await asyncio.sleep(0.001)


@dataclass
class RecordingDelivery:
    """Remembers what chats would have seen. ``faults`` are raised first, one per delivery."""

    shown: list[tuple[int, Waiting | Running]] = field(default_factory=list)
    delivered: list[Job] = field(default_factory=list)
    faults: dict[int, list[Exception]] = field(default_factory=dict)
    attempts: list[int] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    at_once: int = 0
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    def show(self, job: Job, view: Waiting | Running) -> None:
        self.shown.append((job.id, view))

    async def deliver(self, job: Job) -> None:
        self.attempts.append(job.id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            if self.faults.get(job.id):
                raise self.faults[job.id].pop(0)
            self.delivered.append(job)
        finally:
            self.at_once -= 1

    def states(self) -> dict[int, str]:
        return {job.id: job.state for job in self.delivered}

    def places(self, job_id: int) -> list[int]:
        return [
            view.ahead
            for shown_id, view in self.shown
            if shown_id == job_id and isinstance(view, Waiting)
        ]


@dataclass(frozen=True)
class FakeLimits:
    """Limits nobody meets, but for those a test sets."""

    queue_size: int = 1_000_000
    in_flight_per_user: int = 1_000_000
    burst: int = 1_000_000
    refill_per_minute: float = 1_000_000
    daily_units: int = 1_000_000


def asker(user_id: int = 1, origin: str = "", *, chat_id: int | None = None) -> Asker:
    return Asker(
        user_id=user_id,
        chat_id=user_id if chat_id is None else chat_id,
        language="en",
        origin=origin or uuid4().hex,
    )


async def until(is_so: Callable[[], bool], timeout_s: float = 10) -> None:
    """Wait for what must come to be."""
    async with asyncio.timeout(timeout_s):
        while not is_so():  # noqa: ASYNC110 - of no interest to the program
            await asyncio.sleep(0.002)


async def until_told(jobs: Jobs, *job_ids: int, timeout_s: float = 10) -> None:
    """Wait until these jobs' chats know how they ended."""
    async with asyncio.timeout(timeout_s):
        for job_id in job_ids:
            while not (await jobs.get(job_id)).told:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.002)
