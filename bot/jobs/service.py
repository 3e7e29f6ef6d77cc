"""The use cases of the queue: submit, cancel, look; and its life from start to stop."""

import asyncio
import time
from collections.abc import Callable, Mapping

from bot.jobs.admission import Admission, Limits, gates_of
from bot.jobs.attempts import Attempts
from bot.jobs.board import Board
from bot.jobs.estimates import Estimates
from bot.jobs.housekeeping import Keeping, chores_of, keep_house
from bot.jobs.job import Asker, NoSuchJob, PictureGone
from bot.jobs.ports import Delivery, Engine, Waiting
from bot.jobs.scheduler import Scheduler
from bot.jobs.telling import Teller
from bot.tasks import Tasks
from pipelines.contracts import AnyMode, ImageRequest, Request
from storage.blobs import BlobGone, Blobs
from storage.jobs import Job, Jobs, NoSuchJobRow
from storage.paces import Paces
from storage.people import People


class JobService:
    """Takes requests in; each comes out as exactly one told ending.

    All that must not be lost is in the tables: this object can be killed at any line and a new
    one, started on the same tables, goes on.

    Args:
        engine: started and stopped by this service.
        delivery: the way back to the chats.
        jobs: the queue.
        blobs: where pictures are kept.
        modes: by name, as ``pipelines.registry`` finds them.
        limits: of admission.
        batch_pictures: most pictures in one batch.
        keeping: how long things are kept.
        clock: Unix seconds.
    """

    def __init__(  # noqa: PLR0913 - the one place where the queue's parts meet
        self,
        *,
        engine: Engine,
        delivery: Delivery,
        jobs: Jobs,
        blobs: Blobs,
        modes: Mapping[str, AnyMode],
        limits: Limits,
        batch_pictures: int,
        keeping: Keeping = Keeping(),  # noqa: B008 - frozen
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._jobs = jobs
        self._blobs = blobs
        self._modes = modes
        paces = Paces(jobs.db, clock)
        self._estimates = Estimates(
            jobs=jobs, paces=paces, slots=lambda: engine.slots, clock=clock
        )
        self._admission = Admission(jobs, gates_of(limits, self._turn_s), clock)
        self._teller = Teller(jobs=jobs, people=People(jobs.db, clock), delivery=delivery)
        self._board = Board(
            jobs=jobs,
            delivery=delivery,
            outlook=self._estimates.outlook,
            is_over=self._teller.is_telling,
        )
        self._attempts = Attempts(
            engine=engine,
            delivery=delivery,
            jobs=jobs,
            blobs=blobs,
            paces=paces,
            modes=modes,
            over=self._teller.tell,
        )
        self._scheduler = Scheduler(
            jobs=jobs,
            attempts=self._attempts,
            slots=lambda: engine.slots,
            batch_pictures=batch_pictures,
            moved=self._board.moved,
        )
        self._chores = chores_of(keeping, jobs, blobs, clock)
        self._chores_every_s = keeping.every_s
        self._loops = Tasks()

    async def submit(
        self, asker: Asker, mode: str, request: Request, parent_id: int | None = None
    ) -> Job:
        """Queue a request and show its card.

        Submitting the same origin again returns the first job, as it is now, and costs nothing.

        Args:
            asker: who asks, and where the card goes.
            mode: the request's.
            request: complete.
            parent_id: the job whose picture it goes on from.

        Raises:
            Rejected: a gate said no, or a picture it starts from is gone; nothing is spent.
        """
        await self._renew_pictures(request)
        admitted = await self._admission.admit(asker, self._modes[mode], request, parent_id)
        job, ahead = admitted.job, admitted.ahead
        if admitted.is_new:
            outlook = await self._estimates.outlook()
            self._board.show(job, Waiting(ahead, outlook.wait_s(job, ahead)))
            self._scheduler.wake()
        return job

    async def cancel(self, job_id: int, user_id: int) -> bool:
        """End the user's job, waiting or running, at once. False if it was over already.

        The row is final when this returns; a device that worked on it stops within one step, and
        whatever it still makes is dropped.

        Raises:
            NoSuchJob: the job is unknown, forgotten or somebody else's.
        """
        try:
            job = await self._jobs.get(job_id)
        except NoSuchJobRow as fault:
            raise NoSuchJob from fault
        if job.user_id != user_id:
            raise NoSuchJob
        was = await self._jobs.cancel(job_id)
        if was is None:
            return False
        if was == "running":
            self._attempts.withdraw(job_id)
        self._teller.tell(job_id)
        self._board.moved()
        return True

    async def cancel_all(self, user_id: int) -> int:
        """End all of the user's jobs that are not over; how many."""
        jobs = await self._jobs.of_user(user_id, ["queued", "running"])
        # From the last to the first: so that no later one moves up and starts meanwhile.
        return sum([await self.cancel(job.id, user_id) for job in reversed(jobs)])

    async def mine(self, user_id: int) -> list[tuple[Job, Waiting | None]]:
        """The user's jobs that are not over, oldest first; None stands beside running ones."""
        outlook = await self._estimates.outlook()
        return [
            (job, await self._waiting(job, outlook.wait_s) if job.state == "queued" else None)
            for job in await self._jobs.of_user(user_id, ["queued", "running"])
        ]

    async def totals(self) -> tuple[int, int]:
        """How many jobs wait, and how many run, all users together."""
        return await self._jobs.totals()

    async def start(self) -> None:
        """Take up what an earlier run left, and begin to work."""
        await self._engine.start()
        await self._jobs.recover()
        await self._teller.tell_all()
        self._loops.start(self._scheduler.run(), name="scheduler")
        self._loops.start(self._board.run(), name="board of waiting jobs")
        self._loops.start(keep_house(self._chores, self._chores_every_s), name="housekeeping")
        self._board.moved()
        self._scheduler.wake()

    async def stop(self, grace_s: float) -> None:
        """Stop in good order.

        Nothing new is claimed; the batches that run have ``grace_s`` seconds to end and to be
        told, then they go back into the queue, uncounted, even where this is cancelled. While
        the engine ends, what is on its way to a chat may arrive; all else is told after the next
        start.
        """
        deadline = asyncio.get_running_loop().time() + grace_s
        self._scheduler.stop_claiming()
        try:
            await self._loops.stop()
            await self._scheduler.drain(grace_s)
        finally:
            await self._scheduler.stop()
            await self._jobs.release()
        await asyncio.gather(self._engine.stop(), self._stop_telling(deadline))

    async def _stop_telling(self, deadline: float) -> None:
        left_s = deadline - asyncio.get_running_loop().time()
        await self._teller.drain(max(0.0, left_s))
        await self._teller.stop()

    async def _renew_pictures(self, request: Request) -> None:
        """Keep what the request starts from for another lifetime, while it still can be."""
        for image in request.images if isinstance(request, ImageRequest) else ():
            try:
                await self._blobs.renew(image.key)
            except BlobGone as fault:
                raise PictureGone from fault

    async def _turn_s(self) -> float:
        return (await self._estimates.outlook()).turn_s

    async def _waiting(self, job: Job, wait_s: Callable[[Job, int], float]) -> Waiting:
        ahead = await self._jobs.waiting_view(job)
        return Waiting(ahead, wait_s(job, ahead))
