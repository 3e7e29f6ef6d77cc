from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiohttp.test_utils import TestServer

from playground.files import FileStore
from playground.guard import LINGERING_S
from playground.rates import Limits
from playground.server import Playground, build_app
from playground.world import DEFAULT_TOKEN, Settings, World, populate
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
    settings = Settings(messages_per_chat=200, limits=Limits(enabled=False))
    world = World(FileStore(tmp_path), settings, clock, clock)
    populate(world, DEFAULT_TOKEN)
    return Playground(world)


@pytest.fixture
async def server(playground: Playground) -> AsyncIterator[TestServer]:
    running = TestServer(build_app(playground))
    await running.start_server(lingering_time=LINGERING_S)
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
