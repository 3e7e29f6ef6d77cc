"""Inline results, answers from Mini Apps, invoices and payments."""

from typing import Any

import pytest

from tests.playground.client import ALICE, Api
from tests.playground.conformance.cases import TOO_OLD, Case, Made, refuses, takes
from tests.playground.conftest import Clock


async def _asked(api: Api) -> str:
    return str((await api.act(inline={"bot": 12345, "query": "cats"}))["query"])


async def _opened(api: Api) -> str:
    app = {"text": "Open", "web_app": {"url": "https://e.com"}}
    markup = {"inline_keyboard": [[app]]}
    sent = await api.call("sendMessage", chat_id=ALICE, text="x", reply_markup=markup)
    opened = await api.act(web_app={"source": "button", "message_id": sent["message_id"]})
    return str(opened["query_id"])


ASKED = Made(_asked)  # a question that waits for results
OPENED = Made(_opened)  # the query of an open Mini App


def article(number: str = "1", text: str = "x", **more: Any) -> dict[str, Any]:
    content = {"message_text": text}
    shown = {"type": "article", "id": number, "title": "Cat", "input_message_content": content}
    return {**shown, **more}


def link(url: str = "https://e.com/a.jpg", **more: Any) -> dict[str, Any]:
    return {"type": "photo", "id": "1", "photo_url": url, "thumbnail_url": url, **more}


def results(what: str, *given: dict[str, Any], **more: Any) -> Case:
    return takes("answerInlineQuery", what, shows=True, inline_query_id=ASKED,
                 results=list(given), **more)  # fmt: skip


def no_results(what: str, sentence: str, *given: dict[str, Any], **more: Any) -> Case:
    fields = {"inline_query_id": ASKED, "results": list(given), **more}
    return refuses("answerInlineQuery", what, sentence, **fields)


def button(**more: Any) -> dict[str, Any]:
    return {"button": {"text": "More", **more}}


INLINE = [
    results("no results"),
    results("50 results", *(article(str(number)) for number in range(50))),
    results("an id of 64 bytes", article("я" * 32)),
    results("a text of 4096 characters", article(text="x" * 4096)),
    results("a photo by its address", link()),
    results("a next offset of 64 bytes", next_offset="x" * 64),
    results("a start parameter of 64 characters", **button(start_parameter="a-Z_9" + "x" * 59)),
    no_results("51 results", "RESULTS_TOO_MUCH", *(article(str(number)) for number in range(51))),
    no_results("an empty id", "RESULT_ID_INVALID", article("")),
    no_results("an id of 65 bytes", "RESULT_ID_INVALID", article("x" * 65)),
    no_results("an id twice", "RESULT_ID_DUPLICATE", article(), article()),
    no_results("no title", "ARTICLE_TITLE_EMPTY", article(title=" ")),
    no_results("an empty text", "message text is empty", article(text="")),
    no_results("a text of 4097", "message is too long", article(text="x" * 4097)),
    no_results("a caption of 1025", "message caption is too long", link(caption="x" * 1025)),
    no_results("an address that is none", "PHOTO_CONTENT_URL_EMPTY", link("nowhere")),
    no_results("an unknown file_id", "wrong remote file identifier specified: Wrong string length",
               {"type": "photo", "id": "1", "photo_file_id": "AgACAgIAAx"}),
    no_results("65 bytes of callback data", "BUTTON_DATA_INVALID", article(
        reply_markup={"inline_keyboard": [[{"text": "a", "callback_data": "x" * 65}]]})),
    no_results("a next offset of 65 bytes", "NEXT_OFFSET_INVALID", next_offset="x" * 65),
    no_results("a start parameter of 65", "START_PARAM_INVALID",
               **button(start_parameter="x" * 65)),
    no_results("a button that does nothing", "BUTTON_TYPE_INVALID", **button()),
    no_results("an unknown question", TOO_OLD, inline_query_id="4242"),
    takes("answerWebAppQuery", "a result", shows={}, web_app_query_id=OPENED, result=article()),
    refuses("answerWebAppQuery", "an unknown query", "QUERY_ID_INVALID", web_app_query_id="x",
            result=article()),
    refuses("answerWebAppQuery", "an id of 65 bytes", "RESULT_ID_INVALID",
            web_app_query_id=OPENED, result=article("x" * 65)),
]  # fmt: skip

STARS: dict[str, Any] = {
    "title": "Cat",
    "description": "A cat",
    "payload": "cat",
    "currency": "XTR",
    "prices": [{"label": "Cat", "amount": 5}],
}
EUROS = {**STARS, "currency": "EUR", "provider_token": "123:TEST:abc"}
TWO_PRICES = [{"label": "Cat", "amount": 5}, {"label": "Tail", "amount": 1}]
INVOICES: dict[str, dict[str, Any]] = {"sendInvoice": {"chat_id": ALICE}, "createInvoiceLink": {}}


