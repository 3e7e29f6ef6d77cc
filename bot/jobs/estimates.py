"""How long a job will take to come, from how long such jobs have taken."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from storage.jobs import Job, Jobs
from storage.paces import ALL_KINDS, Pace, Paces

FIRST_GUESS: Final = Pace(picture_s=20.0, job_s=20.0)
"""Believed until the first job ever has been measured."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the estimates of one moment rest on.

    Attributes:
        paces: moving averages of measured device seconds by (mode, batch key).
        running_s: device seconds still needed by what runs now.
        slots: how many batches run side by side.
    """

    paces: Mapping[tuple[str, str], Pace]
    running_s: float
    slots: int

    @property
    def turn_s(self) -> float:
        """Seconds in which the queue moves on by one job, at the recent mix of jobs."""
        return self.paces.get(ALL_KINDS, FIRST_GUESS).job_s / self.slots

    def own_s(self, job: Job) -> float:
        """Device seconds for this job's pictures: by its kind's pace, else by all kinds'."""
        fallback = self.paces.get(ALL_KINDS, FIRST_GUESS)
        return self.paces.get((job.mode, job.batch_key), fallback).picture_s * job.pictures

    def wait_s(self, job: Job, ahead: int) -> float:
        """Seconds until the job is done: what runs, what is ahead, and the job itself."""
        return self.running_s / self.slots + ahead * self.turn_s + self.own_s(job)


class Estimates:
    """Gathers an :class:`Outlook` from the tables, so that it survives a restart."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        paces: Paces,
        slots: Callable[[], int],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._jobs = jobs
        self._paces = paces
        self._slots = slots
        self._clock = clock

    async def outlook(self) -> Outlook:
        """Look at the averages and at what runs.

        A running batch still needs what its pictures take at their kinds' pace, less the time
        since it was claimed; one that takes longer than expected counts as about to end.
        """
        fresh = Outlook(paces=await self._paces.all(), running_s=0, slots=max(1, self._slots()))
        needed_s: defaultdict[float, float] = defaultdict(float)
        for job in await self._jobs.running():
            needed_s[job.started_at or 0.0] += fresh.own_s(job)
        now = self._clock()
        running_s = sum(
            max(0.0, batch_s - max(0.0, now - started_at))
            for started_at, batch_s in needed_s.items()
        )
        return Outlook(fresh.paces, running_s, fresh.slots)
