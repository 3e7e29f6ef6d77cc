from typing import Any

import pytest

from tests.playground.client import ALICE, GROUP, MARIA, Api


@pytest.mark.parametrize(
    ("what", "field", "limit"),
    [
        ("Name", "name", 64),
        ("Description", "description", 512),
        ("ShortDescription", "short_description", 120),
    ],
)
async def test_texts_are_kept_per_language(api: Api, what: str, field: str, limit: int) -> None:
    full = "x" * limit
    named: dict[str, Any] = {field: full}
    russian: dict[str, Any] = {field: "по-русски", "language_code": "ru"}
    await api.call(f"setMy{what}", **named)
    await api.call(f"setMy{what}", **russian)
    assert (await api.call(f"getMy{what}"))[field] == full
    assert (await api.call(f"getMy{what}", language_code="ru"))[field] == "по-русски"
    await api.call(f"setMy{what}", language_code="ru")
    assert (await api.call(f"getMy{what}", language_code="ru"))[field] == full
    longer: dict[str, Any] = {field: full + "x"}
    assert "INVALID" in await api.refused(f"setMy{what}", **longer)
    russian["language_code"] = "russian"
    wrong = await api.refused(f"setMy{what}", **russian)
    assert wrong == "Bad Request: invalid language code specified"


def command(name: str = "go", description: str = "d") -> dict[str, str]:
    return {"command": name, "description": description}


@pytest.mark.parametrize(
    ("commands", "sentence"),
    [
        ([command(f"c{n}") for n in range(101)], "BOT_COMMANDS_TOO_MUCH"),
        ([command("Go")], "BOT_COMMAND_INVALID"),
        ([command("x" * 33)], "BOT_COMMAND_INVALID"),
        ([command(description="")], "BOT_COMMAND_DESCRIPTION_INVALID"),
        ([command(description="x" * 257)], "BOT_COMMAND_DESCRIPTION_INVALID"),
    ],
)
async def test_wrong_commands_are_refused(
    api: Api, commands: list[dict[str, str]], sentence: str
) -> None:
    refusal = await api.refused("setMyCommands", commands=commands)
    assert refusal == f"Bad Request: {sentence}"


async def test_commands_are_kept_per_scope(api: Api) -> None:
    largest = [command("x" * 32, "x" * 256)] * 100
    scope = {"type": "all_private_chats"}
    await api.call("setMyCommands", commands=largest, scope=scope)
    assert await api.call("getMyCommands") == []
    assert await api.call("getMyCommands", scope=scope) == largest
    await api.call("deleteMyCommands", scope=scope)
    assert await api.call("getMyCommands", scope=scope) == []


async def test_the_menu_button_may_differ_in_one_chat(api: Api) -> None:
    app = {"type": "web_app", "text": "Draw", "web_app": {"url": "https://e.com/"}}
    await api.call("setChatMenuButton", chat_id=ALICE, menu_button=app)
    assert await api.call("getChatMenuButton", chat_id=ALICE) == app
    assert await api.call("getChatMenuButton") == {"type": "commands"}
    app["web_app"] = {"url": "http://e.com/"}
    assert "Only HTTPS" in await api.refused("setChatMenuButton", menu_button=app)


async def test_members_are_known(api: Api) -> None:
    group = await api.call("getChat", chat_id=GROUP)
    assert group["type"] == "supergroup"
    assert group["title"] == "Friends"
    status = {
        user: (await api.call("getChatMember", chat_id=GROUP, user_id=user))["status"]
        for user in (ALICE, MARIA, 12345)
    }
    assert status == {ALICE: "creator", MARIA: "member", 12345: "member"}
    left = await api.call("getChatMember", chat_id=ALICE, user_id=MARIA)
    assert left["status"] == "left"
    assert "user not found" in await api.refused("getChatMember", chat_id=GROUP, user_id=1)


async def test_commands_are_kept_only_for_chats_and_people_that_exist(api: Api) -> None:
    commands = [{"command": "help", "description": "x"}]
    for scope, sentence in (
        ({"type": "chat", "chat_id": 5}, "Bad Request: chat not found"),
        ({"type": "chat_member", "chat_id": GROUP, "user_id": 5}, "Bad Request: user not found"),
    ):
        assert await api.refused("setMyCommands", commands=commands, scope=scope) == sentence
    scope = {"type": "chat", "chat_id": ALICE}
    assert await api.call("setMyCommands", commands=commands, scope=scope)
    assert await api.call("getMyCommands", scope=scope) == commands
