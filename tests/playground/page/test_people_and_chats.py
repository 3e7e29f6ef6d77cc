"""Who looks at which chat."""

import asyncio

from playwright.async_api import Page, Route, expect

from tests.playground.client import ALICE, GROUP, Api, button, keyboard
from tests.playground.page.driver import ON_PAGE, PHONE, say

pytestmark = ON_PAGE


async def test_a_new_person_meets_the_bot(page: Page, api: Api) -> None:
    await api.call("setMyDescription", description="I repeat.")
    await api.call("setMyDescription", description="Я повторяю.", language_code="ru")
    await page.click("#person")
    await page.get_by_role("menuitem", name="New person").click()
    await page.fill("input[name=name]", "Олег")
    await page.select_option("select[name=language]", "ru")
    await page.get_by_role("button", name="Create").click()
    await expect(page.locator("#person")).to_contain_text("Олег")
    await expect(page.locator("[data-about]")).to_contain_text("Я повторяю.")
    await page.click("[data-start]")
    await expect(page.locator(".message.in", has_text="echo /start")).to_be_visible()
    await page.click("#person")
    await page.get_by_role("menuitemradio", name="Alice").click()
    await expect(page.locator(".message", has_text="echo /start")).to_have_count(0)


async def test_on_a_phone_the_list_and_the_chat_take_turns(page: Page, api: Api) -> None:
    await page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    markup = keyboard([button("A rather long button text"), button("And one more beside it")])
    await api.call("sendMessage", chat_id=ALICE, text="word " * 100, reply_markup=markup)
    await expect(page.locator(".message").last).to_be_in_viewport()
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"]
    await page.get_by_role("button", name="Back to the chats").click()
    await expect(page.locator(".chat-item").first).to_be_visible()
    await expect(page.locator("#composer")).not_to_be_visible()
    await page.locator(".chat-item").first.click()
    await expect(page.locator("#composer")).to_be_visible()
    await page.get_by_role("button", name="Reply").last.click()
    await expect(page.locator(".quote-bar")).to_be_visible()


async def test_the_chat_chosen_last_is_shown_whatever_answers_last(page: Page, api: Api) -> None:
    await say(page, "private")
    await expect(page.locator(".message.in", has_text="echo private")).to_be_visible()

    async def slowly(route: Route) -> None:
        await asyncio.sleep(0.4)
        await route.continue_()

    await page.route("**/page/messages?chat=group*", slowly)
    await page.locator(".chat-item[data-chat=group]").click()
    await page.locator(f".chat-item[data-chat='12345-{ALICE}']").click()
    await api.call("sendMessage", chat_id=ALICE, text="while you chose")
    await expect(page.locator(".message", has_text="while you chose")).to_be_visible()
    await asyncio.sleep(0.6)
    await expect(page.locator("#title")).to_have_text("Playground Bot")
    await expect(page.locator(".message.in", has_text="echo private")).to_be_visible()


async def test_a_message_that_comes_while_a_chat_opens_is_shown(page: Page, api: Api) -> None:
    fetched = asyncio.Event()

    async def late(route: Route) -> None:
        response = await route.fetch()
        await api.call("sendMessage", chat_id=GROUP, text="just now")
        fetched.set()
        await asyncio.sleep(0.3)
        await route.fulfill(response=response)

    await page.route("**/page/messages?chat=group*", late)
    await page.locator(".chat-item[data-chat=group]").click()
    await asyncio.wait_for(fetched.wait(), 10)
    await expect(page.locator(".message", has_text="just now")).to_be_visible()


async def test_a_person_with_premium_is_told_to_the_bot_and_shown(page: Page, api: Api) -> None:
    await page.click("#person")
    await page.get_by_role("menuitem", name="New person").click()
    await page.fill("input[name=name]", "Rich")
    await page.check("input[name=premium]")
    await page.get_by_role("button", name="Create").click()
    await expect(page.locator("#person").get_by_role("img", name="Premium")).to_be_visible()
    state = (await api.http.get(f"{api.base}/page/state")).json()
    assert [person["premium"] for person in state["people"]] == [False, False, True]


async def test_unread_messages_of_other_chats_are_counted(page: Page, api: Api) -> None:
    for number in range(3):
        await api.call("sendMessage", chat_id=GROUP, text=f"group news {number}")
    group = page.locator(".chat-item[data-chat=group]")
    await expect(group.locator(".unread")).to_have_text("3 unread")
    await expect(group).to_contain_text("Playground Bot: group news 2")
    await group.click()
    await expect(group.locator(".unread")).to_have_count(0)
    await expect(page.locator(".message .sender").first).to_have_text("Playground Bot")


async def test_a_bot_that_was_blocked_is_started_anew(page: Page, api: Api) -> None:
    await api.control("block", person=ALICE, blocked=True)
    await page.get_by_role("button", name="RESTART").click()
    await expect(page.locator(".message.in", has_text="echo /start").last).to_be_visible()
    await expect(page.locator("#composer")).to_be_visible()
