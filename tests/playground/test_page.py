"""The chat page in a real browser, driven as a person would, against a bot of a few lines."""

import asyncio
import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Locator, Page, Route, async_playwright, expect

from playground.server import Playground, build_app
from playground.world import DEFAULT_TOKEN
from tests.playground.client import ALICE, GROUP, Api, begin, button, keyboard, picture
from tests.playground.echo_bot import serve

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
CONTRASTS = Path(__file__).with_name("contrast.js").read_text()
REFUSED = "status of 429"  # what a browser says of `not_now`
PHONE = {"width": 390, "height": 844}
XSS = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        CHROMIUM is None and "CI" not in os.environ, reason="no chromium on this machine"
    ),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests; each gets a profile of its own."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="module")
async def api(playground: Playground) -> AsyncIterator[Api]:
    """The server in the browser's own event loop, with the time of day."""
    playground.world.clock = time.time
    server = TestServer(build_app(playground))
    await server.start_server()
    async with Api(str(server.make_url("")).rstrip("/"), DEFAULT_TOKEN) as client:
        await client.start()
        yield client
    await server.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(api: Api, browser: Browser) -> AsyncIterator[Page]:
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
    assert [said for said in complaints if REFUSED not in said] == []


async def not_now(route: Route) -> None:
    """Refuse what the page asks for."""
    await route.fulfill(status=429, body='{"description": "Not now"}')


async def say_lines(page: Page, api: Api, count: int) -> Locator:
    """Let the bot send numbered lines; finds the first of them, once the page has it."""
    sent = [
        await api.call("sendMessage", chat_id=ALICE, text=f"line {number}")
        for number in range(count)
    ]
    return page.locator(f".message[data-message-id='{sent[0]['message_id']}']")


async def say(page: Page, text: str) -> None:
    await page.fill("#composer", text)
    await page.press("#composer", "Enter")


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


