"""What one job costs the queue, with 100 and with 100,000 jobs stored."""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from benchmarks.figures import Figure, percentile
from bot.jobs.admission import Admission, gates_of
from bot.jobs.job import Asker
from pipelines.text_to_image import MODE, TextToImageRequest
from storage.database import Database
from storage.jobs import Jobs
from tests.storage.stock import put_many

FEW: Final = 100
MANY: Final = 100_000
USERS: Final = 50
ROUNDS: Final = 300
PROMISE: Final = 1.5


@dataclass(frozen=True)
class _Roomy:
    """Limits that never refuse."""

    queue_size: int = 10**9
    in_flight_per_user: int = 10**9
    burst: int = 10**9
    refill_per_minute: float = 10.0**9
    daily_units: int = 10**9


async def _no_wait() -> float:
    return 0.0


class _Queue:
    """One database with its stock, ready to take and give jobs."""

    def __init__(self, db: Database) -> None:
        self.jobs = Jobs(db)
        self._admission = Admission(self.jobs, gates_of(_Roomy(), _no_wait))

    async def once_s(self, number: int) -> float:
        """Submit one job and claim one batch."""
        asker = Asker(user_id=number % USERS, chat_id=1, language="en", origin=f"bench:{number}")
        request = TextToImageRequest(
            prompt="a red circle", seed=number, width_px=128, height_px=128, quality="base"
        )
        began = time.perf_counter()
        await self._admission.admit(asker, MODE, request)
        await self.jobs.claim(1)
        return time.perf_counter() - began


async def _compare(state: Literal["queued", "delivered"]) -> Figure:
    """Take turns between the two databases; the lower quartile leaves the neighbours out."""
    with tempfile.TemporaryDirectory() as folder:
        few_db = await Database.open(Path(folder) / "few.sqlite")
        many_db = await Database.open(Path(folder) / "many.sqlite")
        try:
            await put_many(few_db, FEW, users=USERS, state=state)
            await put_many(many_db, MANY, users=USERS, state=state)
            few, many = _Queue(few_db), _Queue(many_db)
            few_s: list[float] = []
            many_s: list[float] = []
            for number in range(ROUNDS):
                few_s.append(await few.once_s(number))
                many_s.append(await many.once_s(number))
        finally:
            await few_db.close()
            await many_db.close()
    small_ms, large_ms = percentile(few_s, 0.25) * 1000, percentile(many_s, 0.25) * 1000
    return Figure(
        f"submit + claim, {MANY:,} / {FEW} jobs {state}",
        large_ms / small_ms,
        f"{large_ms:.2f} ms / {small_ms:.2f} ms",
        PROMISE,
    )


def measure() -> list[Figure]:
    """Compare with everything queued, and with everything long delivered."""
    return [asyncio.run(_compare("queued")), asyncio.run(_compare("delivered"))]
