"""Time, as the bot sees it; tests hand in one that they move themselves."""

import asyncio
import time


class Clock:
    """The machine's clock. Calling it gives Unix seconds, which is what storage keeps."""

    def __call__(self) -> float:
        """Unix seconds; may jump when the machine's clock is set."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that only grow: for pacing and intervals."""
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        """Give way for ``duration_s`` seconds."""
        await asyncio.sleep(duration_s)
