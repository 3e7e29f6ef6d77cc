"""Buttons under a message and under the composer."""

from playwright.async_api import Page, expect

from tests.playground.client import ALICE, Api, keyboard
from tests.playground.page.driver import ON_PAGE, heard, say

pytestmark = ON_PAGE


async def test_buttons_answer_with_toasts_and_alerts(page: Page) -> None:
    await say(page, "buttons")
    await expect(page.get_by_role("button", name="Off")).to_be_disabled()
    await expect(page.get_by_role("button", name="Toast")).to_have_class("key primary")
    await page.get_by_role("button", name="Toast").click()
    await expect(page.locator("[data-toast]")).to_have_text("You pressed toast")
    await page.get_by_role("button", name="Alert").click()
    await expect(page.locator("[data-alert]")).to_contain_text("You pressed alert")
    await page.get_by_role("button", name="OK").click()
    await expect(page.locator("[data-alert]")).to_have_count(0)
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)


async def test_a_reply_keyboard_is_pressed(page: Page, api: Api) -> None:
    markup = {"keyboard": [[{"text": "Yes"}, {"text": "No"}]], "one_time_keyboard": True}
    await api.call("sendMessage", chat_id=ALICE, text="Well?", reply_markup=markup)
    await page.locator("[data-reply-keyboard]").get_by_role("button", name="Yes").click()
    await expect(page.locator(".message.in", has_text="echo Yes")).to_be_visible()
    await expect(page.locator("[data-reply-keyboard]")).to_have_count(0)


async def test_every_kind_of_button_does_what_it_says(page: Page, api: Api) -> None:
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    keys = keyboard(
        [{"text": "Site", "url": "https://example.com/"}],
        [{"text": "Copy", "copy_text": {"text": "seed 7"}}],
        [{"text": "Here", "switch_inline_query_current_chat": "cats"}],
        [{"text": "Elsewhere", "switch_inline_query": "dogs"}],
        [{"text": "Deep", "url": "https://t.me/playground_bot?start=more"}],
    )
    await api.call("sendMessage", chat_id=ALICE, text="Choose", reply_markup=keys)
    shown = heard(page, "Choose")
    site = shown.get_by_role("link", name="Site")
    await expect(site).to_have_attribute("href", "https://example.com/")
    await expect(site).to_have_attribute("target", "_blank")
    await shown.get_by_role("button", name="Copy").click()
    await expect(page.locator("[data-toast]")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == "seed 7"
    await shown.get_by_role("button", name="Here", exact=True).click()
    await expect(page.locator("#composer")).to_have_value("@playground_bot cats")
    await page.fill("#composer", "")
    await shown.get_by_role("link", name="Deep").click()
    await expect(heard(page, "echo /start more")).to_be_visible()
    await shown.get_by_role("button", name="Elsewhere").click()
    await page.locator("[data-choose]").get_by_role("button", name="Friends").click()
    await expect(page.locator("#title")).to_have_text("Friends")
    await expect(page.locator("#composer")).to_have_value("@playground_bot dogs")


async def test_styles_are_shown_and_a_disabled_button_is_dead(page: Page) -> None:
    await say(page, "buttons")
    for name, style in {"Toast": "primary", "Alert": "danger", "Edit": "success"}.items():
        button_of_style = page.get_by_role("button", name=name, exact=True)
        await expect(button_of_style).to_have_class(f"key {style}")
    await expect(page.get_by_role("button", name="Off")).to_be_disabled()
