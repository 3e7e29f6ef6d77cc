"""The one place of the bot's outer layer that starts tasks: each is owned, named and ended."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger(__name__)


class Tasks:
    """A set of running tasks. A failure is logged with the task's name, never swallowed."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run ``work`` beside everything else."""
        task = asyncio.create_task(work, name=name)  # noqa: TID251 - the owned place
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            logger.error("task %s failed", task.get_name(), exc_info=fault)

    async def drain(self, timeout_s: float) -> None:
        """Wait for what runs now, at most ``timeout_s`` seconds."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)

    async def stop(self) -> None:
        """Cancel everything and wait until it is gone."""
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
