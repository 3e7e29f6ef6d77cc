"""Mini Apps: framed, signed, and answered in Telegram's web-app protocol."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Frame, Page, expect

from playground.world import DEFAULT_TOKEN
from tests.playground.client import ALICE, Api, eventually, keyboard
from tests.playground.page.axe import findings
from tests.playground.page.driver import ON_PAGE, heard

pytestmark = ON_PAGE

APP = Path(__file__).with_name("mini_app.html").read_text()


@pytest_asyncio.fixture(loop_scope="session")
async def app(api: Api) -> AsyncIterator[str]:
    """The address of a Mini App, on a server of its own."""

    async def serve(_request: web.Request) -> web.Response:
        return web.Response(text=APP, content_type="text/html")

    application = web.Application()
    application.router.add_get("/{path:.*}", serve)
    server = TestServer(application)
    await server.start_server()
    yield str(server.make_url("/app?mode=paint"))
    await server.close()


async def opened(page: Page) -> Frame:
    """The frame of the Mini App, once it has said that it is ready."""
    await expect(page.locator("dialog.webapp[data-ready]")).to_be_visible()
    frame = await (await page.query_selector("dialog.webapp iframe")).content_frame()  # type: ignore[union-attr]
    assert frame is not None
    return frame


async def by_button(page: Page, api: Api, app: str) -> Frame:
    keys = keyboard([{"text": "Paint", "web_app": {"url": app}}])
    await api.call("sendMessage", chat_id=ALICE, text="Paint here", reply_markup=keys)
    await page.locator(".message").get_by_role("button", name="Paint").click()
    return await opened(page)


async def told(frame: Frame, event: str) -> Any:
    """What the page told the app in its newest event of a kind."""
    found = "(kind) => last(kind) === undefined ? null : [last(kind)]"
    [said] = await eventually(lambda: frame.evaluate(found, event))
    return said


async def test_an_app_knows_who_opened_it_signed_for_its_bot(
    page: Page, api: Api, app: str
) -> None:
    frame = await by_button(page, api, app)
    assert frame.url.startswith(app + "#")
    given = dict(parse_qsl(frame.url.partition("#")[2]))
    data = dict(parse_qsl(given["tgWebAppData"], keep_blank_values=True))
    signature = data.pop("hash")
    text = "\n".join(f"{name}={value}" for name, value in sorted(data.items()))
    key = hmac.digest(b"WebAppData", DEFAULT_TOKEN.encode(), "sha256")
    assert hmac.new(key, text.encode(), hashlib.sha256).hexdigest() == signature
    assert json.loads(data["user"])["id"] == ALICE
    assert given["tgWebAppVersion"]
    assert json.loads(given["tgWebAppThemeParams"])["bg_color"] == "#ffffff"


async def test_an_app_cannot_reach_the_page(page: Page, api: Api, app: str) -> None:
    frame = await by_button(page, api, app)
    blocked = (
        "() => { try { return parent.document.title; } catch (error) { return error.name; } }"
    )
    assert await frame.evaluate(blocked) == "SecurityError"
    sandbox = await page.locator("dialog.webapp iframe").get_attribute("sandbox")
    assert "allow-top-navigation" not in str(sandbox)


async def test_the_buttons_below_an_app_are_the_apps(page: Page, api: Api, app: str) -> None:
    frame = await by_button(page, api, app)
    await expect(page.locator(".app-foot")).not_to_be_visible()
    main = {"is_visible": True, "is_active": True, "text": "APPLY <b>", "color": "#123456"}
    await frame.evaluate("(given) => tell('web_app_setup_main_button', given)", main)
    button = page.get_by_role("button", name="APPLY <b>")
    await expect(button).to_have_css("background-color", "rgb(18, 52, 86)")
    await button.click()
    await told(frame, "main_button_pressed")
    await frame.evaluate("tell('web_app_setup_main_button', {is_active: false})")
    await expect(button).to_be_disabled()
    second = {"is_visible": True, "is_active": True, "text": "Undo", "position": "top"}
    await frame.evaluate("(given) => tell('web_app_setup_secondary_button', given)", second)
    await page.get_by_role("button", name="Undo").click()
    await told(frame, "secondary_button_pressed")
    await frame.evaluate("tell('web_app_setup_back_button', {is_visible: true})")
    await page.get_by_role("button", name="Back", exact=True).click()
    await told(frame, "back_button_pressed")


async def test_an_app_learns_of_its_size_and_of_night(page: Page, api: Api, app: str) -> None:
    frame = await by_button(page, api, app)
    small = await told(frame, "viewport_changed")
    assert small["is_expanded"] is False
    await frame.evaluate("tell('web_app_expand')")
    await eventually(lambda: frame.evaluate("last('viewport_changed').is_expanded || null"))
    assert (await told(frame, "viewport_changed"))["height"] > small["height"]
    await page.emulate_media(color_scheme="dark")
    theme = await told(frame, "theme_changed")
    assert theme["theme_params"]["bg_color"] == "#212121"
    await frame.evaluate("tell('web_app_request_fullscreen')")
    assert (await told(frame, "fullscreen_changed"))["is_fullscreen"] is True


async def test_an_app_asks_by_a_popup(page: Page, api: Api, app: str) -> None:
    frame = await by_button(page, api, app)
    popup = {
        "title": "Sure?",
        "message": "<i>All</i> strokes go",
        "buttons": [{"id": "go", "type": "destructive", "text": "Erase"}, {"type": "cancel"}],
    }
    await frame.evaluate("(popup) => tell('web_app_open_popup', popup)", popup)
    await expect(page.locator("[data-popup]")).to_contain_text("<i>All</i> strokes go")
    await page.get_by_role("button", name="Erase").click()
    assert await told(frame, "popup_closed") == {"button_id": "go"}


async def test_an_app_that_asks_to_be_asked_is_not_closed_by_mistake(
    page: Page, api: Api, app: str
) -> None:
    frame = await by_button(page, api, app)
    await frame.evaluate("tell('web_app_setup_closing_behavior', {need_confirmation: true})")
    await page.get_by_role("button", name="Close", exact=True).click()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator("dialog.webapp")).to_be_visible()
    await page.get_by_role("button", name="Close", exact=True).click()
    await page.get_by_role("button", name="Close anyway").click()
    await expect(page.locator("dialog.webapp")).to_have_count(0)
    await expect(page.locator(".message").get_by_role("button", name="Paint")).to_be_focused()


async def test_an_app_of_the_keyboard_sends_its_data_and_closes(
    page: Page, api: Api, app: str
) -> None:
    answers = {"keyboard": [[{"text": "Draw", "web_app": {"url": app}}]]}
    await api.call("sendMessage", chat_id=ALICE, text="Draw", reply_markup=answers)
    await page.locator("[data-reply-keyboard]").get_by_role("button", name="Draw").click()
    frame = await opened(page)
    await frame.evaluate("tell('web_app_data_send', {data: 'three strokes'})")
    await expect(page.locator("dialog.webapp")).to_have_count(0)
    await expect(heard(page, "the app says three strokes")).to_be_visible()
    await expect(page.locator(".service")).to_contain_text("Data from the “Draw” button")


async def test_an_app_behind_a_button_has_no_way_to_send_data(
    page: Page, api: Api, app: str
) -> None:
    frame = await by_button(page, api, app)
    await frame.evaluate("tell('web_app_data_send', {data: 'forged'})")
    await frame.evaluate("tell('web_app_close')")
    await expect(page.locator("dialog.webapp")).to_have_count(0)
    await expect(page.locator(".service")).to_have_count(0)


async def test_the_menu_button_opens_the_bots_app(page: Page, api: Api, app: str) -> None:
    menu = {"type": "web_app", "text": "Studio", "web_app": {"url": app}}
    await api.call("setChatMenuButton", chat_id=ALICE, menu_button=menu)
    await page.get_by_role("button", name="Studio").click()
    frame = await opened(page)
    data = dict(parse_qsl(dict(parse_qsl(frame.url.partition("#")[2]))["tgWebAppData"]))
    result = {
        "type": "article",
        "id": "1",
        "title": "x",
        "input_message_content": {"message_text": "from the studio"},
    }
    await api.call("answerWebAppQuery", web_app_query_id=data["query_id"], result=result)
    await page.get_by_role("button", name="Close", exact=True).click()
    mine = page.locator(".message.out", has_text="from the studio")
    await expect(mine.locator(".via")).to_have_text("via @playground_bot")


async def test_what_a_browser_cannot_do_is_refused_not_left_open(
    page: Page, api: Api, app: str
) -> None:
    frame = await by_button(page, api, app)
    await frame.evaluate("tell('web_app_biometry_get_info')")
    assert await told(frame, "biometry_info_received") == {"available": False}
    await frame.evaluate("tell('web_app_device_storage_get_key', {req_id: '7', key: 'k'})")
    assert (await told(frame, "device_storage_failed"))["req_id"] == "7"
    await frame.evaluate("tell('no_such_event', {})")
    await frame.evaluate("parent.postMessage('{not json', '*')")
    await frame.evaluate("tell('constructor', {})")
    await frame.evaluate("tell('web_app_open_link', {url: 'javascript:alert(1)'})")
    await frame.evaluate("tell('web_app_open_link', {url: 'https://example.com/'})")
    await expect(page.locator("[data-popup]")).to_contain_text("https://example.com/")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_grave_around_an_app(
    page: Page, api: Api, app: str, scheme: str
) -> None:
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    frame = await by_button(page, api, app)
    main = {"is_visible": True, "is_active": True, "text": "Apply"}
    await frame.evaluate("(given) => tell('web_app_setup_main_button', given)", main)
    await frame.evaluate("(given) => tell('web_app_setup_secondary_button', given)", main)
    await expect(page.locator(".bottom-button").last).to_be_visible()
    assert await findings(page) == {}
