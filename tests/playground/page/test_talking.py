"""Words: said, answered, marked, edited, deleted, streamed."""

import re
from typing import Any

from playwright.async_api import Page, expect

from tests.playground.client import ALICE, Api
from tests.playground.page.driver import ON_PAGE, heard, not_now, numbered, open_menu, say

pytestmark = ON_PAGE


async def test_a_sentence_is_answered(page: Page) -> None:
    await page.fill("#composer", "one")
    await page.press("#composer", "Shift+Enter")
    await page.keyboard.type("two")
    await page.click("#send")
    answer = page.locator(".message.in", has_text="echo one")
    await expect(answer.locator(".quote")).to_contain_text("Alice")
    await expect(answer).to_have_attribute("data-message-id", re.compile(r"\d+"))
    await expect(page.locator(".message.out").last.locator(".text")).to_contain_text("one\ntwo")
    await expect(page.locator(".chat-item").first).to_contain_text("echo one")


async def test_marked_text_is_shown_marked(page: Page) -> None:
    await say(page, "marked")
    text = page.locator(".message.in .text").last
    await expect(text.locator("b")).to_have_text("bold")
    await expect(text.locator("a")).to_have_attribute("href", "https://example.com/")
    await expect(text.locator("a")).to_have_attribute("rel", "noopener noreferrer")
    spoiler = text.locator(".spoiler")
    await expect(spoiler).to_have_class("spoiler closed")
    await spoiler.focus()
    await page.keyboard.press("Space")
    await expect(spoiler).to_have_class("spoiler")


async def test_a_persons_own_reply_names_its_original(page: Page) -> None:
    await say(page, "first")
    answer = page.locator(".message.in", has_text="echo first")
    await answer.hover()
    await answer.get_by_role("button", name="Reply").click()
    await say(page, "about that")
    mine = page.locator(".message.out", has_text="about that")
    await expect(mine.locator(".quote")).to_contain_text("echo first")


async def test_a_deleted_message_goes_and_a_draft_is_replaced(page: Page, api: Api) -> None:
    sent = await api.call("sendMessage", chat_id=ALICE, text="soon gone")
    await expect(page.locator(".message", has_text="soon gone")).to_be_visible()
    await api.call("deleteMessage", chat_id=ALICE, message_id=sent["message_id"])
    await expect(page.locator(".message", has_text="soon gone")).to_have_count(0)
    await api.call("sendMessageDraft", chat_id=ALICE, draft_id=1, text="thinking alo")
    await expect(page.locator("[data-draft]")).to_have_text("thinking alo")
    await api.call("sendMessage", chat_id=ALICE, text="thinking aloud")
    await expect(page.locator("[data-draft]")).to_have_count(0)


async def test_what_could_not_be_sent_is_given_back(page: Page) -> None:
    await say(page, "first")
    answer = page.locator(".message.in", has_text="echo first")
    await answer.hover()
    await answer.get_by_role("button", name="Reply").click()
    await page.route("**/page/act", not_now)
    await say(page, "a long thought")
    await expect(page.locator("[data-toast]")).to_have_text("Not now")
    await expect(page.locator("#composer")).to_have_value("a long thought")
    await expect(page.locator(".quote-bar")).to_contain_text("echo first")
    await page.unroute("**/page/act")
    await page.press("#composer", "Enter")
    mine = page.locator(".message.out", has_text="a long thought")
    await expect(mine.locator(".quote")).to_contain_text("echo first")
    await expect(page.locator("#composer")).to_have_value("")


async def test_a_draft_streams_in_place_and_is_stopped(page: Page, api: Api) -> None:
    draft: dict[str, Any] = {"chat_id": ALICE, "draft_id": 7, "can_stop": True}
    await api.call("sendMessageDraft", **draft, text="once")
    await expect(page.locator("[data-draft]")).to_have_text("once")
    await api.call("sendMessageDraft", **draft, text="once upon a time")
    await expect(page.locator("[data-draft]")).to_have_text("once upon a time")
    await page.get_by_role("button", name="Stop").click()
    await expect(heard(page, "stopped 7")).to_be_visible()
    await expect(page.locator("[data-draft]")).to_have_count(0)


async def test_what_the_bot_is_doing_is_told_until_it_has_done_it(page: Page, api: Api) -> None:
    await api.call("sendChatAction", chat_id=ALICE, action="typing")
    await expect(page.locator("#status")).to_have_text("typing")
    await api.call("sendMessage", chat_id=ALICE, text="done")
    await expect(page.locator("#status")).to_have_text("bot")


async def test_a_person_changes_and_deletes_what_they_said(page: Page) -> None:
    await say(page, "a mistkae")
    mine = page.locator(".message.out", has_text="a mistkae")
    await expect(heard(page, "echo a mistkae")).to_be_visible()
    await open_menu(page, mine, "Edit")
    await expect(page.locator("#composer")).to_have_value("a mistkae")
    await say(page, "a mistake")
    changed = page.locator(".message.out", has_text="a mistake")
    await expect(changed.locator(".edited")).to_be_visible()
    await expect(page.locator("#composer")).to_have_value("")
    await open_menu(page, changed, "Delete")
    await page.get_by_role("button", name="Delete").click()
    await expect(changed).to_have_count(0)


async def test_a_message_is_forwarded_with_its_origin(page: Page) -> None:
    await say(page, "worth repeating")
    await expect(heard(page, "echo worth repeating")).to_be_visible()
    await open_menu(page, heard(page, "echo worth repeating"), "Forward")
    await page.locator("[data-choose]").get_by_role("button", name="Friends").click()
    await expect(page.locator("#title")).to_have_text("Friends")
    passed_on = page.locator(".message.out", has_text="echo worth repeating")
    await expect(passed_on.locator(".forwarded")).to_have_text("Forwarded from Playground Bot")


async def test_reactions_are_put_and_taken_back(page: Page, api: Api) -> None:
    sent = await api.call("sendMessage", chat_id=ALICE, text="like me")
    mark = {"type": "emoji", "emoji": "🔥"}
    here: dict[str, Any] = {"chat_id": ALICE, "message_id": sent["message_id"]}
    await api.call("setMessageReaction", **here, reaction=[mark])
    shown = numbered(page, sent)
    await expect(shown.locator(".reactions")).to_have_text("🔥")
    await open_menu(page, shown, "React with 🔥")
    both = shown.get_by_role("button", name="Reaction 🔥, 2")
    await expect(both).to_have_attribute("aria-pressed", "true")
    await both.click()
    await expect(shown.get_by_role("button", name="Reaction 🔥, 1")).to_be_visible()


async def test_a_text_is_copied_by_the_menu(page: Page, api: Api) -> None:
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sent = await api.call("sendMessage", chat_id=ALICE, text="take me with you")
    await open_menu(page, numbered(page, sent), "Copy text")
    await expect(page.locator("[data-toast]")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == "take me with you"
