"""An echo bot with a webhook, which answers with a method in the body of its reply.

`python -m playground --allow-http --bot "python docs/examples/webhook_bot.py"`
"""

import json
import os
import secrets
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx

base = os.environ.get("BOT_API_BASE", "https://api.telegram.org")
secret = secrets.token_urlsafe()


class Hook(BaseHTTPRequestHandler):
    """Takes updates from whoever knows the secret."""

    def do_POST(self) -> None:
        """Take one update."""
        if self.headers["X-Telegram-Bot-Api-Secret-Token"] != secret:
            self.send_error(403)
            return
        update = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        chat, text = update["message"]["chat"]["id"], update["message"].get("text", "a file")
        answer = {"method": "sendMessage", "chat_id": chat, "text": f"You said: {text}"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())


server = HTTPServer(("127.0.0.1", 0), Hook)
asked = {"url": f"http://127.0.0.1:{server.server_port}/", "secret_token": secret}
httpx.post(f"{base}/bot{os.environ['BOT_TOKEN']}/setWebhook", json=asked).raise_for_status()
server.serve_forever()
