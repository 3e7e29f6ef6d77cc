"""Money that is none: an invoice from the asking to the refund."""

import asyncio
from typing import Any

import pytest

from playground.server import Playground
from tests.playground.client import ALICE, GROUP, MARIA, Api, button, eventually, keyboard

STARS: dict[str, Any] = {
    "chat_id": ALICE,
    "title": "Fifty pictures",
    "description": "Drawn at once",
    "payload": "pack-50",
    "currency": "XTR",
    "prices": [{"label": "Pack", "amount": 50}],
}
MONEY: dict[str, Any] = {
    **STARS,
    "currency": "EUR",
    "provider_token": "test",
    "prices": [{"label": "Pack", "amount": 200}, {"label": "Tax", "amount": 38}],
}


async def newest(api: Api, chat: str = f"12345-{ALICE}") -> list[Any]:
    response = await api.http.get(f"{api.base}/page/messages", params={"chat": chat})
    messages: list[Any] = response.json()["messages"]
    return messages


async def begun(api: Api, **invoice: Any) -> Any:
    """Send an invoice and let Alice press its pay button; returns the pre_checkout_query."""
    sent = await api.call("sendInvoice", **{**STARS, **invoice})
    await api.act(pay={"message_id": sent["message_id"]})
    return (await api.updates())[0]["pre_checkout_query"]


async def paid(api: Api, **invoice: Any) -> Any:
    """Let Alice pay; returns the successful_payment."""
    query = await begun(api, **invoice)
    assert await api.call("answerPreCheckoutQuery", pre_checkout_query_id=query["id"], ok=True)
    return (await api.updates())[0]["message"]["successful_payment"]


async def test_an_invoice_is_shown_with_a_button_to_pay(api: Api) -> None:
    sent = await api.call("sendInvoice", **STARS, start_parameter="pack")
    assert sent["invoice"] == {
        "title": "Fifty pictures",
        "description": "Drawn at once",
        "start_parameter": "pack",
        "currency": "XTR",
        "total_amount": 50,
    }
    assert sent["reply_markup"]["inline_keyboard"][0][0]["pay"] is True
    shown = (await newest(api))[-1]
    assert shown["invoice"]["prices"] == [{"label": "Pack", "amount": 50}]
    assert shown["invoice"]["paid"] is False


async def test_a_payment_waits_for_the_bots_word(api: Api) -> None:
    query = await begun(api)
    assert (query["currency"], query["total_amount"]) == ("XTR", 50)
    assert (query["invoice_payload"], query["from"]["id"]) == ("pack-50", ALICE)
    assert await api.call("answerPreCheckoutQuery", pre_checkout_query_id=query["id"], ok=True)
    payment = (await api.updates())[0]["message"]["successful_payment"]
    assert (payment["total_amount"], payment["invoice_payload"]) == (50, "pack-50")
    assert payment["telegram_payment_charge_id"]
    invoice, event = (await newest(api))[-2:]
    assert invoice["invoice"]["paid"] is True
    assert event["service"] == {
        "kind": "successful_payment",
        "currency": "XTR",
        "total_amount": 50,
    }
    again = await api.control("send", pay={"message_id": invoice["id"]})
    assert again.json()["description"] == "Bad Request: INVOICE_ALREADY_PAID"
    refusal = await api.refused(
        "answerPreCheckoutQuery", pre_checkout_query_id=query["id"], ok=True
    )
    assert "query is too old" in refusal


async def events_of(api: Api, playground: Playground, kind: str) -> list[Any]:
    return [event.body for event in playground.world.events._events if event.body["kind"] == kind]


async def test_a_bot_may_say_no(api: Api, playground: Playground) -> None:
    query = await begun(api)
    fields = {"pre_checkout_query_id": query["id"], "ok": False}
    refusal = await api.refused("answerPreCheckoutQuery", **fields)
    assert refusal == "Bad Request: error_message is required when ok is False"
    await api.call("answerPreCheckoutQuery", **fields, error_message="Sold out")
    assert not await api.updates()
    [event] = await events_of(api, playground, "payment")
    assert (event["status"], event["error"]) == ("failed", "Sold out")
    shown = (await newest(api))[-1]
    assert shown["invoice"]["paid"] is False
    assert await api.act(pay={"message_id": shown["id"]})


