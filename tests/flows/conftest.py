from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app import App
from tests.building import chatter, configured, running
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
async def app(
    tmp_path: Path, session: RecordingSession, engine: FakeEngine, clock: FakeClock, knows: str
) -> AsyncIterator[App]:
    async with running(configured(tmp_path, knows), session, engine, clock) as app:
        yield app


@pytest.fixture
def vera(app: App, session: RecordingSession) -> Chatter:
    return chatter(app, session)
