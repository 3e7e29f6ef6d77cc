"""Invoices, the sheet that asks, and what becomes of a payment."""

from playwright.async_api import Locator, Page, expect

from tests.playground.client import ALICE, Api
from tests.playground.page.driver import ON_PAGE, heard, numbered

pytestmark = ON_PAGE


async def offer(page: Page, api: Api, payload: str = "pack") -> Locator:
    """Let the bot send an invoice; gives its bubble."""
    sent = await api.call(
        "sendInvoice",
        chat_id=ALICE,
        title="Ten pictures",
        description="<b>Drawn</b> at once",
        payload=payload,
        currency="XTR",
        prices=[{"label": "Ten pictures", "amount": 50}],
    )
    return numbered(page, sent)


async def test_an_invoice_is_shown_and_paid(page: Page, api: Api) -> None:
    invoice = await offer(page, api)
    await expect(invoice.locator(".invoice")).to_contain_text("<b>Drawn</b> at once")
    await invoice.locator(".key").click()
    sheet = page.get_by_role("dialog", name="Pay")
    await expect(sheet).to_contain_text("⭐ 50")
    await expect(sheet).to_contain_text("Playground Bot")
    await sheet.get_by_role("button", name="Pay ⭐ 50").click()
    await expect(page.locator("[data-toast]")).to_have_text("Payment done")
    await expect(page.locator(".service")).to_contain_text("You paid ⭐ 50")
    await expect(heard(page, "thanks for the stars")).to_be_visible()
    await expect(invoice.locator(".invoice")).to_contain_text("Paid")


async def test_a_payment_that_the_bot_refuses_says_why(page: Page, api: Api) -> None:
    invoice = await offer(page, api, "sold out")
    await invoice.locator(".key").click()
    await page.get_by_role("button", name="Pay ⭐ 50").last.click()
    await expect(page.locator("[data-toast]")).to_have_text("Payment failed: Sold out")
    await expect(page.locator(".service")).to_have_count(0)


async def test_a_sheet_that_is_closed_pays_nothing(page: Page, api: Api) -> None:
    invoice = await offer(page, api)
    await invoice.locator(".key").click()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog", name="Pay")).to_have_count(0)
    calls = await api.transcript("answerPreCheckoutQuery")
    assert calls == []
