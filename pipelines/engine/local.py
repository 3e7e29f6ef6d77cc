"""The local engine: one worker process per device of this machine. Never imports torch."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from pipelines.contracts import Event, Work
from pipelines.engine.process import WorkerProcess
from pipelines.engine.wire import Readiness
from pipelines.profiles import Profile
from pipelines.prompting.settings import PromptingSettings

_BEST_FIRST: Final = ("ready", "broken", "starting")


class LocalEngine:
    """Runs batches in processes of its own, so that the event loop never waits for a tensor.

    Args:
        profile: which weights. Its ``device`` may name several, separated by commas: each gets a
            process, and each process all the weights.
        prompting: which language model rewords prompts; none is none.
    """

    def __init__(self, profile: Profile, prompting: PromptingSettings | None = None) -> None:
        devices = [device.strip() for device in profile.device.split(",")]
        self._workers = [
            WorkerProcess(profile.model_copy(update={"device": device}), prompting, len(devices))
            for device in devices
        ]

    async def start(self) -> None:
        """Bring the workers up; returns at once, the first batch waits for the weights."""
        for worker in self._workers:
            worker.start()

    async def stop(self) -> None:
        """End every worker within seconds; batches still running raise ``EngineStopped``."""
        await asyncio.gather(*(worker.stop() for worker in self._workers))

    @property
    def slots(self) -> int:
        """One batch per device that is not broken, and never none: that would end all trying."""
        return max(1, sum(worker.readiness.state != "broken" for worker in self._workers))

    @property
    def readiness(self) -> Readiness:
        """How the workers are: ready if one of them is, else broken if one of them is."""
        states = [worker.readiness for worker in self._workers]
        return min(states, key=lambda readiness: _BEST_FIRST.index(readiness.state))

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """The processes there are now."""
        return tuple(worker.pid for worker in self._workers if worker.pid is not None)

    def run(self, batch: Sequence[Work]) -> AsyncGenerator[Event, None]:
        """Run one batch on the least busy device that is ready, else on the least busy one.

        It is taken by this very call; see :class:`bot.jobs.ports.Engine`.

        Raises:
            WorkerDied: the process is gone; jobs without a last event were not finished.
            EngineStopped: the engine is stopping; likewise.
        """
        worker = min(self._workers, key=lambda w: (w.readiness.state != "ready", w.load))
        return worker.run(batch)

    def cancel(self, job_id: int) -> None:
        """Withdraw a job: it fails as cancelled at once and leaves the device a step later."""
        for worker in self._workers:
            worker.withdraw(job_id)
