"""What a person does with an invoice: pay it, and wait for the bot's word."""

import asyncio
from dataclasses import replace

from playground import payments, render
from playground.errors import bad_request
from playground.model import Bot, Chat, Content, Invoice, Json, Message, Person
from playground.payments import Checkout
from playground.text import EMPTY
from playground.world import World


def pay_message(world: World, chat: Chat, person: Person, message_id: int) -> Checkout:
    """Press the pay button under an invoice.

    Raises:
        ApiError: there is no such invoice, or it is paid already.
    """
    message = chat.messages.get(message_id)
    if message is None or message.content.invoice is None:
        raise bad_request("message not found")
    return _begin(world, chat, person, message.content.invoice, message)


def pay_link(world: World, chat: Chat, person: Person, slug: str) -> Checkout:
    """Pay the invoice behind a link, as a Mini App asks for it.

    Raises:
        ApiError: there is no such invoice.
    """
    invoice = world.till.offered(slug)
    own = world.chats.get(f"{invoice.bot_id}-{person.id}", chat)
    return _begin(world, own, person, invoice, None)


def _begin(
    world: World, chat: Chat, person: Person, invoice: Invoice, message: Message | None
) -> Checkout:
    if invoice.is_paid:
        raise bad_request("INVOICE_ALREADY_PAID")
    seat = world.seats[invoice.bot_id]
    checkout = world.till.begin(seat.bot, person, chat, invoice, message)
    update: Json = {
        "id": checkout.id,
        "from": render.user(person),
        "currency": invoice.currency,
        "total_amount": invoice.total_amount,
        "invoice_payload": invoice.payload,
        **_order_info(invoice, person),
    }
    seat.updates.put("pre_checkout_query", update)
    lifetime_s = world.settings.checkout_lifetime_s
    checkout.timer = asyncio.get_running_loop().call_later(lifetime_s, _give_up, world, checkout)
    return checkout


def _order_info(invoice: Invoice, person: Person) -> Json:
    """Fill in what an invoice asks of its payer, the same for everybody."""
    known = {
        "name": person.first_name,
        "phone_number": "+10000000000",
        "email": f"{person.username or person.id}@example.com",
    }
    told = {name: known[name] for name in invoice.needs}
    return {"order_info": told} if told else {}


def conclude(world: World, checkout: Checkout, error: str = "") -> None:
    """End a payment with the bot's word, or with what went wrong, and tell everybody."""
    if not error and _is_paid(checkout.message):
        error = "INVOICE_ALREADY_PAID"
    checkout.settle(error)
    world.events.add(
        "payment",
        chat=checkout.chat.key,
        payment=checkout.id,
        status=checkout.outcome,
        error=error,
    )
    if not error:
        _announce(world, checkout)


def _give_up(world: World, checkout: Checkout) -> None:
    if checkout.outcome is None:
        conclude(world, checkout, "BOT_PRECHECKOUT_TIMEOUT")


def _is_paid(message: Message | None) -> bool:
    return bool(message and message.content.invoice and message.content.invoice.is_paid)


def _announce(world: World, checkout: Checkout) -> None:
    payment = world.till.note(checkout)
    message = checkout.message
    if message and message.content.invoice:
        paid = replace(message.content.invoice, is_paid=True)
        message.content = replace(message.content, invoice=paid)
        world.announce_edit(message)
    event = payments.service(payment, _order_info(checkout.invoice, checkout.person))
    content = Content(EMPTY, service={"successful_payment": event})
    tell(world, checkout.bot, world.post(checkout.chat, checkout.person, content))


def tell(world: World, bot: Bot, message: Message) -> None:
    """Hand the event of a payment to the bot it was for, and to no other in the chat."""
    seat = world.seats[bot.id]
    seat.updates.put("message", seat.render.message(message))
