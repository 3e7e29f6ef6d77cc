"""An echo bot that polls. `python -m playground --bot "python docs/examples/polling_bot.py"`."""

import os

import httpx

base = os.environ.get("BOT_API_BASE", "https://api.telegram.org")
api = httpx.Client(base_url=f"{base}/bot{os.environ['BOT_TOKEN']}/", timeout=60)
offset = 0

while True:
    asked = {"offset": offset, "timeout": 30, "allowed_updates": ["message"]}
    for update in api.post("getUpdates", json=asked).raise_for_status().json()["result"]:
        offset = update["update_id"] + 1
        chat, text = update["message"]["chat"]["id"], update["message"].get("text", "a file")
        answer = {"chat_id": chat, "text": f"You said: {text}"}
        api.post("sendMessage", json=answer).raise_for_status()
