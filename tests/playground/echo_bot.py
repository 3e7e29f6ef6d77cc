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
        for update in await api.call("getUpdates", offset=offset, timeout=5):
            offset = update["update_id"] + 1
            for kind, handle in HANDLERS.items():
                if kind in update:
                    await handle(api, update[kind])


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
    elif "web_app_data" in message:
        said = message["web_app_data"]["data"]
        await api.call("sendMessage", chat_id=chat, text=f"the app says {said}")
    elif "successful_payment" in message:
        await api.call("sendMessage", chat_id=chat, text="thanks for the stars")
    elif "video" in message or "animation" in message:
        kind = "video" if "video" in message else "animation"
        await api.call("sendMessage", chat_id=chat, text=f"a fine {kind}")
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


async def find(api: Api, query: dict[str, Any]) -> None:
    """Answer an inline query: nothing, one picture after another, or two texts."""
    asked = query["query"]
    if asked == "nothing":
        results = []
    else:
        results = [
            {
                "type": "article",
                "id": f"{name}{query['offset']}",
                "title": f"{name} {asked}{query['offset']}",
                "description": f"say it {name}",
                "input_message_content": {"message_text": f"{asked}, said {name}"},
            }
            for name in ("loudly", "softly")
        ]
    await api.call(
        "answerInlineQuery",
        inline_query_id=query["id"],
        results=results,
        next_offset="2" if asked == "much" and not query["offset"] else "",
        cache_time=0,
    )


async def check_out(api: Api, query: dict[str, Any]) -> None:
    """Take every payment but one."""
    refusal = {"ok": False, "error_message": "Sold out"}
    taken = refusal if query["invoice_payload"] == "sold out" else {"ok": True}
    await api.call("answerPreCheckoutQuery", pre_checkout_query_id=query["id"], **taken)


async def stop(api: Api, stopped: dict[str, Any]) -> None:
    text = f"stopped {stopped['draft_id']}"
    await api.call("sendMessage", chat_id=stopped["chat"]["id"], text=text)


HANDLERS = {
    "message": answer,
    "callback_query": press,
    "inline_query": find,
    "pre_checkout_query": check_out,
    "stopped_message_generation": stop,
}
