"""Sees to it that every chat hears how its job ended."""

import asyncio
import logging
from functools import partial
from typing import Final
from weakref import WeakValueDictionary

from bot.jobs.backoff import backoff, insist
from bot.jobs.ports import ChatGone, Delivery
from bot.tasks import Tasks
from storage.jobs import Job, Jobs, NoSuchJobRow
from storage.people import People

logger = logging.getLogger(__name__)

AT_ONCE: Final = 8
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0
PATIENCE_S: Final = 86_400.0
"""For one job, from its first attempt in this run of the program to its last."""
FINISH_S: Final = 2.0
"""For what is on its way to a chat when the program stops."""


class Teller:
    """Delivers jobs that are over, again until it works or :data:`PATIENCE_S` have passed.

    Jobs of one chat are told one after another, so that a chat under a flood limit takes one of
    the :data:`AT_ONCE` places at most, and none between two attempts. What is not told when the
    program stops is told after the next start, from the table.
    """

    def __init__(
        self,
        *,
        jobs: Jobs,
        people: People,
        delivery: Delivery,
        first_pause_s: float = FIRST_PAUSE_S,
        longest_pause_s: float = LONGEST_PAUSE_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._jobs = jobs
        self._people = people
        self._delivery = delivery
        self._first_pause_s = first_pause_s
        self._longest_pause_s = longest_pause_s
        self._patience_s = patience_s
        self._places = asyncio.Semaphore(AT_ONCE)
        self._chats: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._telling: dict[int, asyncio.Task[None]] = {}
        self._delivering: set[int] = set()
        self._is_stopping = False
        self._tasks = Tasks()

    def tell(self, job_id: int) -> None:
        """Start telling, unless that is under way or there is nothing to tell."""
        if job_id not in self._telling:
            telling = self._tasks.start(self._tell(job_id), name=f"telling of job {job_id}")
            self._telling[job_id] = telling

    def is_telling(self, job_id: int) -> bool:
        """The job is over, and its chat is about to hear it."""
        return job_id in self._telling

    async def tell_all(self) -> None:
        """Tell what an earlier run of the program did not come to tell."""
        for job in await self._jobs.untold():
            self.tell(job.id)

    async def drain(self, timeout_s: float) -> None:
        """Let what is being told be heard, at most ``timeout_s`` seconds."""
        await self._tasks.drain(timeout_s)

    async def stop(self) -> None:
        """Begin no delivery, let those under way end within :data:`FINISH_S`, leave the rest.

        A message broken off midway may or may not be there, and an album of that kind is never
        sent again by itself.
        """
        self._is_stopping = True
        for job_id, telling in self._telling.items():
            if job_id not in self._delivering:
                telling.cancel()
        await self._tasks.drain(FINISH_S)
        await self._tasks.stop()

    async def _tell(self, job_id: int) -> None:
        loop = asyncio.get_running_loop()
        given_up_at = loop.time() + self._patience_s
        try:
            for pause_s in backoff(self._first_pause_s, self._longest_pause_s):
                if await self._is_told(job_id) or self._is_stopping:
                    return
                if loop.time() >= given_up_at:
                    break
                await asyncio.sleep(pause_s)
            logger.error("job %s: its chat could not be told, and will not be", job_id)
            await insist(partial(self._jobs.mark_told, job_id), f"job {job_id}")
        finally:
            self._telling.pop(job_id, None)

    async def _is_told(self, job_id: int) -> bool:
        """Try once. False means: again later."""
        try:
            job = await self._jobs.get(job_id)
            if job.is_over and not job.told:
                async with self._chats.setdefault(job.chat_id, asyncio.Lock()), self._places:
                    self._delivering.add(job_id)
                    await self._deliver(job)
        except NoSuchJobRow:
            logger.warning("job %s: forgotten before it was told", job_id)
        except Exception:
            logger.exception("job %s: telling failed, trying again later", job_id)
            return False
        finally:
            self._delivering.discard(job_id)
        return True

    async def _deliver(self, job: Job) -> None:
        try:
            await self._delivery.deliver(job)
        except ChatGone:
            logger.info("job %s: nobody is there to read it", job.id)
            if job.chat_id == job.user_id:  # a group's end says nothing of the user
                await self._people.mark_blocked(job.user_id)
        await self._jobs.mark_told(job.id)
