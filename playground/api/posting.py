"""What every send* method does last: reply, keyboard, rates, and the message itself."""

from typing import Any

from playground.api.call import Call, plain
from playground.keyboards import Place, keyboards
from playground.model import Content, Invoice, Json, Message


def _pay_button(invoice: Invoice) -> Json:
    """Make the button that an invoice gets where its bot gave none."""
    text = f"Pay {invoice.total_amount} {invoice.currency}"
    return {"inline_keyboard": [[{"text": text, "pay": True}]]}


def post(call: Call, method: Any, content: Content) -> Message:  # noqa: ANN401 - any send*
    """Post a message as the bot into the chat that a method names.

    Raises:
        ApiError: the chat, the message replied to, a button or the rates forbid it.
    """
    chat = call.chat(method.chat_id)
    reply_to = call.replied(chat, method)
    place = Place(chat.is_private, call.world.settings.allow_http, content.invoice is not None)
    keyboard, changes, below = keyboards(method.reply_markup, place)
    if content.invoice and keyboard is None:
        keyboard = _pay_button(content.invoice)
    call.spend(chat)
    message = call.world.post(
        chat,
        call.seat.bot,
        content,
        keyboard=keyboard,
        reply_to=reply_to,
        effect_id=method.message_effect_id,
        is_protected=bool(plain(method.protect_content)),
    )
    if changes:
        call.world.set_reply_keyboard(chat, below)
    return message
