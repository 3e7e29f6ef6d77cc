"""Answering pressed buttons."""

import re
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
    if method.url is not None and not _starts(call, method.url):
        raise bad_request("URL_INVALID")
    query = call.world.presses.answer(call.seat.bot, method.callback_query_id)
    call.world.events.add(
        "answer",
        chat=query.message.chat.key,
        query=query.id,
        text=text,
        alert=bool(method.show_alert),
        url=method.url,
    )
    return True


def _starts(call: Call, url: str) -> bool:
    """Whether an address starts the bot itself with a parameter; no other may be opened."""
    name = re.escape(call.seat.bot.username)
    pattern = rf"(?:https?://t\.me/{name}\?start=|tg://resolve\?domain={name}&start=)[\w-]{{1,64}}"
    return re.fullmatch(pattern, url, re.ASCII | re.IGNORECASE) is not None
