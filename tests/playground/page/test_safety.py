"""Nothing that anybody sends is ever executed."""

import asyncio
from pathlib import Path

from playwright.async_api import Page, expect

from tests.playground.client import ALICE, Api, button, keyboard, picture
from tests.playground.page.driver import ON_PAGE, numbered, open_menu, say

pytestmark = ON_PAGE

XSS = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
SCRIPT_LINK = "javascript:document.title='broken'"


async def is_untouched(page: Page) -> bool:
    """Whether nothing became an element, and nothing ran."""
    made = await page.locator("[src=x], body script, [onerror], a[href^='javascript:']").count()
    return made == 0 and await page.title() != "broken"


async def test_markup_in_texts_and_names_is_only_text(page: Page, api: Api) -> None:
    await say(page, XSS)
    await expect(page.locator(".message.in", has_text="echo <img src=x")).to_be_visible()
    await api.call("setMyName", name=XSS[:64])
    await api.call("setMyDescription", description=XSS)
    await api.call("setMyCommands", commands=[{"command": "x", "description": XSS}])
    await api.http.post(f"{api.base}/page/people", json={"name": XSS[:64], "language": "en"})
    await expect(page.locator("#title")).to_have_text(XSS[:64])
    await page.click("#person")
    await page.get_by_role("menuitemradio", name="<img").click()
    await expect(page.locator("[data-about]")).to_contain_text(XSS)
    assert await is_untouched(page)
    assert await page.title() == XSS[:64]


async def test_markup_in_buttons_captions_and_alerts_is_only_text(page: Page, api: Api) -> None:
    keys = keyboard([button(XSS, "alert")], [{"text": XSS, "copy_text": {"text": XSS}}])
    sent = await api.call(
        "sendPhoto",
        {"photo": ("p.png", picture())},
        chat_id=ALICE,
        caption=XSS,
        reply_markup=keys,
    )
    shown = numbered(page, sent)
    await expect(shown.locator(".key")).to_have_text([XSS, XSS])
    await open_menu(page, shown, "Reply")
    await expect(page.locator(".quote-bar")).to_contain_text("<img src=x")
    await shown.locator(".picture").click()
    await expect(page.locator(".viewer-caption")).to_have_text(XSS)
    await page.keyboard.press("Escape")
    answers = {"keyboard": [[{"text": XSS}]], "input_field_placeholder": XSS[:64]}
    await api.call("sendMessage", chat_id=ALICE, text=XSS, reply_markup=answers)
    await expect(page.locator("[data-reply-keyboard] button")).to_have_text(XSS)
    await api.call("sendMessageDraft", chat_id=ALICE, draft_id=1, text=XSS)
    await expect(page.locator("[data-draft]")).to_have_text(XSS)
    assert await is_untouched(page)


async def test_links_lead_only_where_links_may(page: Page, api: Api) -> None:
    link = [{"type": "text_link", "offset": 0, "length": 4, "url": SCRIPT_LINK}]
    await api.call("sendMessage", chat_id=ALICE, text="link here", entities=link)
    await expect(page.locator(".message", has_text="link here").locator("a")).to_have_count(0)
    assert await is_untouched(page)


async def test_a_file_is_saved_and_never_opened(page: Page, api: Api) -> None:
    await say(page, "file")
    await expect(page.locator(".file b")).to_have_text("<img src=x onerror=alert(1)>.html")
    async with page.expect_download() as coming:
        await page.locator(".file").click()
    saved = await (await coming.value).path()
    assert await asyncio.to_thread(Path(saved).read_bytes) == b"<script>alert(1)</script>"
    assert await is_untouched(page)


async def test_the_page_may_run_nothing_but_its_own_files(page: Page, api: Api) -> None:
    policy = (await api.http.get(api.base)).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    foreign = await page.evaluate(
        "performance.getEntriesByType('resource').map((entry) => entry.name)"
        ".filter((name) => !name.startsWith(location.origin))"
    )
    assert foreign == []
