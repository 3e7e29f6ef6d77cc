from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiohttp.test_utils import TestServer

from playground.rates import Limits
from playground.server import Playground, build_app, new_playground
from playground.world import DEFAULT_TOKEN, Settings
from tests.playground.client import Api


class Clock:
    """Wall clock and monotonic clock that move only when told."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def playground(tmp_path: Path, clock: Clock) -> Playground:
    """A world without rate limits, with a clock that stands still."""
    made = new_playground(
        tmp_path, settings=Settings(messages_per_chat=200, limits=Limits(enabled=False))
    )
    made.world.clock = clock
    for seat in made.world.seats.values():
        seat.updates._clock = clock
    made.world.rates._monotonic = clock
    return made


@pytest.fixture
async def server(playground: Playground) -> AsyncIterator[TestServer]:
    running = TestServer(build_app(playground))
    await running.start_server()
    yield running
    await running.close()


@pytest.fixture
async def api(server: TestServer) -> AsyncIterator[Api]:
    """A client without any library's help, in a chat that Alice has already started."""
    async with Api(str(server.make_url("")).rstrip("/"), DEFAULT_TOKEN) as client:
        await client.start()
        yield client


@pytest.fixture
async def bot(server: TestServer, api: Api) -> AsyncIterator[Bot]:
    """The real aiogram client."""
    session = AiohttpSession(api=TelegramAPIServer.from_base(api.base))
    async with Bot(DEFAULT_TOKEN, session=session) as client:
        yield client
