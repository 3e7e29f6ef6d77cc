"""What a bot says about itself, and what it may know about chats and people."""

from typing import Any

import pytest

from tests.playground.client import ALICE, GROUP, MARIA, Api
from tests.playground.conformance.cases import Case, only, refuses, takes

TEXTS = {
    "Name": ("name", 64, "BOT_TITLE_INVALID"),
    "Description": ("description", 512, "BOT_DESCRIPTION_INVALID"),
    "ShortDescription": ("short_description", 120, "BOT_SHORT_DESCRIPTION_INVALID"),
}
LANGUAGE = "invalid language code specified"

OF_ITSELF = [
    case
    for name, (field, limit, sentence) in TEXTS.items()
    for case in (
        takes(f"setMy{name}", f"{limit} characters", shows=True, **only(field, "я" * limit)),
        takes(f"setMy{name}", "none, which removes it", shows=True),
        takes(f"setMy{name}", "a language", shows=True, language_code="ru", **only(field, "x")),
        refuses(
            f"setMy{name}", f"{limit + 1} characters", sentence, **only(field, "x" * (limit + 1))
        ),
        refuses(
            f"setMy{name}", "no language", LANGUAGE, language_code="english", **only(field, "x")
        ),
        takes(f"getMy{name}", "no language", shows={field: None}),
        takes(f"getMy{name}", "a language", shows={field: None}, language_code="ru"),
        refuses(f"getMy{name}", "what is no language", LANGUAGE, language_code="RU"),
    )
]


def command(name: str = "help", description: str = "what I can do") -> dict[str, str]:
    return {"command": name, "description": description}


def commands(what: str, *given: dict[str, str], **more: Any) -> Case:
    return takes("setMyCommands", what, shows=True, commands=list(given), **more)


def no_commands(what: str, sentence: str, *given: dict[str, str], **more: Any) -> Case:
    return refuses("setMyCommands", what, sentence, commands=list(given), **more)


COMMANDS = [
    commands("100 commands", *(command(f"c{number}") for number in range(100))),
    commands("a name of 1 character", command("x")),
    commands("a name of 32 characters", command("x" * 32)),
    commands("a name with a stroke", command("/help")),
    commands("a description of 1 character", command(description="x")),
    commands("a description of 256 characters", command(description="я" * 256)),
    commands("a chat's commands", command(), scope={"type": "chat", "chat_id": ALICE}),
    no_commands("101 commands", "BOT_COMMANDS_TOO_MUCH", *[command()] * 101),
    no_commands("an empty name", "BOT_COMMAND_INVALID", command("")),
    no_commands("a name of 33 characters", "BOT_COMMAND_INVALID", command("x" * 33)),
    no_commands("capitals", "BOT_COMMAND_INVALID", command("Help")),
    no_commands("another alphabet", "BOT_COMMAND_INVALID", command("помощь")),
    no_commands("no description", "BOT_COMMAND_DESCRIPTION_INVALID", command(description="")),
    no_commands("257 characters of description", "BOT_COMMAND_DESCRIPTION_INVALID",
                command(description="x" * 257)),
    no_commands("an unknown chat", "chat not found", command(),
                scope={"type": "chat", "chat_id": 4242}),
    no_commands("what is no language", LANGUAGE, command(), language_code="eng"),
    refuses("setMyCommands", "no commands at all", "commands are not specified"),
    takes("getMyCommands", "nothing", shows=[]),
    takes("getMyCommands", "a scope", shows=[], scope={"type": "all_private_chats"}),
    refuses("getMyCommands", "what is no language", LANGUAGE, language_code="eng"),
    takes("deleteMyCommands", "nothing", shows=True),
    refuses("deleteMyCommands", "what is no language", LANGUAGE, language_code="eng"),
]  # fmt: skip


def menu_app(url: str) -> dict[str, Any]:
    return {"type": "web_app", "text": "Open", "web_app": {"url": url}}


MENU = [
    takes("setChatMenuButton", "commands", shows=True, menu_button={"type": "commands"}),
    takes("setChatMenuButton", "a Mini App over https", shows=True, chat_id=ALICE,
          menu_button=menu_app("https://e.com")),
    takes("setChatMenuButton", "nothing, which restores it", shows=True),
    refuses("setChatMenuButton", "an unknown chat", "chat not found", chat_id=4242,
            menu_button={"type": "commands"}),
    takes("getChatMenuButton", "no chat", shows={"type": "commands"}),
    takes("getChatMenuButton", "a chat", shows={"type": "commands"}, chat_id=ALICE),
]  # fmt: skip

CHATS = [
    takes("getChat", "a person", shows={"id": ALICE, "type": "private", "first_name": "Alice"},
          chat_id=ALICE),
    takes("getChat", "a group", shows={"id": GROUP, "type": "supergroup", "title": "Friends"},
          chat_id=GROUP),
    refuses("getChat", "an unknown chat", "chat not found", chat_id=4242),
    refuses("getChat", "no chat", "chat_id is empty"),
    takes("getChatMember", "the person of a chat", shows={"status": "member"}, chat_id=ALICE,
          user_id=ALICE),
    takes("getChatMember", "who made a group", shows={"status": "creator"}, chat_id=GROUP,
          user_id=ALICE),
    takes("getChatMember", "a member of a group", shows={"status": "member"}, chat_id=GROUP,
          user_id=MARIA),
    takes("getChatMember", "the bot itself", shows={"user": {"is_bot": True}}, chat_id=GROUP,
          user_id=12345),
    takes("getChatMember", "who is not there", shows={"status": "left"}, chat_id=ALICE,
          user_id=MARIA),
    refuses("getChatMember", "nobody", "user not found", chat_id=GROUP, user_id=4242),
    refuses("getChatMember", "no user", "invalid user_id specified", chat_id=GROUP),
    refuses("getChatMember", "an unknown chat", "chat not found", chat_id=4242, user_id=ALICE),
]  # fmt: skip

CASES = [*OF_ITSELF, *COMMANDS, *MENU, *CHATS]


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_the_profile_is_kept_as_by_telegram(case: Case, api: Api) -> None:
    await case.check(api)


async def test_a_language_has_its_own_texts_and_falls_back_on_the_default(api: Api) -> None:
    for name, (field, _, _) in TEXTS.items():
        await api.call(f"setMy{name}", **only(field, "Bot"))
        await api.call(f"setMy{name}", **only(field, "Бот"), language_code="ru")
        shown = [
            (await api.call(f"getMy{name}", language_code=code))[field]
            for code in ("", "ru", "de")
        ]
        assert shown == ["Bot", "Бот", "Bot"]
