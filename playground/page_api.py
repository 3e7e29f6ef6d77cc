"""What the chat page asks for. It is no part of the Bot API and may change with the page."""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from aiohttp import web

from playground import page_view
from playground.acting import act
from playground.arguments import read_arguments
from playground.choosing import wait_for_answer
from playground.errors import bad_request
from playground.fetching import MAX_PHOTO_URL_BYTES, fetch
from playground.files import safe_file_name
from playground.given import integer
from playground.world import World

PAGE_OF_MESSAGES: Final = 50
_HEARTBEAT_S: Final = 15.0
_INLINE_TYPES: Final = {
    ".jpg": "image/jpeg",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mov": "video/quicktime",
    ".gif": "image/gif",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".m4a": "audio/mp4",
}
_PICTURES: Final = ("image/jpeg", "image/png", "image/webp", "image/gif")
_USERNAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{4,31}")
_NAME_LENGTH: Final = range(1, 65)


class PageApi:
    """State, history, events and acts of people, for one world."""

    def __init__(self, world: World, bot_command: str | None) -> None:
        self._world = world
        self._bot_command = bot_command

    def routes(self) -> list[web.RouteDef]:
        """List the addresses under `/page`."""
        return [
            web.get("/page/state", self.state),
            web.get("/page/events", self.events),
            web.get("/page/messages", self.messages),
            web.post("/page/act", self.act),
            web.post("/page/people", self.add_person),
            web.get("/page/inline", self.inline),
            web.get("/page/inline/thumbnail", self.thumbnail),
            web.get("/page/invoice", self.invoice),
            web.get("/page/file/{path:.+}", self.file),
        ]

    async def state(self, request: web.Request) -> web.Response:
        """Everything but history; of each chat only the newest message."""
        world = self._world
        seats = world.seats.values()
        first = next(iter(seats))
        return web.json_response(
            {
                "event": world.events.last_number,
                "people": [page_view.person(person) for person in world.people.values()],
                "bots": [page_view.bot(seat.bot) for seat in seats],
                "connected": [seat.bot.id for seat in seats if seat.updates.first_poll.is_set()],
                "chats": [page_view.chat(chat, newest=1) for chat in world.chats.values()],
                "api_base": f"http://{request.host}",
                "token": first.bot.token,
                "starts_bot": self._bot_command is not None,
            }
        )

    async def messages(self, request: web.Request) -> web.Response:
        """A page of a chat's history, oldest first: the newest, or one at a message.

        Of the numbers `before`, `after` and `around` at most one is given.
        """
        chat = self._world.chats.get(request.query.get("chat", ""))
        if chat is None:
            raise bad_request("chat not found")
        numbers = list(chat.messages)
        page = _page_of(numbers, request.query)
        return web.json_response(
            {
                "messages": [page_view.message(chat.messages[number]) for number in numbers[page]],
                "has_more": page.start > 0,
                "has_newer": page.stop < len(numbers),
            }
        )

    async def act(self, request: web.Request) -> web.Response:
        """Let a person write, send files or press a button."""
        return web.json_response(await act(self._world, await read_arguments(request)))

    async def add_person(self, request: web.Request) -> web.Response:
        """Let somebody new in."""
        fields = (await read_arguments(request)).fields
        name = str(fields.get("name", "")).strip()
        language = str(fields.get("language", "en"))
        if len(name) not in _NAME_LENGTH or not (language.isalpha() and len(language) == 2):
            raise bad_request("a name of 1 to 64 characters and a language code are needed")
        username = str(fields.get("username") or "").strip().removeprefix("@") or None
        if username and not _USERNAME.fullmatch(username):
            raise bad_request("a username has 5 to 32 letters, digits and underscores")
        premium = str(fields.get("premium", False)).lower() in {"true", "1", "on"}
        person = self._world.add_person(name, language, username, is_premium=premium)
        return web.json_response(page_view.person(person))

    async def inline(self, request: web.Request) -> web.Response:
        """Wait for a bot's answer to an inline query."""
        query = self._world.inline.find(request.query.get("query", ""))
        return web.json_response(await wait_for_answer(query))

    async def thumbnail(self, request: web.Request) -> web.Response:
        """Give the small picture that an inline result names by address, from this machine."""
        book = self._world.inline
        query = book.find(request.query.get("query", ""))
        result = book.chosen(query, request.query.get("result", ""))
        content, mime = await fetch(self._world, result.thumbnail_url or "", MAX_PHOTO_URL_BYTES)
        if mime not in _PICTURES:
            raise web.HTTPNotFound
        return web.Response(body=content, content_type=mime)

    async def invoice(self, request: web.Request) -> web.Response:
        """Show the invoice behind a link."""
        offered = self._world.till.offered(request.query.get("slug", ""))
        return web.json_response(page_view.invoice(offered))

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file for the page: pictures and videos shown, anything else only downloaded."""
        path = request.match_info["path"]
        on_disk = self._world.files.path_on_disk(path)
        if on_disk is None:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "private, max-age=31536000, immutable"}
        shown_as = None if path.startswith("documents/") else _INLINE_TYPES.get(Path(path).suffix)
        headers["Content-Type"] = shown_as or "application/octet-stream"
        if shown_as is None:
            name = quote(safe_file_name(request.query.get("name", "file")))
            headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
        return web.FileResponse(on_disk, headers=headers)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events from the last one the page knows."""
        known = request.headers.get("Last-Event-ID") or request.query.get("after", "0")
        after = integer(known, "after")
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        await response.write(b"retry: 1000\n\n")
        async for event in self._world.events.follow(after, _HEARTBEAT_S):
            if event is None:
                await response.write(b": still here\n\n")
            else:
                body = json.dumps(event.body)
                await response.write(f"id: {event.number}\ndata: {body}\n\n".encode())
        return response


def _page_of(numbers: list[int], query: Mapping[str, str]) -> slice:
    """Find the page of a history; `numbers` of messages are in ascending order."""
    if "after" in query:
        start = bisect_right(numbers, integer(query["after"], "after"))
    elif "around" in query:
        start = bisect_left(numbers, integer(query["around"], "around")) - PAGE_OF_MESSAGES // 2
    else:
        before = integer(query.get("before", 2**62), "before")
        stop = bisect_left(numbers, before)
        return slice(max(stop - PAGE_OF_MESSAGES, 0), stop)
    start = max(start, 0)
    return slice(start, min(start + PAGE_OF_MESSAGES, len(numbers)))