async def test_a_bot_that_says_nothing_in_time_gets_nothing(
    api: Api, playground: Playground
) -> None:
    object.__setattr__(playground.world.settings, "checkout_lifetime_s", 0.05)
    query = await begun(api)
    [event] = await eventually(lambda: events_of(api, playground, "payment"))
    assert (event["status"], event["error"]) == ("failed", "BOT_PRECHECKOUT_TIMEOUT")
    refusal = await api.refused(
        "answerPreCheckoutQuery", pre_checkout_query_id=query["id"], ok=True
    )
    assert "query is too old" in refusal
    await asyncio.sleep(0.06)
    assert len(await events_of(api, playground, "payment")) == 1


async def test_two_who_pay_one_invoice_do_not_both(api: Api, playground: Playground) -> None:
    sent = await api.call("sendInvoice", **{**STARS, "chat_id": GROUP})
    for person in (ALICE, MARIA):
        await api.act(person=person, chat="group", pay={"message_id": sent["message_id"]})
    for update in await api.updates():
        number = update["pre_checkout_query"]["id"]
        await api.call("answerPreCheckoutQuery", pre_checkout_query_id=number, ok=True)
    outcomes = await events_of(api, playground, "payment")
    assert [event["status"] for event in outcomes] == ["paid", "failed"]


async def test_money_asks_for_what_the_bot_needs_to_know(api: Api) -> None:
    payment = await paid(api, **MONEY, need_name=True, need_email=True)
    assert payment["order_info"] == {"name": "Alice", "email": "alice@example.com"}
    assert (payment["currency"], payment["total_amount"]) == ("EUR", 238)
    assert payment["provider_payment_charge_id"]


async def test_stars_are_given_back_once(api: Api) -> None:
    payment = await paid(api)
    charge = {
        "user_id": ALICE,
        "telegram_payment_charge_id": payment["telegram_payment_charge_id"],
    }
    refusal = await api.refused("refundStarPayment", **{**charge, "user_id": MARIA})
    assert refusal == "Bad Request: CHARGE_ID_INVALID"
    assert await api.call("refundStarPayment", **charge) is True
    refunded = (await api.updates())[0]["message"]["refunded_payment"]
    assert refunded["total_amount"] == 50
    assert refunded["telegram_payment_charge_id"] == payment["telegram_payment_charge_id"]
    refusal = await api.refused("refundStarPayment", **charge)
    assert refusal == "Bad Request: CHARGE_ALREADY_REFUNDED"
    rows = (await api.call("getStarTransactions"))["transactions"]
    assert [("source" in row, "receiver" in row) for row in rows] == [(True, False), (False, True)]
    assert (await api.call("getStarTransactions", offset=1, limit=1))["transactions"] == rows[1:]
    assert "wrong offset" in await api.refused("getStarTransactions", limit=101)


async def test_money_is_not_given_back_as_stars(api: Api) -> None:
    charge_id = (await paid(api, **MONEY))["telegram_payment_charge_id"]
    refusal = await api.refused(
        "refundStarPayment", user_id=ALICE, telegram_payment_charge_id=charge_id
    )
    assert refusal == "Bad Request: CHARGE_ID_INVALID"


async def test_an_invoice_behind_a_link_is_paid_again_and_again(api: Api) -> None:
    fields = {name: value for name, value in STARS.items() if name != "chat_id"}
    link = await api.call("createInvoiceLink", **fields)
    slug = link.removeprefix("https://t.me/$")
    shown = (await api.http.get(f"{api.base}/page/invoice", params={"slug": slug})).json()
    assert (shown["title"], shown["total_amount"]) == ("Fifty pictures", 50)
    for _ in range(2):
        await api.act(pay={"slug": slug})
        query = (await api.updates())[0]["pre_checkout_query"]["id"]
        await api.call("answerPreCheckoutQuery", pre_checkout_query_id=query, ok=True)
        assert (await api.updates())[0]["message"]["successful_payment"]
    wrong = await api.control("send", pay={"slug": "none"})
    assert wrong.json()["description"] == "Bad Request: SLUG_INVALID"
    refusal = await api.refused("createInvoiceLink", **fields, subscription_period=60)
    assert refusal == "Bad Request: SUBSCRIPTION_PERIOD_INVALID"
    assert await api.call("createInvoiceLink", **fields, subscription_period=2_592_000)


