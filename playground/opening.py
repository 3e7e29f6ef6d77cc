"""What a person does with Mini Apps: open one from a button, send its data, close it."""

from typing import Any

from playground import render
from playground.errors import bad_request
from playground.mini_apps import MAX_DATA_BYTES, AppDesk, MiniApp, Source
from playground.model import Bot, Chat, Content, Json, Message, Person
from playground.people import deliver, enter
from playground.text import EMPTY
from playground.world import World


def open_button(
    world: World, chat: Chat, person: Person, message_id: int, row: int, column: int
) -> MiniApp:
    """Open the Mini App of a button under a message.

    Raises:
        ApiError: there is no such message or button, or it opens no Mini App.
    """
    message = chat.messages.get(message_id)
    if message is None or not isinstance(message.author, Bot):
        raise bad_request("message not found")
    rows = message.keyboard["inline_keyboard"] if message.keyboard else []
    button = _at(rows, row, column)
    return _open(world.apps, chat, person, message.author, "button", button)


def open_keyboard(world: World, chat: Chat, person: Person, row: int, column: int) -> MiniApp:
    """Open the Mini App of a button of the reply keyboard.

    Raises:
        ApiError: there is no such button, or it opens no Mini App.
    """
    rows = chat.reply_keyboard["keyboard"] if chat.reply_keyboard else []
    button = _at(rows, row, column)
    return _open(world.apps, chat, person, chat.bots[0], "keyboard", button)


def open_menu(world: World, chat: Chat, person: Person) -> MiniApp:
    """Open the Mini App of the menu button.

    Raises:
        ApiError: the menu button is none of a Mini App.
    """
    if not chat.is_private:
        raise bad_request("a group has no menu button")
    bot = chat.bots[0]
    button = bot.menu_button(chat.id)
    return _open(world.apps, chat, person, bot, "menu", button)


def open_inline(world: World, chat: Chat, person: Person, query_id: str) -> MiniApp:
    """Open the Mini App of the button above inline results.

    Raises:
        ApiError: no such query, or its answer has no such button.
    """
    query = world.inline.find(query_id, person)
    button = (query.answer.button if query.answer else None) or {}
    return _open(world.apps, chat, person, query.bot, "inline", button)


def _at(rows: list[list[Json]], row: int, column: int) -> Json:
    if not (0 <= row < len(rows) and 0 <= column < len(rows[row])):
        raise bad_request("there is no such button")
    return rows[row][column]


def _open(
    desk: AppDesk, chat: Chat, person: Person, bot: Bot, source: Source, button: Json
) -> MiniApp:
    if "web_app" not in button:
        raise bad_request("the button opens no Mini App")
    return desk.open(bot, person, chat, source, button["web_app"]["url"], button["text"])


def send_data(world: World, person: Person, app_id: str, data: str) -> Message:
    """Let a Mini App send its data to the bot, which closes it.

    Raises:
        ApiError: it was not opened from the reply keyboard, or the data is empty or over
            4096 bytes.
    """
    app = world.apps.find(app_id, person)
    if not app.may_send_data:
        raise bad_request("only a Mini App opened from the keyboard can send data")
    if not 1 <= len(data.encode()) <= MAX_DATA_BYTES:
        raise bad_request("DATA_INVALID")
    world.apps.close(app)
    enter(world, app.chat, person)
    event: dict[str, Any] = {"data": data, "button_text": app.button_text}
    content = Content(EMPTY, service={"web_app_data": event})
    message = world.post(app.chat, person, content)
    deliver(world, message)
    return message


def shown(app: MiniApp) -> Json:
    """Show an open app to the page."""
    return {
        "app": app.id,
        "bot": app.bot.id,
        "title": render.user(app.bot, seen_by=app.person.language_code)["first_name"],
        "url": app.address,
        "source": app.source,
        "can_send_data": app.may_send_data,
        "query_id": app.query_id,
    }
