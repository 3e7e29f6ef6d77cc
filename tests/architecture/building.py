"""Builds the whole app once, without running it; for tests and benchmarks of a fresh process."""

import tempfile
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Final

from bot.app import build_app, open_bot
from bot.config import load_config
from pipelines.contracts import Event, Work

ROOT: Final = Path(__file__).parents[2]


class IdleEngine:
    """An engine nobody asks for anything."""

    slots = 1

    async def start(self) -> None:
        """Bring nothing up."""

    async def stop(self) -> None:
        """End nothing."""

    def cancel(self, job_id: int) -> None:
        """Know no job."""

    async def run(self, batch: Sequence[Work]) -> AsyncGenerator[Event, None]:
        """Refuse: nothing is drawn here."""
        raise AssertionError(f"asked to draw {batch}")
        yield


async def build_once() -> None:
    """Build from the shipped configuration in a temporary folder, and close again."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"BOT_TOKEN": "12345:playground", "DATA_DIR": folder}
        config = load_config(ROOT / "config.yaml", environment)
        app = await build_app(config, open_bot(config.telegram), engine=IdleEngine())
        await app.database.close()
        await app.bot.session.close()
