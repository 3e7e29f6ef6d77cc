"""What the job service needs from the outside: an engine, and a way back to the chat."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipelines.contracts import Event, Work
from storage.jobs import Job


class Engine(Protocol):
    """Owner of one or more devices. Not durable: the job table is the queue."""

    async def start(self) -> None:
        """Bring the workers up. Returns at once; the first batch waits for the weights."""
        ...

    async def stop(self) -> None:
        """End every worker; batches still running raise :class:`EngineStopped`."""
        ...

    @property
    def slots(self) -> int:
        """How many batches can run at once."""
        ...

    def run(self, batch: Sequence[Work]) -> AsyncGenerator[Event, None]:
        """Run one batch and report.

        Each job ends with exactly one ``Finished`` or ``Failed``; a withdrawn one with
        ``Failed(code="error-cancelled")``. Whoever leaves early closes the generator.

        Raises:
            WorkerDied: the process is gone; jobs without a final event were not finished.
            EngineStopped: the engine is stopping; likewise.
        """
        ...

    def cancel(self, job_id: int) -> None:
        """Withdraw a job that was handed to :meth:`run`; unknown ids are ignored."""
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """The job is in the queue: ``ahead`` jobs before it, about ``wait_s`` until it is done."""

    ahead: int
    wait_s: float


@dataclass(frozen=True, slots=True)
class Running:
    """The device has it; 0 of 1 steps are done where their number is not known yet.

    ``preview`` is a small JPEG of the picture as it forms. With ``is_rewording`` nothing is drawn
    yet: a language model is at work on the words.
    """

    index: int
    total: int
    preview: bytes | None
    is_rewording: bool = False


class ChatGone(Exception):
    """The chat cannot be written to any more: blocked, kicked, deactivated, deleted."""


class Delivery(Protocol):
    """The way back to the chat. One card per job."""

    def show(self, job: Job, view: Waiting | Running) -> None:
        """Make this the newest state of the job's card. Never blocks; states coalesce.

        The first call for a job sends the card, later ones edit it.
        """
        ...

    async def deliver(self, job: Job) -> None:
        """Show a finished, failed or cancelled job, once and for good.

        Idempotent: called again after a crash it repeats no picture. Returns when the chat has it.

        Raises:
            ChatGone: nobody is there to read it.
        """
        ...
