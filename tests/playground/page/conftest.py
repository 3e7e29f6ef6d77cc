"""One browser for all tests of the page; a world, a bot and a profile for each."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, async_playwright, expect

from playground.rates import Limits
from playground.server import Playground, build_app, new_playground
from playground.world import DEFAULT_TOKEN, Settings
from tests.playground.client import Api, begin
from tests.playground.echo_bot import serve
from tests.playground.page.driver import CHROMIUM, FLAGS, REFUSED

expect.set_options(timeout=15_000)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser; starting one takes longer than most tests."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        await running.close()


@pytest.fixture
def playground(tmp_path: Path) -> Playground:
    """A world with the time of day and without rate limits; Mini Apps may come by http."""
    limits = Limits(enabled=False)
    settings = Settings(messages_per_chat=200, limits=limits, allow_http=True)
    return new_playground(tmp_path, settings=settings)


@pytest_asyncio.fixture(loop_scope="session")
async def api(playground: Playground) -> AsyncIterator[Api]:
    """The server, in the browser's own event loop."""
    server = TestServer(build_app(playground))
    await server.start_server()
    async with Api(str(server.make_url("")).rstrip("/"), DEFAULT_TOKEN) as client:
        await client.start()
        yield client
    await server.close()


@pytest.fixture
def expected() -> list[str]:
    """What the browser's console may say: a refusal that a test has asked for."""
    return [REFUSED]


@pytest_asyncio.fixture(loop_scope="session")
async def page(api: Api, browser: Browser, expected: list[str]) -> AsyncIterator[Page]:
    """Alice's chat with the echo bot; ends without a complaint on the browser's console."""
    complaints: list[str] = []
    bot = begin(serve(api))
    async with await browser.new_context(viewport={"width": 1100, "height": 800}) as context:
        opened = await context.new_page()
        opened.on("console", lambda said: complaints.append(said.text))
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.set_default_timeout(15_000)
        await opened.goto(api.base)
        await opened.wait_for_selector("body[data-ready]")
        yield opened
    bot.cancel()
    assert [said for said in complaints if not any(known in said for known in expected)] == []
