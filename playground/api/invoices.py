"""Asking for money: invoices, the word before a payment, refunds."""

import re
import secrets
from typing import Final

from aiogram.methods import (
    AnswerPreCheckoutQuery,
    CreateInvoiceLink,
    GetStarTransactions,
    RefundStarPayment,
    SendInvoice,
)

from playground import payments, render
from playground.api.call import Call, check_start_parameter
from playground.api.posting import post
from playground.errors import bad_request
from playground.model import Content, Invoice, Json
from playground.paying import conclude, tell
from playground.payments import STARS, Payment
from playground.text import EMPTY

MAX_TITLE: Final = 32
MAX_DESCRIPTION: Final = 255
MAX_PAYLOAD_BYTES: Final = 128
MAX_STARS: Final = 100_000
MAX_TRANSACTIONS: Final = 100
SUBSCRIPTION_S: Final = 2_592_000
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_NEEDS: Final = ("name", "phone_number", "email")
Asking = SendInvoice | CreateInvoiceLink


async def send_invoice(call: Call, method: SendInvoice) -> Json:
    """Ask for money in a chat; without a keyboard the invoice gets a pay button."""
    call.chat(method.chat_id)
    start = method.start_parameter or ""
    if start:
        check_start_parameter(start)
    content = Content(EMPTY, invoice=_invoice(call, method, start))
    message = post(call, method, content)
    return call.seat.render.message(message)


async def create_invoice_link(call: Call, method: CreateInvoiceLink) -> str:
    """Make an invoice that anybody may pay by its link, any number of times."""
    if method.subscription_period not in {None, SUBSCRIPTION_S}:
        raise bad_request("SUBSCRIPTION_PERIOD_INVALID")
    if method.subscription_period and method.currency != STARS:
        raise bad_request("SUBSCRIPTION_CURRENCY_INVALID")
    invoice = _invoice(call, method, "")
    call.world.till.offer(invoice)
    return f"https://t.me/${invoice.slug}"


def _invoice(call: Call, method: Asking, start_parameter: str) -> Invoice:
    """Check an invoice.

    Raises:
        ApiError: a text is missing or too long, or the price is not one in that currency.
    """
    if not 1 <= len(method.title) <= MAX_TITLE:
        raise bad_request("INVOICE_TITLE_INVALID")
    if not 1 <= len(method.description) <= MAX_DESCRIPTION:
        raise bad_request("INVOICE_DESCRIPTION_INVALID")
    if not 1 <= len(method.payload.encode()) <= MAX_PAYLOAD_BYTES:
        raise bad_request("INVOICE_PAYLOAD_INVALID")
    if method.is_flexible or method.need_shipping_address:
        raise bad_request("the playground ships nothing")
    _check_price(method)
    needs = [name for name in _NEEDS if getattr(method, f"need_{name}")]
    return Invoice(
        bot_id=call.seat.bot.id,
        slug=secrets.token_urlsafe(12),
        title=method.title,
        description=method.description,
        payload=method.payload,
        currency=method.currency,
        prices=tuple((price.label, price.amount) for price in method.prices),
        start_parameter=start_parameter,
        # Stars are paid by the account itself: nothing is asked of the payer.
        needs=() if method.currency == STARS else tuple(needs),
        photo_url=method.photo_url,
    )


def _check_price(method: Asking) -> None:
    if not _CURRENCY.fullmatch(method.currency):
        raise bad_request("CURRENCY_INVALID")
    if not method.prices or any(not price.label for price in method.prices):
        raise bad_request("INVOICE_PRICES_INVALID")
    total = sum(price.amount for price in method.prices)
    if method.currency != STARS:
        if not method.provider_token:
            raise bad_request("PAYMENT_PROVIDER_INVALID")
        if total <= 0:
            raise bad_request("CURRENCY_TOTAL_AMOUNT_INVALID")
        return
    if method.provider_token:
        raise bad_request("PAYMENT_PROVIDER_INVALID")
    if len(method.prices) != 1:
        raise bad_request("STARS_INVOICE_INVALID")
    if not 1 <= total <= MAX_STARS:
        raise bad_request("CURRENCY_TOTAL_AMOUNT_INVALID")
    if method.max_tip_amount or method.suggested_tip_amounts:
        raise bad_request("STARS_INVOICE_INVALID")


async def answer_pre_checkout_query(call: Call, method: AnswerPreCheckoutQuery) -> bool:
    """Let a payment go through, or say why not; within ten seconds."""
    if not method.ok and not (method.error_message or "").strip():
        raise bad_request("error_message is required when ok is False")
    checkout = call.world.till.waiting(call.seat.bot, method.pre_checkout_query_id)
    conclude(call.world, checkout, "" if method.ok else method.error_message or "")
    return True


async def refund_star_payment(call: Call, method: RefundStarPayment) -> bool:
    """Give somebody's stars back, once; the chat shows it."""
    person = call.world.people.get(method.user_id)
    if person is None:
        raise bad_request("user not found")
    charge_id = method.telegram_payment_charge_id
    payment = call.world.till.refund(call.seat.bot, person.id, charge_id)
    chat = call.world.chats.get(payment.chat_key)
    if chat:
        event = payments.service(payment)
        content = Content(EMPTY, service={"refunded_payment": event})
        tell(call.world, call.seat.bot, call.world.post(chat, person, content))
    return True


async def get_star_transactions(call: Call, method: GetStarTransactions) -> Json:
    """List what came in and what was given back, oldest first."""
    limit = 100 if method.limit is None else method.limit
    offset = method.offset or 0
    if not 1 <= limit <= MAX_TRANSACTIONS or offset < 0:
        raise bad_request("wrong offset or limit specified")
    rows = [
        row for payment in call.world.till.of_bot(call.seat.bot) for row in _rows(call, payment)
    ]
    rows.sort(key=lambda row: row["date"])
    return {"transactions": rows[offset : offset + limit]}


def _rows(call: Call, payment: Payment) -> list[Json]:
    """Show a payment as it came in, and once more if it went back."""
    partner: Json = {
        "type": "user",
        "transaction_type": "invoice_payment",
        "user": render.user(call.world.people[payment.person_id]),
        "invoice_payload": payment.payload,
    }
    row: Json = {"id": payment.charge_id, "amount": payment.amount}
    rows = [{**row, "date": payment.date, "source": partner}]
    if payment.refunded_at is not None:
        rows.append({**row, "date": payment.refunded_at, "receiver": partner})
    return rows