async def test_a_text_turns_into_a_photo_in_place(page: Page) -> None:
    await say(page, "buttons")
    bubble = page.locator(".message", has=page.get_by_role("button", name="Edit"))
    number = await bubble.get_attribute("data-message-id")
    await page.get_by_role("button", name="Edit").click()
    await expect(page.locator("#status")).to_have_text("sending a photo")
    shown = page.locator(f".message[data-message-id='{number}']")
    await expect(shown.locator("img")).to_be_visible()
    await expect(shown).to_contain_text("now a photo")
    await expect(shown.locator(".edited")).to_be_visible()
    await expect(shown.locator(".key")).to_have_count(0)
    size = await shown.locator("img").bounding_box()
    assert size is not None
    assert size["width"] >= 300
    await shown.locator(".picture").click()
    await expect(page.locator("dialog.viewer img")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog.viewer")).to_have_count(0)


async def test_an_album_is_one_grid(page: Page) -> None:
    await say(page, "album")
    grid = page.locator(".grid")
    await expect(grid.locator("img")).to_have_count(3)
    await expect(grid.locator("[data-message-id]")).to_have_count(3)


@pytest.mark.parametrize("count", [2, 4, 5])
async def test_an_albums_pictures_fill_its_bubble(page: Page, api: Api, count: int) -> None:
    media = [{"type": "photo", "media": f"attach://p{n}"} for n in range(count)]
    media[0]["caption"] = "a caption that is a good deal wider than any picture of the album is"
    files = {f"p{n}": (f"{n}.png", picture(90 + 40 * n, 130)) for n in range(count)}
    await api.call("sendMediaGroup", files, chat_id=ALICE, media=media)
    await expect(page.locator(".grid img")).to_have_count(count)
    left, right = await page.locator(".grid").evaluate(
        """grid => {
            const bubble = grid.closest(".bubble").getBoundingClientRect();
            const edges = [...grid.children].map((child) => child.getBoundingClientRect());
            return [Math.min(...edges.map((edge) => edge.left)) - bubble.left,
                    bubble.right - Math.max(...edges.map((edge) => edge.right))];
        }"""
    )
    assert abs(left) < 1
    assert abs(right) < 1


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


async def test_nothing_a_person_or_a_bot_sends_is_executed(page: Page, api: Api) -> None:
    await say(page, XSS)
    await expect(page.locator(".message.in", has_text="echo <img src=x")).to_be_visible()
    await api.call("setMyName", name=XSS[:64])
    await api.http.post(f"{api.base}/page/people", json={"name": XSS[:64], "language": "en"})
    link = [{"type": "text_link", "offset": 0, "length": 4, "url": "javascript:alert(1)"}]
    await api.call("sendMessage", chat_id=ALICE, text="link here", entities=link)
    await expect(page.locator(".message", has_text="link here").locator("a")).to_have_count(0)
    await say(page, "file")
    await expect(page.locator(".file b")).to_have_text("<img src=x onerror=alert(1)>.html")
    async with page.expect_download() as coming:
        await page.locator(".file").click()
    saved = await (await coming.value).path()
    assert await asyncio.to_thread(Path(saved).read_bytes) == b"<script>alert(1)</script>"
    assert await page.locator("main img[src=x], main script").count() == 0
    assert await page.title() == XSS[:64]


async def test_photos_and_files_are_attached_with_a_caption(page: Page, tmp_path: Path) -> None:
    photo = tmp_path / "mine.png"
    photo.write_bytes(picture(300, 200))
    await page.set_input_files("#picker", photo)
    await page.fill("textarea[name=caption]", "look")
    await page.get_by_role("button", name="Send", exact=True).last.click()
    await expect(
        page.locator(".message.in", has_text="copy of look").locator("img")
    ).to_be_visible()
    await page.set_input_files("#picker", photo)
    await page.check("input[name=as-file]")
    await page.press("textarea[name=caption]", "Enter")
    size = photo.stat().st_size
    await expect(page.locator(".message.in").last).to_contain_text(f'["mine.png", {size}]')


@pytest.mark.parametrize("how", ["paste", "drop"])
async def test_a_photo_may_be_pasted_or_dropped(page: Page, how: str) -> None:
    content = list(picture(40, 40))
    await page.evaluate(
        """([how, content]) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(content)], "p.png", {type: "image/png"}));
            const target = document.getElementById("composer");
            const common = {bubbles: true, cancelable: true};
            const event = how === "paste"
                ? new ClipboardEvent("paste", {...common, clipboardData: carried})
                : new DragEvent("drop", {...common, dataTransfer: carried});
            target.dispatchEvent(event);
        }""",
        [how, content],
    )
    await page.press("textarea[name=caption]", "Enter")
    await expect(page.locator(".message.out img")).to_be_visible()
    await expect(page.locator(".message.in", has_text="copy of no caption")).to_be_visible()


async def test_commands_are_offered(page: Page, api: Api) -> None:
    commands = [{"command": name, "description": f"about {name}"} for name in ("help", "hold")]
    await api.call("setMyCommands", commands=commands)
    await page.click("#menu")
    await expect(page.locator("[data-commands] button")).to_have_count(2)
    await page.press("#composer", "ArrowDown")
    chosen = page.locator("[data-commands] [aria-selected=true]")
    await expect(page.locator("#composer")).to_have_attribute(
        "aria-activedescendant", str(await chosen.get_attribute("id"))
    )
    await page.fill("#composer", "/ho")
    await expect(page.locator("[data-commands] button")).to_have_count(1)
    await page.press("#composer", "Enter")
    await expect(page.locator(".message.in", has_text="echo /hold")).to_be_visible()
    await page.locator(".message.out", has_text="/hold").locator(".command").click()
    await expect(page.locator(".message.out", has_text="/hold")).to_have_count(2)


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


async def test_a_reply_keyboard_is_pressed(page: Page, api: Api) -> None:
    markup = {"keyboard": [[{"text": "Yes"}, {"text": "No"}]], "one_time_keyboard": True}
    await api.call("sendMessage", chat_id=ALICE, text="Well?", reply_markup=markup)
    await page.locator("[data-reply-keyboard]").get_by_role("button", name="Yes").click()
    await expect(page.locator(".message.in", has_text="echo Yes")).to_be_visible()
    await expect(page.locator("[data-reply-keyboard]")).to_have_count(0)


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


async def test_on_a_phone_the_list_and_the_chat_take_turns(page: Page, api: Api) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
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


async def test_a_page_that_cannot_load_says_so_and_tries_again(page: Page) -> None:
    await page.route("**/page/state", not_now)
    await page.reload()
    await expect(page.locator("#notice")).to_contain_text("does not answer (Not now)")
    await page.unroute("**/page/state")
    await expect(page.locator("#composer")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_texts_stand_out_from_what_is_behind_them(page: Page, api: Api, scheme: str) -> None:
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await say(page, "buttons")
    await expect(page.get_by_role("button", name="Toast")).to_be_visible()
    ratios = await page.evaluate(CONTRASTS)
    assert len(ratios) > 10
    assert {what: ratio for what, ratio in ratios.items() if ratio < 4.5} == {}
