"""What the most used client library makes of refusals, faults and rates: each is its own kind."""

from typing import Any

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.methods import SendDice
from aiogram.types import BufferedInputFile, InlineKeyboardButton, InlineKeyboardMarkup

from playground.rates import Limits
from playground.server import Playground
from tests.playground.client import ALICE, GROUP, MARIA, Api
from tests.playground.conformance.cases import NOT_MODIFIED


def one_button(**action: Any) -> InlineKeyboardMarkup:
    button = InlineKeyboardButton(text="a", **action)
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


async def test_a_wrong_call_is_a_bad_request_in_telegrams_words(bot: Bot) -> None:
    with pytest.raises(TelegramBadRequest, match="message is too long"):
        await bot.send_message(ALICE, "x" * 4097)
    with pytest.raises(TelegramBadRequest, match="BUTTON_DATA_INVALID"):
        await bot.send_message(ALICE, "x", reply_markup=one_button(callback_data="я" * 33))
    with pytest.raises(TelegramBadRequest, match="can't parse entities"):
        await bot.send_message(ALICE, "<b>x", parse_mode="HTML")
    with pytest.raises(TelegramBadRequest, match="query is too old"):
        await bot.answer_callback_query("4242")


async def test_the_same_again_is_not_modified(bot: Bot) -> None:
    sent = await bot.send_message(ALICE, "one")
    with pytest.raises(TelegramBadRequest, match=NOT_MODIFIED):
        await bot.edit_message_text("one", chat_id=ALICE, message_id=sent.message_id)


async def test_people_a_bot_cannot_reach_forbid_it(bot: Bot, api: Api) -> None:
    with pytest.raises(TelegramForbiddenError, match="can't initiate conversation"):
        await bot.send_message(MARIA, "x")
    await api.control("block")
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await bot.send_message(ALICE, "x")


async def test_too_much_is_told_with_the_wait(bot: Bot, playground: Playground) -> None:
    playground.world.rates.replace(Limits())
    for number in range(5):
        await bot.send_message(ALICE, str(number))
    with pytest.raises(TelegramRetryAfter) as caught:
        await bot.send_message(ALICE, "one too many")
    assert caught.value.retry_after == 1


async def test_a_file_over_50_mib_is_too_large(bot: Bot) -> None:
    file = BufferedInputFile(bytes(50 * 1024 * 1024 + 1), "a.bin")
    with pytest.raises(TelegramEntityTooLarge):
        await bot.send_document(ALICE, file)


async def test_polling_beside_a_webhook_is_a_conflict(bot: Bot) -> None:
    await bot.set_webhook("https://e.com/hook")
    with pytest.raises(TelegramConflictError, match="can't use getUpdates method while webhook"):
        await bot.get_updates()


async def test_a_method_that_is_not_here_is_not_found(bot: Bot) -> None:
    with pytest.raises(TelegramNotFound, match="does not know the method sendDice yet"):
        await bot(SendDice(chat_id=ALICE))


async def test_another_token_is_unauthorized(api: Api) -> None:
    session = AiohttpSession(api=TelegramAPIServer.from_base(api.base))
    async with Bot("12345:another", session=session) as stranger:
        with pytest.raises(TelegramUnauthorizedError):
            await stranger.get_me()


async def test_faults_are_what_they_would_be(bot: Bot, api: Api) -> None:
    await api.control("faults", method="getMe", error_code=502, description="Bad Gateway")
    with pytest.raises(TelegramServerError):
        await bot.get_me()
    await api.control("faults", method="getMe", drop_after=True)
    with pytest.raises(TelegramNetworkError):
        await bot.get_me()
    await api.control(
        "faults",
        error_code=400,
        description="Bad Request: group chat was upgraded to a supergroup chat",
        parameters={"migrate_to_chat_id": GROUP},
    )
    with pytest.raises(TelegramMigrateToChat) as caught:
        await bot.send_message(-100, "x")
    assert caught.value.migrate_to_chat_id == GROUP
