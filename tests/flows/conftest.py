from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.app import App
from tests.building import chatter, configured, running
from tests.flows.pictures import look_quickly
from tests.jobs.fakes import FakeEngine
from tests.telegram import Chatter, FakeClock, RecordingSession


@pytest.fixture
def session() -> RecordingSession:
    return RecordingSession()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def knows() -> str:
    """What the model knows; some tests want one that knows "anything"."""
    return "shapes"


@pytest.fixture
def serves() -> dict[str, Any]:
    """What the profile has beside the usual; some tests want one that takes pictures."""
    return {}


@pytest.fixture
async def app(
    tmp_path: Path,
    session: RecordingSession,
    engine: FakeEngine,
    clock: FakeClock,
    knows: str,
    serves: dict[str, Any],
) -> AsyncIterator[App]:
    config = configured(tmp_path, knows, profile=serves)
    async with running(config, session, engine, clock) as app:
        if serves:
            look_quickly(app)
        yield app


@pytest.fixture
def vera(app: App, session: RecordingSession) -> Chatter:
    return chatter(app, session)
