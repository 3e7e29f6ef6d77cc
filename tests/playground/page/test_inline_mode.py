"""Asking a bot inline: "@bot query" in the composer of any chat."""

from playwright.async_api import Page, expect

from tests.playground.client import Api
from tests.playground.page.driver import ON_PAGE

pytestmark = ON_PAGE


async def test_a_result_is_chosen_with_the_keyboard(page: Page) -> None:
    await page.fill("#composer", "@playground_bot cats")
    rows = page.get_by_role("option")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("loudly cats")
    await page.press("#composer", "ArrowDown")
    await page.press("#composer", "ArrowDown")
    await page.press("#composer", "Enter")
    mine = page.locator(".message.out", has_text="cats, said softly")
    await expect(mine.locator(".via")).to_have_text("via @playground_bot")
    await expect(page.locator("#composer")).to_have_value("")
    await expect(rows).to_have_count(0)


async def test_more_results_are_asked_for(page: Page) -> None:
    await page.fill("#composer", "@playground_bot much")
    await page.get_by_role("option", name="More results").click()
    await expect(page.get_by_role("option")).to_have_count(4)
    await page.get_by_role("option", name="softly much2").click()
    await expect(page.locator(".message.out", has_text="much, said softly")).to_be_visible()


async def test_only_the_newest_query_is_answered(page: Page) -> None:
    await page.locator("#composer").press_sequentially("@playground_bot catsanddogs")
    await expect(page.get_by_role("option").first).to_contain_text("loudly catsanddogs")
    await page.fill("#composer", "@playground_bot nothing")
    await expect(page.locator(".inline-note")).to_have_text("Nothing found")
    await page.press("#composer", "Escape")
    await expect(page.locator(".inline-note")).to_have_count(0)


async def test_a_name_that_is_no_inline_bots_is_only_text(page: Page, api: Api) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.fill("#composer", "@somebody_else cats")
    await page.press("#composer", "Enter")
    await expect(page.locator(".message.in", has_text="echo @somebody_else")).to_be_visible()
    assert [url for url in asked if "/page/inline" in url] == []
