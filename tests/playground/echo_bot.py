"""A bot of a few lines, written with plain HTTP: what the browser tests talk to."""

import asyncio
import json
from typing import Any

from tests.playground.client import Api, button, keyboard, picture

BUTTONS = keyboard(
    [button("Toast", "toast", style="primary"), button("Alert", "alert", style="danger")],
    [button("Edit", "edit", style="success"), {"text": "Off", "disabled": {}}],
)
MARKED = '<b>bold</b> <a href="https://example.com/">link</a> <tg-spoiler>secret</tg-spoiler>'


async def serve(api: Api) -> None:
    """Answer for ever."""
    offset = 0
    while True:
        for update in await api.call("getUpdates", offset=offset, timeout=20):
            offset = update["update_id"] + 1
            if "callback_query" in update:
                await press(api, update["callback_query"])
            else:
                await answer(api, update["message"])


async def press(api: Api, query: dict[str, Any]) -> None:
    chat, message = query["message"]["chat"]["id"], query["message"]["message_id"]
    asked, alert = query["data"], query["data"] == "alert"
    text = f"You pressed {asked}"
    await api.call(
        "answerCallbackQuery", callback_query_id=query["id"], text=text, show_alert=alert
    )
    if asked == "edit":
        media = {"type": "photo", "media": "attach://p", "caption": "now a photo"}
        files = {"p": ("p.png", picture(128, 128, "gold"))}
        await api.call("sendChatAction", chat_id=chat, action="upload_photo")
        await asyncio.sleep(0.3)
        await api.call("editMessageMedia", files, chat_id=chat, message_id=message, media=media)


async def answer(api: Api, message: dict[str, Any]) -> None:
    chat, text = message["chat"]["id"], message.get("text", "")
    if text == "buttons":
        await api.call("sendMessage", chat_id=chat, text="Choose", reply_markup=BUTTONS)
    elif text == "marked":
        await api.call("sendMessage", chat_id=chat, text=MARKED, parse_mode="HTML")
    elif text == "album":
        names = ["red", "green", "blue"]
        media = [{"type": "photo", "media": f"attach://{name}"} for name in names]
        files = {name: (f"{name}.png", picture(300, 200, name)) for name in names}
        await api.call("sendMediaGroup", files, chat_id=chat, media=media)
    elif text == "file":
        files = {"document": ("<img src=x onerror=alert(1)>.html", b"<script>alert(1)</script>")}
        await api.call("sendDocument", files, chat_id=chat, caption="a file")
    elif "photo" in message:
        content = await api.download(message["photo"][-1]["file_id"])
        files = {"photo": ("copy.jpg", content)}
        caption = message.get("caption", "no caption")
        await api.call("sendPhoto", files, chat_id=chat, caption=f"copy of {caption}")
    elif "document" in message:
        facts = json.dumps([message["document"]["file_name"], message["document"]["file_size"]])
        await api.call("sendMessage", chat_id=chat, text=facts)
    else:
        reply = {"message_id": message["message_id"]}
        await api.call("sendMessage", chat_id=chat, text=f"echo {text}", reply_parameters=reply)
