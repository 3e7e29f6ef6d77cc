"""What a bot says about itself: name, descriptions, commands, menu button."""

import json
import re
from typing import Final, Protocol

from aiogram.methods import (
    DeleteMyCommands,
    GetChatMenuButton,
    GetMyCommands,
    GetMyDescription,
    GetMyName,
    GetMyShortDescription,
    SetChatMenuButton,
    SetMyCommands,
    SetMyDescription,
    SetMyName,
    SetMyShortDescription,
)
from aiogram.types import (
    BotCommand,
    BotCommandScopeChat,
    BotCommandScopeChatAdministrators,
    BotCommandScopeChatMember,
    MenuButtonWebApp,
)

from playground import page_view
from playground.api.call import Call
from playground.errors import bad_request
from playground.keyboards import check_app_url
from playground.model import Json

MAX_NAME: Final = 64
MAX_DESCRIPTION: Final = 512
MAX_SHORT_DESCRIPTION: Final = 120
MAX_COMMANDS: Final = 100
MAX_COMMAND_DESCRIPTION: Final = 256
_OF_A_CHAT: Final = (
    BotCommandScopeChat,
    BotCommandScopeChatAdministrators,
    BotCommandScopeChatMember,
)
_COMMAND: Final = re.compile(r"/?([a-z0-9_]{1,32})")
_LANGUAGE: Final = re.compile(r"([a-z]{2})?")


class _Scoped(Protocol):
    @property
    def language_code(self) -> str | None: ...


def _language(method: _Scoped) -> str:
    code = method.language_code or ""
    if not _LANGUAGE.fullmatch(code):
        raise bad_request("invalid language code specified")
    return code


def _scope(method: SetMyCommands | GetMyCommands | DeleteMyCommands) -> tuple[str, str]:
    scope = method.scope.model_dump(mode="json", exclude_none=True) if method.scope else None
    shown = json.dumps(scope or {"type": "default"}, sort_keys=True)
    return shown, _language(method)


def _set(call: Call, texts: dict[str, str], language: str, text: str | None) -> bool:
    if text:
        texts[language] = text
    else:
        texts.pop(language, None)
    return _announce(call)


def _announce(call: Call) -> bool:
    call.world.events.add("bot", bot=page_view.bot(call.seat.bot))
    return True


async def set_my_name(call: Call, method: SetMyName) -> bool:
    """Set the bot's name in a language; an empty one removes it."""
    if len(method.name or "") > MAX_NAME:
        raise bad_request("BOT_TITLE_INVALID")
    return _set(call, call.seat.bot.names, _language(method), method.name)


async def set_my_description(call: Call, method: SetMyDescription) -> bool:
    """Set what an empty chat with the bot shows."""
    if len(method.description or "") > MAX_DESCRIPTION:
        raise bad_request("BOT_DESCRIPTION_INVALID")
    return _set(call, call.seat.bot.descriptions, _language(method), method.description)


async def set_my_short_description(call: Call, method: SetMyShortDescription) -> bool:
    """Set what the bot's profile shows."""
    text = method.short_description
    if len(text or "") > MAX_SHORT_DESCRIPTION:
        raise bad_request("BOT_SHORT_DESCRIPTION_INVALID")
    return _set(call, call.seat.bot.short_descriptions, _language(method), text)


async def get_my_name(call: Call, method: GetMyName) -> Json:
    """Give the name in a language, or the default one."""
    bot = call.seat.bot
    return {"name": bot.names.get(_language(method)) or bot.names.get("") or bot.first_name}


async def get_my_description(call: Call, method: GetMyDescription) -> Json:
    """Give the description in a language, or the default one."""
    texts = call.seat.bot.descriptions
    return {"description": texts.get(_language(method)) or texts.get("", "")}


async def get_my_short_description(call: Call, method: GetMyShortDescription) -> Json:
    """Give the short description in a language, or the default one."""
    texts = call.seat.bot.short_descriptions
    return {"short_description": texts.get(_language(method)) or texts.get("", "")}


async def set_my_commands(call: Call, method: SetMyCommands) -> bool:
    """Set the command menu of a scope and language."""
    if len(method.commands) > MAX_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    commands = [_command(given) for given in method.commands]
    if isinstance(method.scope, _OF_A_CHAT):
        call.chat(method.scope.chat_id)
    member = method.scope if isinstance(method.scope, BotCommandScopeChatMember) else None
    if member and member.user_id not in call.world.people:
        raise bad_request("user not found")
    call.seat.bot.commands[_scope(method)] = commands
    return _announce(call)


def _command(given: BotCommand) -> Json:
    name = _COMMAND.fullmatch(given.command)
    if name is None:
        raise bad_request("BOT_COMMAND_INVALID")
    if not 1 <= len(given.description) <= MAX_COMMAND_DESCRIPTION:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": name[1], "description": given.description}


async def get_my_commands(call: Call, method: GetMyCommands) -> list[Json]:
    """Give the commands of exactly this scope and language."""
    return call.seat.bot.commands.get(_scope(method), [])


async def delete_my_commands(call: Call, method: DeleteMyCommands) -> bool:
    """Remove the commands of exactly this scope and language."""
    call.seat.bot.commands.pop(_scope(method), None)
    return _announce(call)


async def set_chat_menu_button(call: Call, method: SetChatMenuButton) -> bool:
    """Set the button beside the composer; without a chat, for all of them."""
    chat_id = _private_chat_id(call, method.chat_id)
    button = method.menu_button
    shown: Json = (
        button.model_dump(mode="json", exclude_none=True) if button else {"type": "default"}
    )
    if isinstance(button, MenuButtonWebApp):
        if not button.text.strip():
            raise bad_request("menu button text must be non-empty")
        allow_http = call.world.settings.allow_http
        check_app_url(button.web_app.url, "menu button", allow_http=allow_http)
    call.seat.bot.menu_buttons[chat_id] = shown
    return _announce(call)


async def get_chat_menu_button(call: Call, method: GetChatMenuButton) -> Json:
    """Give the menu button of a chat, or of all."""
    return call.seat.bot.menu_button(_private_chat_id(call, method.chat_id))


def _private_chat_id(call: Call, chat_id: int | None) -> int:
    """Give the id of a private chat, 0 standing for all of them.

    Raises:
        ApiError: no such chat, or a group: those have no menu button.
    """
    if chat_id is None:
        return 0
    chat = call.chat(chat_id)
    if not chat.is_private:
        raise bad_request("chat not found")
    return chat.id
