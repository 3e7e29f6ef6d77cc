"""A whole bot for tests: real dispatcher, real queue, real SQLite; a Telegram in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiogram import Bot

from bot.app import App, build_app
from bot.config import Config
from bot.jobs.ports import Engine
from tests.jobs.fakes import until
from tests.telegram import TOKEN, Chatter, FakeClock, RecordingSession

PROFILE: dict[str, Any] = {
    "weights_dir": "weights",
    "licence": "none",
    "knows": "shapes",
    "sizes": {
        "1:1": {"width_px": 128, "height_px": 128},
        "16:9": {"width_px": 256, "height_px": 128},
    },
    "qualities": {"flash": {}, "base": {"steps": 25}},
    "default_quality": "base",
    "batch_pictures": 4,
}
LIMITS: dict[str, Any] = {
    "queue_size": 100,
    "in_flight_per_user": 100,
    "burst": 100,
    "refill_per_minute": 60,
    "daily_units": 1000,
}


def configured(
    data_dir: Path,
    knows: str = "shapes",
    *,
    prompting: dict[str, Any] | None = None,
    profile: dict[str, Any] | None = None,
    **limits: Any,
) -> Config:
    return Config.model_validate(
        {
            "prompting": prompting,
            "telegram": {"token": TOKEN},
            "storage": {"data_dir": data_dir},
            "cards": {"edit_interval_s": 0},
            "limits": {**LIMITS, **limits},
            "profile": "tiny",
            "profiles": {"tiny": {**PROFILE, "knows": knows, **(profile or {})}},
        }
    )


@asynccontextmanager
async def running(
    config: Config, session: RecordingSession, engine: Engine, clock: FakeClock
) -> AsyncIterator[App]:
    """Build and start; at the end stop in good order."""
    app = await build_app(config, Bot(TOKEN, session=session), engine=engine, clock=clock)
    await app.start()
    try:
        yield app
    finally:
        await app.stop()


def chatter(app: App, session: RecordingSession, **who: Any) -> Chatter:
    return Chatter(app.dispatcher, app.bot, session, **who)


async def until_seen(someone: Chatter, label: str, *, times: int = 1) -> None:
    """Wait until ``times`` messages of the chat have a button with this label."""
    await until(
        lambda: sum(any(label in text for text in m.buttons) for m in someone.sees) >= times
    )
