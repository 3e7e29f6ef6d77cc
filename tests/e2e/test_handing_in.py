"""Pictures from a person's hand to the blobs: the playground's HTTP, the inbox, a real process."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message
from aiohttp.test_utils import TestServer

from bot.clock import Clock
from bot.inbox import Poller, Reception
from bot.jobs.job import Rejected
from bot.normaliser import Normaliser
from bot.sender import Sender
from bot.uploads import Intake
from playground.files import FileStore
from playground.rates import Limits
from playground.server import Playground, build_app
from playground.world import DEFAULT_TOKEN, Settings, World, populate
from storage.blobs import Blobs
from storage.database import Database
from storage.inbox import Inbox
from storage.jobs import Jobs
from tests.jobs.fakes import until
from tests.pipelines.handed_in import animation, jpeg, turned_jpeg, zip_file
from tests.playground.client import Api

LIMIT = 4
Files = dict[str, Any]


class Counter:
    """Where the bot takes pictures in, and what came of each time."""

    def __init__(self, bot: Bot, db: Database, folder: Path) -> None:
        bot.session.middleware(Sender(Clock()))
        blobs = Blobs(folder, db, lifetime_s=1e6, max_bytes=10**9)
        self.intake = Intake(bot, blobs, Jobs(db), Normaliser())
        self.came: list[str | list[tuple[int, int]]] = []
        dispatcher = Dispatcher()
        dispatcher.message.register(self.take)
        self.reception = Reception(Inbox(db), dispatcher, bot, Clock())
        self.poller = Poller(bot, self.reception, Clock())

    async def take(self, message: Message, album: tuple[Message, ...]) -> None:
        try:
            if message.text is None:
                uploads = await self.intake.take(album, LIMIT)
            else:
                uploads = await self.intake.replied(message, LIMIT)
        except Rejected as refusal:
            self.came.append(refusal.code)
        else:
            self.came.append([(upload.width_px, upload.height_px) for upload in uploads])


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    settings = Settings(limits=Limits(enabled=False))
    world = World(FileStore(tmp_path), settings)
    populate(world, DEFAULT_TOKEN)
    server = TestServer(build_app(Playground(world)))
    await server.start_server()
    async with Api(str(server.make_url("")).rstrip("/"), DEFAULT_TOKEN) as client:
        await client.start()
        yield client
    await server.close()


@pytest.fixture
async def counter(api: Api, tmp_path: Path) -> AsyncIterator[Counter]:
    db = await Database.open(tmp_path / "bot.sqlite")
    session = AiohttpSession(api=TelegramAPIServer.from_base(api.base))
    async with Bot(DEFAULT_TOKEN, session=session) as bot:
        counter = Counter(bot, db, tmp_path / "blobs")
        await counter.poller.identify()
        polling = asyncio.ensure_future(counter.poller.run())  # noqa: TID251
        yield counter
        polling.cancel()
        await counter.reception.stop(0)
    await db.close()


def files(*contents: tuple[str, bytes, str]) -> Files:
    return {f"file{index}": content for index, content in enumerate(contents)}


def photos(count: int) -> Files:
    return files(*((f"{n}.jpg", jpeg(64 + 2 * n, 64), "image/jpeg") for n in range(count)))


async def come(counter: Counter, times: int = 1) -> list[str | list[tuple[int, int]]]:
    await until(lambda: len(counter.came) >= times, timeout_s=60)
    return counter.came


async def test_a_photo_and_a_file_and_a_reply_come_in(api: Api, counter: Counter) -> None:
    sent = await api.act(photos(1), **{"as": "photo"})
    assert await come(counter, 1) == [[(64, 64)]]
    camera = files(("IMG_1.JPG", turned_jpeg(6), "image/jpeg"))
    await api.act(camera, **{"as": "document"})
    assert (await come(counter, 2))[1] == [(96, 64)]
    await api.act(text="this one", reply_to=sent["messages"][0]["id"])
    assert (await come(counter, 3))[2] == [(64, 64)]


async def test_an_album_comes_in_once_and_in_its_order(api: Api, counter: Counter) -> None:
    await api.act(photos(3), **{"as": "photo", "text": "/fuse"})
    assert await come(counter) == [[(64, 64), (66, 64), (68, 64)]]
    await asyncio.sleep(1)
    assert len(counter.came) == 1


async def test_what_is_bad_is_named(api: Api, counter: Counter) -> None:
    bad = {
        "error-upload-not-a-picture": files(("a.png", zip_file(), "image/png")),
        "error-upload-broken": files(("a.jpg", jpeg()[:300], "image/jpeg")),
        "error-upload-kind": files(("a.zip", zip_file(), "application/zip")),
    }
    for number, (code, content) in enumerate(bad.items(), start=1):
        await api.act(content, **{"as": "document"})
        assert (await come(counter, number))[-1] == code


async def test_an_animated_file_comes_in_by_its_first_frame(api: Api, counter: Counter) -> None:
    await api.act(files(("a.gif", animation("GIF"), "image/gif")), **{"as": "document"})
    assert await come(counter) == [[(64, 64)]]
