"""The real aiogram client accepts every answer: each is complete and of the right type."""

import asyncio

from aiogram import Bot, Dispatcher
from aiogram.filters import Command
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    Message,
)

from playground.server import Playground
from tests.playground.client import ALICE, Api, begin, eventually, picture


async def test_the_bot_knows_itself(bot: Bot) -> None:
    me = await bot.get_me()
    assert me.is_bot
    assert me.username == "playground_bot"


async def test_a_photo_is_sent_and_downloaded(bot: Bot) -> None:
    sent = await bot.send_photo(ALICE, BufferedInputFile(picture(400, 300), "a.png"), caption="hi")
    assert sent.photo is not None
    assert [size.width for size in sent.photo] == [90, 320, 400]
    assert sent.caption == "hi"
    content = await bot.download(sent.photo[-1])
    assert content is not None
    assert content.read().startswith(b"\xff\xd8\xff")


async def test_an_album_has_one_group_id(bot: Bot) -> None:
    items = [
        InputMediaPhoto(media=BufferedInputFile(picture(color=color), f"{color}.png"))
        for color in ("red", "green", "blue")
    ]
    sent = await bot.send_media_group(ALICE, [*items])
    assert len({message.media_group_id for message in sent}) == 1
    assert sent[0].media_group_id


async def test_a_text_becomes_a_photo_and_then_a_document(bot: Bot) -> None:
    sent = await bot.send_message(ALICE, "wait")
    media = InputMediaPhoto(media=BufferedInputFile(picture(), "a.png"), caption="done")
    edited = await bot.edit_message_media(media, chat_id=ALICE, message_id=sent.message_id)
    assert isinstance(edited, Message)
    assert edited.photo
    assert edited.caption == "done"
    document = InputMediaDocument(media=BufferedInputFile(b"bytes", "a.txt"))
    edited = await bot.edit_message_media(document, chat_id=ALICE, message_id=sent.message_id)
    assert isinstance(edited, Message)
    assert edited.document
    assert edited.document.file_name == "a.txt"


async def test_a_chat_and_its_member_are_described(bot: Bot) -> None:
    chat = await bot.get_chat(ALICE)
    assert chat.first_name == "Alice"
    member = await bot.get_chat_member(ALICE, ALICE)
    assert member.status == "member"


async def test_commands_and_menu_are_kept(bot: Bot) -> None:
    commands = [BotCommand(command="help", description="What I can do")]
    await bot.set_my_commands(commands, language_code="ru")
    kept = await bot.get_my_commands(language_code="ru")
    assert [(known.command, known.description) for known in kept] == [("help", "What I can do")]
    assert await bot.get_my_commands() == []
    assert (await bot.get_chat_menu_button()).type == "commands"


async def test_a_whole_bot_answers_over_long_polling(
    bot: Bot, api: Api, playground: Playground
) -> None:
    dispatcher = Dispatcher()
    pressed = asyncio.Event()

    @dispatcher.message(Command("ask"))
    async def ask(message: Message) -> None:
        button = InlineKeyboardButton(text="yes", callback_data="yes")
        markup = InlineKeyboardMarkup(inline_keyboard=[[button]])
        await message.answer("Really?", reply_markup=markup)

    @dispatcher.callback_query()
    async def answer(query: CallbackQuery) -> None:
        await query.answer("Good")
        assert isinstance(query.message, Message)
        await query.message.edit_text(f"You said {query.data}")
        pressed.set()

    polling = begin(dispatcher.start_polling(bot, handle_signals=False))
    await api.act(text="/ask")
    asked = await eventually(lambda: api.transcript("sendMessage"))
    await api.act(press={"message_id": asked[0]["answer"]["result"]["message_id"]})
    await asyncio.wait_for(pressed.wait(), 5)
    await dispatcher.stop_polling()
    await polling
    newest = list(playground.world.chats[f"12345-{ALICE}"].messages.values())[-1]
    assert newest.content.text.text == "You said yes"
    assert newest.keyboard is None
