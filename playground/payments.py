"""Money that is none: invoices, payments on their way, and the ledger of what was paid.

Nobody's balance runs out here. A payment waits a limited time for its bot's word.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from playground.bounded import Bounded
from playground.errors import QUERY_TOO_OLD, bad_request
from playground.model import Bot, Chat, Invoice, Json, Message, Person

STARS: Final = "XTR"
_MAX_PAYMENTS: Final = 10_000
Outcome: TypeAlias = Literal["paid", "failed"]


@dataclass
class Checkout:
    """A payment that waits for its bot; `message` is the invoice's, where it is in one.

    Attributes:
        error: why it failed, in the bot's words.
    """

    id: str
    bot: Bot
    person: Person
    chat: Chat
    invoice: Invoice
    message: Message | None = None
    outcome: Outcome | None = None
    error: str = ""
    timer: asyncio.TimerHandle | None = None

    def settle(self, error: str = "") -> None:
        """Mark the payment as paid, or as failed for a reason."""
        self.error = error
        self.outcome = "failed" if error else "paid"
        if self.timer:
            self.timer.cancel()


@dataclass
class Payment:
    """Something paid; refunded at most once."""

    charge_id: str
    person_id: int
    bot_id: int
    chat_key: str
    amount: int
    currency: str
    payload: str
    date: int
    refunded_at: int | None = None


class Till:
    """All invoices behind links, payments on their way, and those done; bounded in number."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._links: Bounded[str, Invoice] = Bounded(_MAX_PAYMENTS)
        self._checkouts: Bounded[str, Checkout] = Bounded(_MAX_PAYMENTS)
        self._payments: Bounded[str, Payment] = Bounded(_MAX_PAYMENTS)
        self.changes = 0  # grows with whatever a state file has to know

    def offer(self, invoice: Invoice) -> None:
        """Let an invoice be paid by its link."""
        self._links.add(invoice.slug, invoice)
        self.changes += 1

    def offered(self, slug: str) -> Invoice:
        """Find the invoice behind a link.

        Raises:
            ApiError: there is none.
        """
        invoice = self._links.get(slug)
        if invoice is None:
            raise bad_request("SLUG_INVALID")
        return invoice

    def begin(
        self, bot: Bot, person: Person, chat: Chat, invoice: Invoice, message: Message | None
    ) -> Checkout:
        """Begin to pay."""
        number = str(secrets.randbits(62))
        checkout = Checkout(number, bot, person, chat, invoice, message)
        self._checkouts.add(checkout.id, checkout)
        return checkout

    def waiting(self, bot: Bot, checkout_id: str) -> Checkout:
        """Take a payment that a bot wants to approve or decline.

        Raises:
            ApiError: unknown, another bot's, answered already, or given up.
        """
        checkout = self._checkouts.get(checkout_id)
        if checkout is None or checkout.bot is not bot or checkout.outcome is not None:
            raise bad_request(QUERY_TOO_OLD)
        return checkout

    def note(self, checkout: Checkout) -> Payment:
        """Write a payment into the ledger."""
        charge_id = secrets.token_urlsafe(24)
        invoice = checkout.invoice
        payment = Payment(
            charge_id,
            checkout.person.id,
            checkout.bot.id,
            checkout.chat.key,
            invoice.total_amount,
            invoice.currency,
            invoice.payload,
            int(self._clock()),
        )
        self._payments.add(charge_id, payment)
        self.changes += 1
        return payment

    def payments(self) -> list[Payment]:
        """List all payments, oldest first."""
        return self._payments.values()

    def links(self) -> list[Invoice]:
        """List all invoices behind links, oldest first."""
        return self._links.values()

    def restore(self, payment: Payment) -> None:
        """Put back what was paid before a restart."""
        self._payments.add(payment.charge_id, payment)

    def refund(self, bot: Bot, person_id: int, charge_id: str) -> Payment:
        """Give stars back.

        Raises:
            ApiError: no such payment of that person in stars, or refunded already.
        """
        payment = self._payments.get(charge_id)
        if (
            payment is None
            or payment.bot_id != bot.id
            or payment.person_id != person_id
            or payment.currency != STARS
        ):
            raise bad_request("CHARGE_ID_INVALID")
        if payment.refunded_at is not None:
            raise bad_request("CHARGE_ALREADY_REFUNDED")
        payment.refunded_at = int(self._clock())
        self.changes += 1
        return payment

    def of_bot(self, bot: Bot) -> list[Payment]:
        """List a bot's payments in stars, oldest first."""
        return [
            payment
            for payment in self._payments.values()
            if payment.bot_id == bot.id and payment.currency == STARS
        ]


def service(payment: Payment, details: Json | None = None) -> Json:
    """Show a payment as its event in the chat."""
    shown: Json = {
        "currency": payment.currency,
        "total_amount": payment.amount,
        "invoice_payload": payment.payload,
        "telegram_payment_charge_id": payment.charge_id,
        "provider_payment_charge_id": "" if payment.currency == STARS else payment.charge_id[:12],
    }
    return {**shown, **(details or {})}