@pytest.mark.parametrize(
    "change",
    [
        {"title": "x" * 32},
        {"description": "x" * 255},
        {"payload": "я" * 64},
        {"prices": [{"label": "x", "amount": 1}]},
    ],
)
async def test_an_invoice_at_its_limits_is_taken(api: Api, change: dict[str, Any]) -> None:
    assert await api.call("sendInvoice", **{**STARS, **change})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"title": ""}, "INVOICE_TITLE_INVALID"),
        ({"title": "x" * 33}, "INVOICE_TITLE_INVALID"),
        ({"description": "x" * 256}, "INVOICE_DESCRIPTION_INVALID"),
        ({"payload": "я" * 65}, "INVOICE_PAYLOAD_INVALID"),
        ({"prices": []}, "INVOICE_PRICES_INVALID"),
        ({"prices": MONEY["prices"]}, "STARS_INVOICE_INVALID"),
        ({"prices": [{"label": "x", "amount": 0}]}, "CURRENCY_TOTAL_AMOUNT_INVALID"),
        ({"provider_token": "x"}, "PAYMENT_PROVIDER_INVALID"),
        ({"currency": "EUR"}, "PAYMENT_PROVIDER_INVALID"),
        ({"currency": "euro"}, "CURRENCY_INVALID"),
        ({"start_parameter": "a b"}, "START_PARAM_INVALID"),
        ({"is_flexible": True}, "the playground ships nothing"),
        ({"reply_markup": keyboard([button("first")])}, "BUTTON_TYPE_INVALID"),
        (
            {"reply_markup": keyboard([button("first"), {"text": "Pay", "pay": True}])},
            "BUTTON_TYPE_INVALID",
        ),
    ],
)
async def test_a_wrong_invoice_is_refused(api: Api, change: dict[str, Any], sentence: str) -> None:
    assert await api.refused("sendInvoice", **{**STARS, **change}) == f"Bad Request: {sentence}"


async def test_a_pay_button_is_for_invoices(api: Api) -> None:
    rows: dict[str, Any] = keyboard([{"text": "Pay", "pay": True}])
    refusal = await api.refused("sendMessage", chat_id=ALICE, text="x", reply_markup=rows)
    assert refusal == "Bad Request: BUTTON_TYPE_INVALID"
    rows["inline_keyboard"][0].append(button("later"))
    sent = await api.call("sendInvoice", **STARS, reply_markup=rows)
    assert len(sent["reply_markup"]["inline_keyboard"][0]) == 2


async def test_an_invoice_is_not_copied_nor_turned_into_something_else(api: Api) -> None:
    sent = await api.call("sendInvoice", **STARS)
    number = sent["message_id"]
    source = {"from_chat_id": ALICE, "message_id": number}
    refusal = await api.refused("copyMessage", chat_id=ALICE, **source)
    assert refusal == "Bad Request: message can't be copied"
    forwarded = await api.call("forwardMessage", chat_id=ALICE, **source)
    assert forwarded["invoice"]["total_amount"] == 50
    refusal = await api.refused("editMessageText", chat_id=ALICE, message_id=number, text="x")
    assert refusal == "Bad Request: there is no text in the message to edit"


async def test_another_bot_of_the_group_hears_of_no_payment(api: Api) -> None:
    async with Api(api.base, "777:second") as second:
        await second.call("getMe")
        sent = await api.call("sendInvoice", **{**STARS, "chat_id": GROUP})
        await api.act(chat="group", pay={"message_id": sent["message_id"]})
        query = (await api.updates())[0]["pre_checkout_query"]["id"]
        await api.call("answerPreCheckoutQuery", pre_checkout_query_id=query, ok=True)
        assert "successful_payment" in (await api.updates())[0]["message"]
        assert not await second.updates()
