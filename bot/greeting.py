"""What Telegram itself shows of the bot: its commands and descriptions, in every language."""

import logging
from collections.abc import Sequence
from typing import Final

from aiogram import Bot
from aiogram.exceptions import AiogramError
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
)

from bot.commands import GENERAL
from bot.flows import Flow
from bot.texts import DEFAULT_LANGUAGE, Languages, Texts

logger = logging.getLogger(__name__)

_ONLY_PRIVATE: Final = frozenset({"start", "settings"})


async def introduce(bot: Bot, languages: Languages, flows: Sequence[Flow]) -> None:
    """Register what differs; a bot that cannot still works, so failures are only logged.

    Telegram allows few of these calls a day, and programs are restarted often: so nothing is
    written that is so already, and nothing is repeated.
    """
    try:
        for name in languages.names:
            await _introduce_in(bot, languages[name], flows)
    except AiogramError as fault:
        logger.warning("commands and descriptions were not registered: %s", fault)


async def _introduce_in(bot: Bot, texts: Texts, flows: Sequence[Flow]) -> None:
    """Without a language code, for those whose language has no texts; else for one language."""
    code = None if texts.language == DEFAULT_LANGUAGE else texts.language
    private = commands(texts, flows)
    group = [command for command in private if command.command not in _ONLY_PRIVATE]
    scopes = (BotCommandScopeAllPrivateChats(), private), (BotCommandScopeAllGroupChats(), group)
    for scope, menu in scopes:
        known = await bot.get_my_commands(scope, language_code=code)
        if _words(known) != _words(menu):
            await bot.set_my_commands(menu, scope, language_code=code)
    pictures = "yes" if any(flow.lead for flow in flows) else "no"
    long = texts("bot-description", pictures=pictures)
    short = texts("bot-short-description", pictures=pictures)
    if (await bot.get_my_description(language_code=code)).description != long:
        await bot.set_my_description(long, language_code=code)
    if (await bot.get_my_short_description(language_code=code)).short_description != short:
        await bot.set_my_short_description(short, language_code=code)


def _words(menu: Sequence[BotCommand]) -> list[tuple[str, str]]:
    return [(command.command, command.description) for command in menu]


def commands(texts: Texts, flows: Sequence[Flow]) -> list[BotCommand]:
    """List what can be typed: first the modes, and of these first those that need no picture."""
    of_modes = [
        BotCommand(
            command=flow.command,
            description=texts(f"{flow.mode.replace('_', '-')}-command"),
        )
        for flow in sorted(flows, key=lambda flow: flow.lead is not None)
    ]
    general = [BotCommand(command=name, description=texts(f"command-{name}")) for name in GENERAL]
    return of_modes + general
