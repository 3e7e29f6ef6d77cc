"""Answering pressed buttons."""

from typing import Final

from aiogram.methods import AnswerCallbackQuery

from playground.api.call import Call
from playground.errors import bad_request

MAX_ANSWER: Final = 200


async def answer_callback_query(call: Call, method: AnswerCallbackQuery) -> bool:
    """Stop a button's spinner, maybe with a toast or an alert of up to 200 characters."""
    text = method.text or ""
    if len(text) > MAX_ANSWER:
        raise bad_request("MESSAGE_TOO_LONG")
    if method.url is not None:
        raise bad_request("URL_INVALID")
    query = call.world.close_query(call.seat, method.callback_query_id)
    call.world.events.add(
        "answer",
        chat=query.message.chat.key,
        query=query.id,
        text=text,
        alert=bool(method.show_alert),
    )
    return True
