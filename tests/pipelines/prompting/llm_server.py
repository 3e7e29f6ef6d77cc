"""A language model's server on this machine: OpenAI's chat completions over real sockets."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Exchange"], None]


class Exchange:
    """One request at the server, and the ways to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> None:
        self._handler = handler
        self.asked = asked

    @property
    def sentence(self) -> str:
        """What the user typed."""
        return str(self.asked["messages"][-1]["content"])

    def respond(self, body: bytes, status: int = 200, **headers: str) -> None:
        self._handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()
        self._handler.wfile.write(body)

    def write(self, data: bytes) -> None:
        self._handler.wfile.write(data)
        self._handler.wfile.flush()

    def begin(self, length: int) -> None:
        """Send a head that promises so many bytes."""
        self._handler.send_response(200)
        self._handler.send_header("Content-Length", str(length))
        self._handler.end_headers()

    def cut(self) -> None:
        self._handler.connection.close()


def completion(text: str | None, finish_reason: str = "stop", **message: str) -> bytes:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, **message},
        "finish_reason": finish_reason,
    }
    return json.dumps({"object": "chat.completion", "choices": [choice], "usage": {}}).encode()


def saying(text: str | None, finish_reason: str = "stop", **message: str) -> Behaviour:
    return lambda exchange: exchange.respond(completion(text, finish_reason, **message))


def responding(body: bytes, status: int = 200, **headers: str) -> Behaviour:
    return lambda exchange: exchange.respond(body, status, **headers)


def trickling(exchange: Exchange) -> None:
    """Send a blank now and then, for ever: no read ever takes long."""
    exchange.begin(10**6)
    while True:
        exchange.write(b" ")
        time.sleep(0.02)


def flooding(exchange: Exchange) -> None:
    """Send as fast as it goes, for ever."""
    exchange.begin(10**12)
    while True:
        exchange.write(b" " * 65536)


def cutting(exchange: Exchange) -> None:
    """Leave in the middle of an answer."""
    exchange.begin(1000)
    exchange.write(b'{"choices": [')
    exchange.cut()


class LanguageServer:
    """What it was asked, and how it behaves next.

    Attributes:
        url: up to and with /v1.
        asked: every request's JSON.
        headers: of each POST.
        models: the body and status it answers with when asked for its models.
        left: set once a client has left in the middle of an answer.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.behave: Behaviour = saying("a blue square on a white background")
        self.models: tuple[bytes, int] = (json.dumps({"data": [{"id": "chatty"}]}).encode(), 200)
        self.left = threading.Event()


@contextmanager
def language_server() -> Iterator[LanguageServer]:
    """Serve on a free port until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body, status = town.models if self.path == "/v1/models" else (b"", 404)
            Exchange(self, {}).respond(body, status)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/v1/chat/completions":
                self.send_error(404)
                return
            town.asked.append(json.loads(body))
            town.headers.append(dict(self.headers))
            self.close_connection = True
            try:
                town.behave(Exchange(self, town.asked[-1]))
            except OSError:
                town.left.set()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

        def finish(self) -> None:
            with suppress(OSError):
                super().finish()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    town = LanguageServer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield town
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
