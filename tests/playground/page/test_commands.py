"""Commands, and the button that offers them."""

from playwright.async_api import Page, expect

from tests.playground.client import MARIA, Api
from tests.playground.page.driver import ON_PAGE

pytestmark = ON_PAGE


async def test_commands_are_offered(page: Page, api: Api) -> None:
    commands = [{"command": name, "description": f"about {name}"} for name in ("help", "hold")]
    await api.call("setMyCommands", commands=commands)
    await page.click("#menu")
    await expect(page.locator("[data-commands] [role=option]")).to_have_count(2)
    await page.press("#composer", "ArrowDown")
    chosen = page.locator("[data-commands] [aria-selected=true]")
    await expect(page.locator("#composer")).to_have_attribute(
        "aria-activedescendant", str(await chosen.get_attribute("id"))
    )
    await page.fill("#composer", "/ho")
    await expect(page.locator("[data-commands] [role=option]")).to_have_count(1)
    await page.press("#composer", "Enter")
    await expect(page.locator(".message.in", has_text="echo /hold")).to_be_visible()
    await page.locator(".message.out", has_text="/hold").locator(".command").click()
    await expect(page.locator(".message.out", has_text="/hold")).to_have_count(2)


async def test_commands_are_those_of_the_persons_language(page: Page, api: Api) -> None:
    english = [{"command": "help", "description": "What I can do"}]
    russian = [{"command": "help", "description": "Что я умею"}]
    await api.call("setMyCommands", commands=english)
    await api.call("setMyCommands", commands=russian, language_code="ru")
    await page.fill("#composer", "/")
    await expect(page.get_by_role("option")).to_contain_text("What I can do")
    await page.press("#composer", "Escape")
    await expect(page.get_by_role("option")).to_have_count(0)
    await api.act(person=MARIA, text="/start")
    await page.click("#person")
    await page.get_by_role("menuitemradio", name="Мария").click()
    await page.click("#menu")
    await expect(page.get_by_role("option")).to_contain_text("Что я умею")
    await page.get_by_role("option").click()
    await expect(page.locator(".message.in", has_text="echo /help")).to_be_visible()
