"""Mini Apps: opened from every place there is, with data the bot can trust, and answering."""

import json
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from aiogram.utils.web_app import safe_parse_webapp_init_data

from playground.server import Playground
from tests.playground.client import ALICE, GROUP, Api, button, keyboard
from tests.playground.conftest import Clock

PAGE = "https://example.com/app?job=7"


def launch(address: str) -> dict[str, str]:
    """The launch parameters behind an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).fragment).items()}


async def from_button(api: Api, url: str = PAGE) -> Any:
    """Let Alice open the Mini App of a button under a message."""
    rows = keyboard([{"text": "Paint", "web_app": {"url": url}}])
    sent = await api.call("sendMessage", chat_id=ALICE, text="x", reply_markup=rows)
    place = {"message_id": sent["message_id"], "row": 0, "column": 0}
    return await api.act(web_app={"source": "button", **place})


async def from_keyboard(api: Api) -> Any:
    """Let Alice open the Mini App of a button of the reply keyboard."""
    rows = {"keyboard": [[{"text": "Choose", "web_app": {"url": PAGE}}]]}
    await api.call("sendMessage", chat_id=ALICE, text="x", reply_markup=rows)
    return await api.act(web_app={"source": "keyboard"})


async def test_the_bot_can_check_who_opened_it(api: Api, clock: Clock) -> None:
    app = await from_button(api)
    assert app["url"].startswith(f"{PAGE}#tgWebAppData=")
    assert (app["title"], app["can_send_data"]) == ("Playground Bot", False)
    parameters = launch(app["url"])
    assert parameters["tgWebAppPlatform"] == "weba"
    data = safe_parse_webapp_init_data(api.token, parameters["tgWebAppData"])
    assert data.user
    assert (data.user.id, data.user.language_code) == (ALICE, "en")
    assert data.query_id == app["query_id"]
    assert data.auth_date.timestamp() == int(clock.now)
    with pytest.raises(ValueError, match="Invalid init data"):
        safe_parse_webapp_init_data("777:other", parameters["tgWebAppData"])


async def test_a_premium_person_of_any_name_is_signed_truly(
    api: Api, playground: Playground
) -> None:
    person = playground.world.add_person("Ёж & <=>", "ru", "hedgehog", is_premium=True)
    chat = f"12345-{person.id}"
    await api.act(person=person.id, chat=chat, text="/start")
    assert (await api.updates())[0]["message"]["from"]["is_premium"] is True
    await api.call("setChatMenuButton", menu_button=menu())
    app = await api.act(person=person.id, chat=chat, web_app={"source": "menu"})
    data = launch(app["url"])["tgWebAppData"]
    assert safe_parse_webapp_init_data(api.token, data)
    user = json.loads(dict(parse_qsl(data, keep_blank_values=True))["user"])
    assert (user["first_name"], user["is_premium"]) == ("Ёж & <=>", True)


def menu(url: str = PAGE) -> dict[str, Any]:
    return {"type": "web_app", "text": "Studio", "web_app": {"url": url}}


async def test_the_menu_button_opens_one_and_is_each_chats_own(api: Api) -> None:
    response = await api.control("send", web_app={"source": "menu"})
    assert response.status_code == 400
    await api.call("setChatMenuButton", menu_button=menu())
    await api.call("setChatMenuButton", chat_id=ALICE, menu_button=menu(f"{PAGE}&mine=1"))
    app = await api.act(web_app={"source": "menu"})
    assert app["url"].startswith(f"{PAGE}&mine=1#")
    assert app["query_id"]
    await api.call("setChatMenuButton", chat_id=ALICE, menu_button={"type": "default"})
    assert (await api.act(web_app={"source": "menu"}))["url"].startswith(f"{PAGE}#")
    assert (await api.call("getChatMenuButton", chat_id=ALICE))["type"] == "web_app"
    state = (await api.http.get(f"{api.base}/page/state")).json()
    assert state["bots"][0]["menu_buttons"] == {"": menu()}


async def test_the_bot_answers_in_the_persons_name_once(api: Api) -> None:
    app = await from_button(api)
    rows = keyboard([button("more")])
    content = {"message_text": "painted"}
    result = {"type": "article", "id": "1", "title": "x", "input_message_content": content}
    fields = {"web_app_query_id": app["query_id"], "result": {**result, "reply_markup": rows}}
    sent = await api.call("answerWebAppQuery", **fields)
    assert await api.call("editMessageText", text="better", **sent)
    message = (await api.updates())[0]["message"]
    assert (message["text"], message["from"]["id"]) == ("painted", ALICE)
    assert message["via_bot"]["is_bot"] is True
    assert await api.refused("answerWebAppQuery", **fields) == "Bad Request: QUERY_ID_INVALID"
    again = await from_button(api)
    fields = {"web_app_query_id": again["query_id"], "result": result}
    async with Api(api.base, "777:other") as other:
        assert "QUERY_ID_INVALID" in await other.refused("answerWebAppQuery", **fields)
    assert await api.call("answerWebAppQuery", **fields) == {}


async def test_the_keyboards_app_sends_its_data_and_closes(api: Api) -> None:
    app = await from_keyboard(api)
    assert app["can_send_data"] is True
    assert "tgWebAppData" not in launch(app["url"])
    [shown] = (await api.act(web_app_data={"app": app["app"], "data": "я" * 2048}))["messages"]
    assert shown["service"] == {
        "kind": "web_app_data",
        "button_text": "Choose",
        "data_bytes": 4096,
    }
    data = (await api.updates())[0]["message"]["web_app_data"]
    assert data == {"data": "я" * 2048, "button_text": "Choose"}
    again = await api.control("send", web_app_data={"app": app["app"], "data": "x"})
    assert "not open" in again.json()["description"]


@pytest.mark.parametrize("data", ["", "x" * 4097])
async def test_data_has_1_to_4096_bytes(api: Api, data: str) -> None:
    app = await from_keyboard(api)
    response = await api.control("send", web_app_data={"app": app["app"], "data": data})
    assert response.json()["description"] == "Bad Request: DATA_INVALID"


async def test_an_app_of_a_message_sends_no_data(api: Api) -> None:
    app = await from_button(api)
    response = await api.control("send", web_app_data={"app": app["app"], "data": "x"})
    assert response.status_code == 400
    await api.act(close_app={"app": app["app"]})
    assert (await api.control("send", close_app={"app": app["app"]})).status_code == 400


async def test_the_button_above_inline_results_opens_one(api: Api) -> None:
    query = (await api.act(inline={"bot": 12345, "query": "x"}))["query"]
    top = {"text": "Studio", "web_app": {"url": PAGE}}
    await api.call("answerInlineQuery", inline_query_id=query, results=[], button=top)
    app = await api.act(web_app={"source": "inline", "query": query})
    assert app["query_id"] is None
    assert safe_parse_webapp_init_data(api.token, launch(app["url"])["tgWebAppData"]).user


@pytest.mark.parametrize(
    "url", ["http://example.com", "ftp://example.com", "https://", "x", "//["]
)
async def test_an_app_has_an_https_address(api: Api, url: str) -> None:
    rows = keyboard([{"text": "a", "web_app": {"url": url}}])
    below = {"keyboard": [[{"text": "a", "web_app": {"url": url}}]]}
    for markup in (rows, below):
        refusal = await api.refused("sendMessage", chat_id=ALICE, text="x", reply_markup=markup)
        assert f"Web App URL '{url}' is invalid" in refusal
    assert "is invalid" in await api.refused("setChatMenuButton", menu_button=menu(url))


async def test_a_group_has_no_apps(api: Api) -> None:
    rows = keyboard([{"text": "a", "web_app": {"url": PAGE}}])
    below = {"keyboard": [[{"text": "a", "web_app": {"url": PAGE}}]]}
    for markup in (rows, below):
        refusal = await api.refused("sendMessage", chat_id=GROUP, text="x", reply_markup=markup)
        assert refusal == "Bad Request: BUTTON_TYPE_INVALID"
    refusal = await api.refused("setChatMenuButton", chat_id=GROUP, menu_button=menu())
    assert refusal == "Bad Request: chat not found"


async def test_the_https_rule_can_be_waived(api: Api, playground: Playground) -> None:
    object.__setattr__(playground.world.settings, "allow_http", True)
    app = await from_button(api, "http://127.0.0.1:9/app#part")
    assert app["url"].startswith("http://127.0.0.1:9/app#part&tgWebAppData=")


async def test_the_page_may_frame_an_app(api: Api) -> None:
    policy = (await api.http.get(f"{api.base}/")).headers["Content-Security-Policy"]
    assert "frame-src http: https:" in policy
