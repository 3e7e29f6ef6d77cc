"""Losing the server, and finding it again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, expect

from playground.rates import Limits
from playground.server import build_app, new_playground
from playground.world import DEFAULT_TOKEN, Settings
from tests.playground.client import ALICE, Api, begin
from tests.playground.echo_bot import serve
from tests.playground.page.driver import ON_PAGE, heard, not_now, say
from tests.playground.page.wire import Wire

pytestmark = ON_PAGE

LOST = ["ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "ERR_INCOMPLETE"]


@pytest_asyncio.fixture(loop_scope="session")
async def wire(page: Page, api: Api, expected: list[str]) -> AsyncIterator[Wire]:
    """The page, behind a connection that can be cut."""
    expected += LOST
    async with Wire(int(api.base.rpartition(":")[2])) as made:
        await page.goto(made.address)
        await page.wait_for_selector("body[data-ready]")
        yield made
        await page.goto("about:blank")


async def test_a_page_that_cannot_load_says_so_and_tries_again(page: Page) -> None:
    await page.route("**/page/state", not_now)
    await page.reload()
    await expect(page.locator("#notice")).to_contain_text("does not answer (Not now)")
    await page.unroute("**/page/state")
    await expect(page.locator("#composer")).to_be_visible()


async def test_what_was_missed_comes_once_and_in_order(page: Page, api: Api, wire: Wire) -> None:
    await api.call("sendMessage", chat_id=ALICE, text="news 0")
    await expect(heard(page, "news 0")).to_be_visible()
    await wire.cut()
    await expect(page.locator("#connection")).to_have_text("Reconnecting…")
    for number in (1, 2, 3):
        await api.call("sendMessage", chat_id=ALICE, text=f"news {number}")
    await wire.mend()
    await expect(heard(page, "news 3")).to_be_visible()
    await expect(page.locator("#connection")).to_be_empty()
    shown = await page.locator(".message.in", has_text="news").locator(".text").all_inner_texts()
    assert [text[:6] for text in shown] == ["news 0", "news 1", "news 2", "news 3"]


async def test_what_is_said_into_the_void_is_given_back(page: Page, wire: Wire) -> None:
    await wire.cut()
    await say(page, "are you there")
    await expect(page.locator("[data-toast]")).to_have_text("The playground does not answer")
    await expect(page.locator("#composer")).to_have_value("are you there")
    await wire.mend()
    await expect(page.locator("#connection")).to_be_empty()
    await page.press("#composer", "Enter")
    await expect(page.locator(".message.in", has_text="echo are you there")).to_have_count(1)


async def test_a_restarted_server_is_taken_up_as_it_is_now(
    page: Page, wire: Wire, tmp_path: Path
) -> None:
    await say(page, "before")
    await expect(heard(page, "echo before")).to_be_visible()
    await page.fill("#composer", "half a thought")
    again = new_playground(tmp_path / "again", settings=Settings(limits=Limits(enabled=False)))
    server = TestServer(build_app(again))
    await server.start_server()
    async with Api(str(server.make_url("")).rstrip("/"), DEFAULT_TOKEN) as client:
        await client.start()
        bot = begin(serve(client))
        await wire.cut()
        wire.target = int(client.base.rpartition(":")[2])
        await wire.mend()
        await expect(page.locator(".message", has_text="before")).to_have_count(0)
        await expect(page.locator("#composer")).to_have_value("half a thought")
        await page.press("#composer", "Enter")
        await expect(page.locator(".message.in", has_text="echo half a thought")).to_have_count(1)
        bot.cancel()
        await page.goto("about:blank")
    await server.close()