def invoice(method: str, what: str, **changes: Any) -> Case:
    return takes(method, what, **{**INVOICES[method], **STARS, **changes})


def no_invoice(method: str, what: str, sentence: str, **changes: Any) -> Case:
    return refuses(method, what, sentence, **{**INVOICES[method], **STARS, **changes})


ASKING = [
    case
    for method in INVOICES
    for case in (
        invoice(method, "stars"),
        invoice(method, "a title of 32 characters", title="я" * 32),
        invoice(method, "a description of 255 characters", description="я" * 255),
        invoice(method, "a payload of 128 bytes", payload="я" * 64),
        invoice(method, "several prices in euros", **{**EUROS, "prices": TWO_PRICES}),
        no_invoice(method, "a title of 33", "INVOICE_TITLE_INVALID", title="x" * 33),
        no_invoice(method, "a description of 256", "INVOICE_DESCRIPTION_INVALID",
                   description="x" * 256),
        no_invoice(method, "a payload of 129 bytes", "INVOICE_PAYLOAD_INVALID",
                   payload="x" * 129),
        no_invoice(method, "two prices in stars", "STARS_INVOICE_INVALID", prices=TWO_PRICES),
        no_invoice(method, "a provider for stars", "PAYMENT_PROVIDER_INVALID",
                   provider_token="123:TEST:abc"),
        no_invoice(method, "euros of no provider", "PAYMENT_PROVIDER_INVALID", currency="EUR"),
        no_invoice(method, "what is no currency", "CURRENCY_INVALID", currency="stars"),
    )
]  # fmt: skip


async def _bought(api: Api) -> str:
    sent = await api.call("sendInvoice", chat_id=ALICE, **STARS)
    await api.updates()
    return str((await api.act(pay={"message_id": sent["message_id"]}))["payment"])


async def _paid(api: Api) -> str:
    await api.call("answerPreCheckoutQuery", pre_checkout_query_id=await _bought(api), ok=True)
    [_, update] = await api.updates()
    return str(update["message"]["successful_payment"]["telegram_payment_charge_id"])


BOUGHT = Made(_bought)  # a payment that waits for the bot's word
PAID = Made(_paid)  # one that is done, by its charge id

PAYING = [
    invoice("createInvoiceLink", "a subscription of 30 days", subscription_period=2_592_000),
    no_invoice("createInvoiceLink", "a subscription of a week", "SUBSCRIPTION_PERIOD_INVALID",
               subscription_period=604_800),
    no_invoice("sendInvoice", "an unknown chat", "chat not found", chat_id=4242),
    no_invoice("sendInvoice", "a start parameter of 65", "START_PARAM_INVALID",
               start_parameter="x" * 65),
    takes("answerPreCheckoutQuery", "a yes", shows=True, pre_checkout_query_id=BOUGHT, ok=True),
    takes("answerPreCheckoutQuery", "a no with its reason", shows=True,
          pre_checkout_query_id=BOUGHT, ok=False, error_message="Sold out"),
    refuses("answerPreCheckoutQuery", "a no without a reason",
            "error_message is required when ok is False", pre_checkout_query_id=BOUGHT, ok=False),
    refuses("answerPreCheckoutQuery", "an unknown payment", TOO_OLD, pre_checkout_query_id="4242",
            ok=True),
    takes("refundStarPayment", "a payment", shows=True, user_id=ALICE,
          telegram_payment_charge_id=PAID),
    refuses("refundStarPayment", "an unknown payment", "CHARGE_ID_INVALID", user_id=ALICE,
            telegram_payment_charge_id="x"),
    refuses("refundStarPayment", "somebody else's payment", "CHARGE_ID_INVALID",
            user_id=ALICE + 1, telegram_payment_charge_id=PAID),
    takes("getStarTransactions", "nothing", shows={"transactions": []}),
    takes("getStarTransactions", "1 to 100", shows={"transactions": []}, offset=0, limit=100),
    refuses("getStarTransactions", "101", "wrong offset or limit specified", limit=101),
]  # fmt: skip

CASES = [*INLINE, *ASKING, *PAYING]


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_results_and_payments_are_taken_and_refused_as_by_telegram(
    case: Case, api: Api
) -> None:
    await case.check(api)


async def test_a_question_waits_for_half_a_minute(api: Api, clock: Clock) -> None:
    query = await _asked(api)
    clock.now += 31
    refusal = await api.refused("answerInlineQuery", inline_query_id=query, results=[])
    assert refusal == f"Bad Request: {TOO_OLD}"


async def test_stars_are_given_back_once(api: Api) -> None:
    refund: dict[str, Any] = {"user_id": ALICE, "telegram_payment_charge_id": await _paid(api)}
    await api.call("refundStarPayment", **refund)
    refusal = await api.refused("refundStarPayment", **refund)
    assert refusal == "Bad Request: CHARGE_ALREADY_REFUNDED"
