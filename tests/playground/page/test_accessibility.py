"""For those who see little, use no mouse or want calm."""

from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, expect

from tests.playground.client import ALICE, Api, button, keyboard, picture
from tests.playground.page.axe import findings
from tests.playground.page.driver import ON_PAGE, PHONE, heard, pictures, say

pytestmark = ON_PAGE

CONTRASTS: Final = Path(__file__).with_name("contrast.js").read_text()


async def say_everything(page: Page, api: Api) -> None:
    """Fill the chat with a message of every kind."""
    await say(page, "marked")
    await say(page, "album")
    await say(page, "file")
    await say(page, "buttons")
    await expect(heard(page, "Choose")).to_be_visible()
    marked = (
        "<pre><code class='language-python'>x</code></pre><blockquote>q</blockquote> @you #tag"
    )
    await api.call("sendMessage", chat_id=ALICE, text=marked, parse_mode="HTML")
    site: dict[str, object] = {"text": "Site", "url": "https://a.org"}
    keys = keyboard([button("Again", style="success")], [site])
    await api.call(
        "sendPhoto",
        {"photo": ("p.png", picture(300, 200))},
        chat_id=ALICE,
        caption="look",
        reply_markup=keys,
    )
    sent = await api.call(
        "sendInvoice",
        chat_id=ALICE,
        title="Ten pictures",
        description="at once",
        payload="pack",
        currency="XTR",
        prices=[{"label": "Ten", "amount": 50}],
    )
    mark = {"type": "emoji", "emoji": "🔥"}
    number = sent["message_id"]
    await api.call("setMessageReaction", chat_id=ALICE, message_id=number, reaction=[mark])
    await api.call("forwardMessage", chat_id=ALICE, from_chat_id=ALICE, message_id=number - 1)
    answers = {"keyboard": [[{"text": "Yes"}, {"text": "No"}]]}
    await api.call("sendMessage", chat_id=ALICE, text="Well?", reply_markup=answers)
    await api.call("sendMessageDraft", chat_id=ALICE, draft_id=1, text="and", can_stop=True)
    await expect(page.locator("[data-draft]")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_texts_stand_out_from_what_is_behind_them(page: Page, scheme: str) -> None:
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await say(page, "buttons")
    await expect(page.get_by_role("button", name="Toast")).to_be_visible()
    ratios = await page.evaluate(CONTRASTS)
    assert len(ratios) > 10
    assert {what: ratio for what, ratio in ratios.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_grave_in_a_chat_of_all_kinds(
    page: Page, api: Api, scheme: str
) -> None:
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await say_everything(page, api)
    assert await findings(page) == {}


async def test_axe_finds_nothing_grave_on_a_phone(page: Page, api: Api) -> None:
    await page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    await say_everything(page, api)
    assert await findings(page) == {}
    await page.get_by_role("button", name="Back to the chats").click()
    await expect(page.locator("#composer")).not_to_be_visible()
    assert await findings(page) == {}


async def test_axe_finds_nothing_grave_in_what_lies_over_the_page(page: Page, api: Api) -> None:
    await say(page, "album")
    await page.locator(".grid .picture").first.click()
    await expect(page.locator("dialog.viewer")).to_be_visible()
    assert await findings(page) == {}
    await page.keyboard.press("Escape")
    await page.click("#person")
    assert await findings(page) == {}
    await page.get_by_role("menuitem", name="New person").click()
    assert await findings(page) == {}
    await page.keyboard.press("Escape")
    await page.set_input_files("#picker", pictures("p.png", "q.png"))
    await expect(page.locator("dialog.send li")).to_have_count(2)
    assert await findings(page) == {}


async def test_everything_is_reached_without_a_mouse(page: Page) -> None:
    await say(page, "buttons")
    await expect(page.get_by_role("button", name="Alert")).to_be_visible()
    await page.get_by_role("button", name="Alert").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-alert]")).to_contain_text("You pressed alert")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-alert]")).to_have_count(0)
    await expect(page.get_by_role("button", name="Alert")).to_be_focused()
    await page.locator("#log").focus()
    await page.keyboard.press("ArrowUp")
    await expect(page.locator(".message").last).to_be_focused()
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await expect(page.locator(".quote-bar")).to_contain_text("buttons")
    await expect(page.locator("#composer")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator(".quote-bar")).not_to_be_visible()


async def test_a_menu_is_walked_with_arrows_and_gives_the_focus_back(page: Page) -> None:
    await page.locator("#person").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#person")).to_have_attribute("aria-expanded", "true")
    await expect(page.get_by_role("menuitemradio", name="Alice")).to_be_focused()
    await page.keyboard.press("ArrowUp")
    await expect(page.get_by_role("menuitem", name="New person")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#person")).to_be_focused()
    await expect(page.locator("#person")).to_have_attribute("aria-expanded", "false")


async def test_who_stands_on_a_button_stays_there_when_the_message_changes(
    page: Page, api: Api
) -> None:
    keys = keyboard([button("One", "1"), button("Two", "2")])
    sent = await api.call("sendMessage", chat_id=ALICE, text="10 %", reply_markup=keys)
    await page.get_by_role("button", name="Two").focus()
    await api.call(
        "editMessageText",
        chat_id=ALICE,
        message_id=sent["message_id"],
        text="20 %",
        reply_markup=keys,
    )
    await expect(heard(page, "20 %")).to_be_visible()
    await expect(page.get_by_role("button", name="Two")).to_be_focused()


async def test_new_messages_are_announced_and_old_ones_are_not(page: Page, api: Api) -> None:
    log = page.get_by_role("log", name="Messages")
    await expect(log).to_have_attribute("aria-live", "polite")
    await page.evaluate(
        """() => {
            const log = document.getElementById("log");
            window.modes = [];
            new MutationObserver(() => window.modes.push(log.getAttribute("aria-live")))
                .observe(log, {attributes: true, attributeFilter: ["aria-live"]});
        }"""
    )
    await page.locator(".chat-item[data-chat=group]").click()
    await expect(page.locator("#title")).to_have_text("Friends")
    await expect(log).to_have_attribute("aria-live", "polite")
    modes = await page.evaluate("window.modes")
    assert modes[0] == "off"


async def test_nothing_moves_for_those_who_want_calm(page: Page, api: Api) -> None:
    await page.emulate_media(reduced_motion="reduce")
    await say(page, "hello")
    moving = await heard(page, "echo hello").evaluate(
        "node => getComputedStyle(node).animationName"
    )
    assert moving == "none"
