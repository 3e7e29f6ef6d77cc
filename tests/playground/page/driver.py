"""What the browser tests share: how a person types, chooses and looks."""

import os
import shutil
from typing import Any, Final

import pytest
from playwright.async_api import FilePayload, Locator, Page, Route

from tests.playground.client import ALICE, Api, picture

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
ON_PAGE: Final = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(
        CHROMIUM is None and "CI" not in os.environ, reason="no chromium on this machine"
    ),
]
REFUSED: Final = "status of 429"  # what a browser says of `not_now`
PHONE: Final = {"width": 360, "height": 740}
PRIVATE: Final = f"12345-{ALICE}"


async def say(page: Page, text: str) -> None:
    await page.fill("#composer", text)
    await page.press("#composer", "Enter")


def heard(page: Page, text: str) -> Locator:
    """The bot's newest message that holds a text."""
    return page.locator(".message.in", has_text=text).last


def numbered(page: Page, message: dict[str, Any]) -> Locator:
    """The bubble of a message the Bot API gave."""
    return page.locator(f".message[data-message-id='{message['message_id']}']")


async def say_lines(page: Page, api: Api, count: int) -> Locator:
    """Let the bot send numbered lines; finds the first of them, once the page has it."""
    sent = [
        await api.call("sendMessage", chat_id=ALICE, text=f"line {number}")
        for number in range(count)
    ]
    return numbered(page, sent[0])


def pictures(*names: str) -> list[FilePayload]:
    """Small pictures to choose in the page's file picker."""
    return [{"name": name, "mimeType": "image/png", "buffer": picture(80, 60)} for name in names]


async def open_menu(page: Page, message: Locator, choice: str) -> None:
    """Right-click a message and choose something."""
    await message.locator(".bubble").click(button="right", position={"x": 12, "y": 12})
    await page.get_by_role("menuitem", name=choice).click()


async def not_now(route: Route) -> None:
    """Refuse what the page asks for."""
    await route.fulfill(status=429, body='{"description": "Not now"}')


async def record(page: Page) -> bytes:
    """A film of a second's fraction, made by the browser itself."""
    content: list[int] = await page.evaluate(
        """async () => {
            const canvas = document.createElement("canvas");
            Object.assign(canvas, {width: 160, height: 120});
            const pen = canvas.getContext("2d");
            const recorder = new MediaRecorder(canvas.captureStream(20), {mimeType: "video/webm"});
            const parts = [];
            recorder.ondataavailable = (event) => parts.push(event.data);
            const done = new Promise((resolve) => { recorder.onstop = resolve; });
            recorder.start();
            for (let frame = 0; frame < 8; frame += 1) {
                pen.fillStyle = `hsl(${frame * 40} 80% 50%)`;
                pen.fillRect(0, 0, 160, 120);
                await new Promise((resolve) => setTimeout(resolve, 50));
            }
            recorder.stop();
            await done;
            return [...new Uint8Array(await new Blob(parts).arrayBuffer())];
        }"""
    )
    return bytes(content)
