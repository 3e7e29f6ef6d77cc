"""Scrolling through what was said."""

from playwright.async_api import Page, expect

from tests.playground.client import ALICE, Api
from tests.playground.page.driver import ON_PAGE, heard, not_now, numbered, say_lines

pytestmark = ON_PAGE


async def test_who_reads_above_is_not_pulled_down(page: Page, api: Api) -> None:
    first = await say_lines(page, api, 70)
    await expect(page.locator(".message").last).to_be_in_viewport()
    await page.reload()
    await expect(page.locator(".message", has_text="line 69")).to_be_in_viewport()
    await page.evaluate("document.getElementById('log').scrollTop = 0")
    await expect(first).to_be_attached()
    above = page.locator(".message", has_text="line 22")
    await above.scroll_into_view_if_needed()
    await api.call("sendMessage", chat_id=ALICE, text="news")
    await expect(page.locator("#down")).to_be_visible()
    await expect(above).to_be_in_viewport()
    await page.click("#down")
    await expect(page.locator(".message", has_text="news")).to_be_in_viewport()


async def test_history_that_failed_to_load_is_asked_for_again(page: Page, api: Api) -> None:
    first = await say_lines(page, api, 70)
    await page.reload()
    await expect(page.locator(".message", has_text="line 69")).to_be_in_viewport()
    failing = "**/page/messages?*before=*"
    await page.route(failing, not_now)
    await page.evaluate("document.getElementById('log').scrollTop = 0")
    await expect(page.locator("[data-toast]").first).to_have_text("Not now")
    await page.unroute(failing)
    await page.evaluate("document.getElementById('log').scrollTop = 40")
    await expect(first).to_be_attached()


async def test_a_quoted_message_far_above_is_jumped_to(page: Page, api: Api) -> None:
    first = await api.call("sendMessage", chat_id=ALICE, text="the very first")
    await say_lines(page, api, 120)
    reply = {"message_id": first["message_id"]}
    await api.call("sendMessage", chat_id=ALICE, text="about it", reply_parameters=reply)
    await page.reload()
    await page.locator(".message", has_text="about it").locator(".quote").click()
    await expect(numbered(page, first)).to_be_in_viewport()
    await expect(numbered(page, first)).to_be_focused()
    await page.click("#down")
    await expect(heard(page, "about it")).to_be_in_viewport()


async def test_news_below_are_counted_until_they_are_seen(page: Page, api: Api) -> None:
    await say_lines(page, api, 60)
    await expect(heard(page, "line 59")).to_be_in_viewport()
    await page.evaluate("document.getElementById('log').scrollTop = 0")
    await expect(page.locator("#down")).to_be_visible()
    await say_lines(page, api, 2)
    down = page.get_by_role("button", name="Go to the newest message, 2 new")
    await down.click()
    await expect(heard(page, "line 1")).to_be_in_viewport()
    await expect(down).to_have_count(0)
