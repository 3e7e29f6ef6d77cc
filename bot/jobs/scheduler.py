"""Keeps the engine's slots filled from the job table."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from bot.jobs.attempts import Attempts
from bot.jobs.backoff import insist
from bot.tasks import Tasks
from storage.jobs import Job, Jobs

TURNED_AWAY_PAUSE_S: Final = 1.0
"""Before asking an engine again that stops, though nobody told us to stop."""


class Scheduler:
    """Claims a batch whenever a slot is free, and no sooner: what waits stays in the table.

    Args:
        jobs: the table.
        attempts: runs the batches.
        slots: how many batches the engine runs at once.
        batch_pictures: most pictures in one batch.
        moved: called when jobs have left the queue.
    """

    def __init__(
        self,
        *,
        jobs: Jobs,
        attempts: Attempts,
        slots: Callable[[], int],
        batch_pictures: int,
        moved: Callable[[], None],
    ) -> None:
        self._jobs = jobs
        self._attempts = attempts
        self._slots = slots
        self._batch_pictures = batch_pictures
        self._moved = moved
        self._batches = Tasks()
        self._busy = 0
        self._is_claiming = True
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be something to claim, or a slot to run it in."""
        self._woken.set()

    async def run(self) -> None:
        """Claim for ever."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._is_claiming and self._busy < self._slots():
                batch = await insist(partial(self._jobs.claim, self._batch_pictures), "the queue")
                if not batch:
                    break
                self._busy += 1
                self._batches.start(self._attempt(batch), name=_name(batch))
                self._moved()

    async def _attempt(self, batch: Sequence[Job]) -> None:
        try:
            if not await self._attempts.run(batch) and self._is_claiming:
                await asyncio.sleep(TURNED_AWAY_PAUSE_S)
        finally:
            self._busy -= 1
            self._moved()
            self.wake()

    def stop_claiming(self) -> None:
        """Start no batch any more."""
        self._is_claiming = False

    async def drain(self, timeout_s: float) -> None:
        """Let running batches end, at most ``timeout_s`` seconds."""
        await self._batches.drain(timeout_s)

    async def stop(self) -> None:
        """Leave the batches that still run; their rows stay as they are."""
        await self._batches.stop()


def _name(batch: Sequence[Job]) -> str:
    return "batch of jobs " + ", ".join(str(job.id) for job in batch)
