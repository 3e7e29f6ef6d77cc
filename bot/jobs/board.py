"""Keeps the cards of waiting jobs true as the queue moves."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from bot.jobs.estimates import Outlook
from bot.jobs.ports import Delivery, Waiting
from storage.jobs import Job, Jobs

logger = logging.getLogger(__name__)

SIZE: Final = 50
"""The cards nearest to their turn; those behind follow when they come this near."""


EVERY_S: Final = 15.0
"""How often the estimates are looked at while the queue stands still."""
STALE: Final = 0.2
"""The change of an estimate, as a share of what was shown, that is worth an edit."""


class Board:
    """Shows the next :data:`SIZE` jobs their places, and their estimates as these change.

    What was shown is not stored: after a restart every card is shown afresh. ``is_over`` tells
    jobs whose end is being told already and must not be painted over.
    """

    def __init__(
        self,
        *,
        jobs: Jobs,
        delivery: Delivery,
        outlook: Callable[[], Awaitable[Outlook]],
        is_over: Callable[[int], bool],
        every_s: float = EVERY_S,
    ) -> None:
        self._jobs = jobs
        self._delivery = delivery
        self._outlook = outlook
        self._is_over = is_over
        self._every_s = every_s
        self._shown: dict[int, Waiting] = {}
        self._has_moved = asyncio.Event()

    def moved(self) -> None:
        """Places may have changed."""
        self._has_moved.set()

    async def run(self) -> None:
        """Refresh the cards whenever the queue has moved, and now and then, for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._has_moved.wait()
            self._has_moved.clear()
            try:
                await self.refresh()
            except Exception:
                logger.exception("the cards of waiting jobs cannot be refreshed")

    async def refresh(self) -> None:
        """Show each of the next jobs how it waits, if that is news."""
        outlook = await self._outlook()
        front = await self._jobs.front(SIZE)
        before, self._shown = self._shown, {}
        for ahead, job in enumerate(front):
            if self._is_over(job.id):
                continue
            view, shown = Waiting(ahead, outlook.wait_s(job, ahead)), before.get(job.id)
            if shown is None or _is_news(view, shown):
                self.show(job, view)
            else:
                self._shown[job.id] = shown

    def show(self, job: Job, view: Waiting) -> None:
        """Show one job its place."""
        self._shown[job.id] = view
        try:
            self._delivery.show(job, view)
        except Exception:
            logger.exception("job %s: its place cannot be shown", job.id)


def _is_news(view: Waiting, shown: Waiting) -> bool:
    return view.ahead != shown.ahead or abs(view.wait_s - shown.wait_s) > STALE * shown.wait_s
