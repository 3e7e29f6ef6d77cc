"""A chat of 10,000 messages is as usable as a small one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from playground.model import Content
from playground.rates import Limits
from playground.server import Playground, new_playground
from playground.text import FormattedText
from playground.world import Settings
from tests.playground.client import Api
from tests.playground.page.driver import ON_PAGE, PRIVATE, heard, say

pytestmark = ON_PAGE

COUNT = 10_000
MOST_IN_DOCUMENT = 320
UP_TO = """async (number) => {
    const log = document.getElementById("log");
    const top = () => document.querySelector(".message .text").textContent;
    while (Number(/\\d+/.exec(top())) > number) {
        log.scrollTop = 0;
        await new Promise(requestAnimationFrame);
    }
}"""
# The median time in ms from a typed letter to a finished layout.
TYPING = """async () => {
    const input = document.getElementById("composer");
    const took = [];
    for (let key = 0; key < 20; key += 1) {
        const from = performance.now();
        input.value += "x";
        input.dispatchEvent(new InputEvent("input", {bubbles: true}));
        input.getBoundingClientRect();
        took.push(performance.now() - from);
    }
    return took.sort((a, b) => a - b)[10];
}"""


@pytest.fixture
def playground(tmp_path: Path) -> Playground:
    """A world that keeps them all."""
    settings = Settings(messages_per_chat=2 * COUNT, limits=Limits(enabled=False))
    return new_playground(tmp_path, settings=settings)


@pytest_asyncio.fixture(loop_scope="session")
async def full(page: Page, api: Api, playground: Playground) -> AsyncIterator[Page]:
    """Alice's chat, once the bot has sent 10,000 lines."""
    add(playground, COUNT)
    await page.reload()
    await expect(heard(page, f"line {COUNT - 1}")).to_be_in_viewport()
    yield page


def add(playground: Playground, count: int, first: int = 0) -> None:
    chat = playground.world.chats[PRIVATE]
    for number in range(first, first + count):
        text = FormattedText(f"line {number}")
        playground.world.post(chat, chat.bots[0], Content(text))


async def in_document(page: Page) -> int:
    return await page.locator(".message").count()


async def test_scrolling_and_typing_are_as_light_as_ever(full: Page) -> None:
    assert await in_document(full) <= 60
    for number in (9_900, 9_700, 9_500):
        await full.evaluate(UP_TO, number)
        assert await in_document(full) <= MOST_IN_DOCUMENT
    await expect(heard(full, f"line {COUNT - 1}")).to_have_count(0)
    assert await full.evaluate(TYPING) < 50
    await full.fill("#composer", "")
    await full.click("#down")
    await expect(heard(full, f"line {COUNT - 1}")).to_be_in_viewport()
    await say(full, "hello")
    await expect(heard(full, "echo hello")).to_be_in_viewport()


async def test_a_thousand_messages_at_once_are_taken_in(
    full: Page, playground: Playground
) -> None:
    add(playground, 1000, first=COUNT)
    await expect(heard(full, f"line {COUNT + 999}")).to_be_in_viewport(timeout=20_000)
    assert await in_document(full) <= MOST_IN_DOCUMENT
    await full.evaluate("document.getElementById('log').scrollTop = 0")
    await expect(full.locator("#down")).to_be_visible()
    add(playground, 1000, first=COUNT + 1000)
    await full.get_by_role("button", name="1000 new").click(timeout=20_000)
    await expect(heard(full, f"line {COUNT + 1999}")).to_be_in_viewport()
    assert await in_document(full) <= MOST_IN_DOCUMENT
