"""Answering in words, and taking them back: plainly in a private chat, as a reply in a group."""

import logging

from aiogram.enums import ChatType
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import (
    ForceReply,
    InlineKeyboardMarkup,
    Message,
    ReplyParameters,
)

logger = logging.getLogger(__name__)


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


async def put_away_shown(message: Message, shown_id: int | None) -> None:
    """Take away an earlier message of ours from the chat of ``message``, if there was one."""
    if shown_id is None or message.bot is None:
        return
    try:
        await message.bot.delete_message(message.chat.id, shown_id)
    except TelegramBadRequest as fault:
        logger.info("message %s of ours stays: %s", shown_id, fault)


def _to(message: Message) -> ReplyParameters | None:
    if message.chat.type == ChatType.PRIVATE:
        return None
    return ReplyParameters(message_id=message.message_id, allow_sending_without_reply=True)
