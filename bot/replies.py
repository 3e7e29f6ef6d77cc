"""Answering in words, and taking them back: plainly in a private chat, as a reply in a group."""

from aiogram.enums import ChatType
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import (
    ForceReply,
    InlineKeyboardMarkup,
    Message,
    ReplyParameters,
)


async def answer(
    message: Message,
    text: str,
    markup: InlineKeyboardMarkup | ForceReply | None = None,
) -> Message:
    """Answer a message; in a group it shows which one is meant."""
    return await message.answer(text, reply_markup=markup, reply_parameters=_to(message))


async def put_away(message: Message) -> None:
    """Take away a message of ours; one that Telegram keeps, being old, loses its buttons."""
    try:
        await message.delete()
    except TelegramBadRequest:
        await message.edit_reply_markup()


def _to(message: Message) -> ReplyParameters | None:
    if message.chat.type == ChatType.PRIVATE:
        return None
    return ReplyParameters(message_id=message.message_id, allow_sending_without_reply=True)
