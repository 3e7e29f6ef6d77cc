"""A Telegram in memory: it shows what a chat shows, and fails when it is told to."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, cast

from aiogram import Bot, Dispatcher
from aiogram.client.session.base import BaseSession
from aiogram.exceptions import TelegramNetworkError
from aiogram.methods import TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import InlineKeyboardMarkup, InputFile, Message, MessageEntity, Update

from bot.clock import Clock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "42:TEST"


class FakeClock(Clock):
    """Time that passes only when somebody sleeps; asleep, it passes at once."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, duration_s: float) -> None:
        self.slept.append(duration_s)
        self.now += duration_s
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Fault:
    """What a call meets instead of an answer.

    ``body`` and ``status`` are what the server says; without a body it says nothing at all. With
    ``is_done`` the call takes effect all the same, and only its answer is lost.
    """

    status: int = 200
    body: str | None = None
    is_done: bool = False


def refused(status: int, description: str, **parameters: int) -> Fault:
    body = {"ok": False, "error_code": status, "description": description}
    return Fault(status, json.dumps({**body, "parameters": parameters}))


def slow_down(retry_after_s: int) -> Fault:
    return refused(429, "Too Many Requests", retry_after=retry_after_s)


GARBAGE = Fault(200, "<html>502</html>")
SILENCE = Fault()
DONE_BUT_UNHEARD = Fault(is_done=True)
BLOCKED = refused(403, "Forbidden: bot was blocked by the user")


@dataclass
class Shown:
    """A message as its chat shows it."""

    id: int
    text: str = ""
    entities: list[MessageEntity] = field(default_factory=list)
    media: str | None = None
    content: str = ""
    buttons: dict[str, str] = field(default_factory=dict)
    reply_to: int | None = None
    album: str | None = None


class RecordingSession(BaseSession):
    """Telegram's side of the Bot API, as much of it as the bot uses.

    Attributes:
        calls: every method that reached it, in order.
        chats: what each chat shows now.
        faults: what the next calls of an API method meet.
        files: what can be downloaded, by file id; an exception breaks the download off.
        before: called with every method before it takes effect; may raise.
        after: called with every method after it took effect; may raise.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[TelegramMethod[Any]] = []
        self.chats: dict[int, dict[int, Shown]] = defaultdict(dict)
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.files: dict[str, bytes | Exception] = {}
        self.before: Callable[[TelegramMethod[Any]], None] = lambda _method: None
        self.after: Callable[[TelegramMethod[Any]], None] = lambda _method: None
        self.updates: deque[list[dict[str, Any]]] = deque()
        self.profile: dict[tuple[str | None, ...], Any] = {}
        self._ids = count(1000)

    def meets(self, name: str, *faults: Fault) -> None:
        self.faults[name].extend(faults)

    def names(self) -> list[str]:
        return [method.__api_method__ for method in self.calls]

    def toasts(self) -> list[str]:
        return [
            method.text or ""
            for method in cast("list[Any]", self.calls)
            if method.__api_method__ == "answerCallbackQuery"
        ]

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: int | None = None,  # noqa: ASYNC109 - aiogram's signature
    ) -> TelegramType:
        self.calls.append(method)
        self.before(method)
        name = method.__api_method__
        waiting = self.faults[name]
        fault = waiting.popleft() if waiting else None
        if fault is not None and not fault.is_done:
            return self._answered(bot, method, fault)
        status, body = self._perform(name, cast("Any", method))
        self.after(method)
        if fault is not None:
            return self._answered(bot, method, fault)
        return self._answered(bot, method, Fault(status, json.dumps(body)))

    def _answered(
        self, bot: Bot, method: TelegramMethod[TelegramType], fault: Fault
    ) -> TelegramType:
        if fault.body is None:
            raise TelegramNetworkError(method=method, message="Request timeout error")
        response = self.check_response(bot, method, fault.status, fault.body)
        return cast("TelegramType", response.result)

    def _perform(self, name: str, method: Any) -> tuple[int, dict[str, Any]]:
        act = getattr(self, f"_{name}", None)
        result = act(method) if act else True
        if isinstance(result, str):
            return 400, {"ok": False, "description": f"Bad Request: {result}"}
        return 200, {"ok": True, "result": result}

    def _getMe(self, method: Any) -> Any:  # noqa: N802 - an API method's name
        return {"id": 42, "is_bot": True, "first_name": "Bot", "username": "test_bot"}

    def _getUpdates(self, method: Any) -> Any:  # noqa: N802
        return self.updates.popleft() if self.updates else []

    def _setMyCommands(self, method: Any) -> Any:  # noqa: N802
        menu = [command.model_dump() for command in method.commands]
        self.profile["commands", method.scope.type, method.language_code] = menu
        return True

    def _getMyCommands(self, method: Any) -> Any:  # noqa: N802
        return self.profile.get(("commands", method.scope.type, method.language_code), [])

    def _setMyDescription(self, method: Any) -> Any:  # noqa: N802
        self.profile["long", method.language_code] = method.description
        return True

    def _getMyDescription(self, method: Any) -> Any:  # noqa: N802
        return {"description": self.profile.get(("long", method.language_code), "")}

    def _setMyShortDescription(self, method: Any) -> Any:  # noqa: N802
        self.profile["short", method.language_code] = method.short_description
        return True

    def _getMyShortDescription(self, method: Any) -> Any:  # noqa: N802
        return {"short_description": self.profile.get(("short", method.language_code), "")}

    def _getFile(self, method: Any) -> Any:  # noqa: N802
        if method.file_id not in self.files:
            return "wrong file_id or the file is temporarily unavailable"
        return {"file_id": method.file_id, "file_unique_id": "u", "file_path": method.file_id}

    def _sendMessage(self, method: Any) -> Any:  # noqa: N802
        shown = self._new(method)
        shown.text, shown.entities = method.text, method.entities or []
        return self._as_json(method.chat_id, shown)

    def _sendDocument(self, method: Any) -> Any:  # noqa: N802
        shown = self._new(method)
        shown.media, shown.content = "document", _content(method.document)
        return self._as_json(method.chat_id, shown)

    def _sendMediaGroup(self, method: Any) -> Any:  # noqa: N802
        album = f"album {next(self._ids)}"
        answer = []
        for item in method.media:
            shown = self._new(method)
            shown.media, shown.content, shown.album = item.type, _content(item.media), album
            answer.append(self._as_json(method.chat_id, shown))
        return answer

    def _editMessageText(self, method: Any) -> Any:  # noqa: N802
        shown = self.chats[method.chat_id].get(method.message_id)
        if shown is None:
            return "message to edit not found"
        if shown.media is not None:
            return "there is no text in the message to edit"
        return self._edited(method, shown, method.text, method.entities)

    def _editMessageCaption(self, method: Any) -> Any:  # noqa: N802
        shown = self.chats[method.chat_id].get(method.message_id)
        if shown is None:
            return "message to edit not found"
        if shown.media is None:
            return "there is no caption in the message to edit"
        return self._edited(method, shown, method.caption, method.caption_entities)

    def _editMessageMedia(self, method: Any) -> Any:  # noqa: N802
        shown = self.chats[method.chat_id].get(method.message_id)
        if shown is None:
            return "message to edit not found"
        shown.media, shown.content = method.media.type, _content(method.media.media)
        return self._edited(method, shown, method.media.caption, method.media.caption_entities)

    def _deleteMessage(self, method: Any) -> Any:  # noqa: N802
        if self.chats[method.chat_id].pop(method.message_id, None) is None:
            return "message to delete not found"
        return True

    def _edited(self, method: Any, shown: Shown, text: str, entities: Any) -> Any:
        now = (text, entities or [], _buttons(method.reply_markup), shown.media, shown.content)
        was = (shown.text, shown.entities, shown.buttons, None, None)
        if shown.media is None and now[:3] == was[:3]:
            return "message is not modified: specified new message content is the same"
        shown.text, shown.entities, shown.buttons = now[:3]
        return self._as_json(method.chat_id, shown)

    def _new(self, method: Any) -> Shown:
        reply = method.reply_parameters
        shown = Shown(
            id=next(self._ids),
            buttons=_buttons(getattr(method, "reply_markup", None)),
            reply_to=reply.message_id if reply else None,
        )
        self.chats[method.chat_id][shown.id] = shown
        return shown

    def _as_json(self, chat_id: int, shown: Shown) -> dict[str, Any]:
        size = {"file_unique_id": "u", "file_id": f"id of {shown.content}"}
        media: dict[str, Any] = {"text": shown.text}
        if shown.media == "photo":
            media = {"photo": [{**size, "width": 64, "height": 64}]}
        elif shown.media == "document":
            media = {"document": size}
        return {
            "message_id": shown.id,
            "date": int(NOW.timestamp()),
            "chat": _chat(chat_id),
            "from": {"id": 42, "is_bot": True, "first_name": "Bot"},
            **media,
        }

    async def close(self) -> None: ...

    async def stream_content(self, url: str, *_: Any, **__: Any) -> AsyncGenerator[bytes, None]:
        data = self.files[url.rpartition("/")[2]]
        if isinstance(data, Exception):
            raise data
        for start in range(0, len(data), 65_536):
            yield data[start : start + 65_536]


def _content(file: Any) -> str:
    if isinstance(file, InputFile):
        return cast("Any", file).data.decode(errors="replace")  # type: ignore[no-any-return]
    return str(file)


def _buttons(markup: Any) -> dict[str, str]:
    if not isinstance(markup, InlineKeyboardMarkup):
        return {}
    return {b.text: b.callback_data or "" for row in markup.inline_keyboard for b in row}


def _chat(chat_id: int) -> dict[str, Any]:
    if chat_id > 0:
        return {"id": chat_id, "type": "private", "first_name": "Vera"}
    return {"id": chat_id, "type": "supergroup", "title": "Friends"}


class Chatter:
    """One person in one chat with the bot: in private, or in a group if ``chat_id`` says so."""

    _ids = count(1)

    def __init__(
        self,
        dispatcher: Dispatcher,
        bot: Bot,
        session: RecordingSession,
        *,
        user_id: int = 7,
        chat_id: int | None = None,
        language: str = "en",
    ) -> None:
        self._dispatcher, self._bot, self._session = dispatcher, bot, session
        self.user_id = user_id
        self.chat_id = user_id if chat_id is None else chat_id
        self.language = language

    @property
    def sees(self) -> list[Shown]:
        """What the chat shows of the bot, oldest first."""
        return list(self._session.chats[self.chat_id].values())

    @property
    def last(self) -> Shown:
        return self.sees[-1]

    async def says(self, text: str, **fields: Any) -> int:
        return await self.sends(text=text, **fields)

    async def sends(self, **fields: Any) -> int:
        """Send a message of any kind; returns its number in the chat."""
        number = next(self._ids)
        await self.feed({"message": self.message(number, **fields)})
        return number

    async def sends_album(self, *members: dict[str, Any]) -> list[int]:
        """Send messages as one album; the first with a caption is handled, as the inbox does."""
        numbers = [next(self._ids) for _ in members]
        group = {"media_group_id": f"album {numbers[0]}"}
        raw = [
            self.message(number, **group, **fields)
            for number, fields in zip(numbers, members, strict=True)
        ]
        album = tuple(Message.model_validate(one, context={"bot": self._bot}) for one in raw)
        speaking = next((one for one in raw if one.get("caption")), raw[0])
        await self.feed({"message": speaking}, album=album)
        return numbers

    async def presses(self, label: str, on: Shown | None = None, *, query: str = "") -> str:
        """Press the button that begins with, or ends with, ``label``; returns the toast."""
        target = on or next(m for m in reversed(self.sees) if self._data(m, label))
        return await self.presses_data(self._data(target, label), target.id, query=query)

    async def presses_data(self, data: str, message_id: int, *, query: str = "") -> str:
        before = len(self._session.toasts())
        where = {**self.message(message_id), "from": {"id": 42, "is_bot": True, "first_name": "B"}}
        await self.feed(
            {
                "callback_query": {
                    "id": query or f"query {next(self._ids)}",
                    "from": self._me(),
                    "chat_instance": "1",
                    "message": where,
                    "data": data,
                }
            }
        )
        [toast] = self._session.toasts()[before:]
        return toast

    async def feed(self, update: dict[str, Any], **context: Any) -> None:
        raw = {"update_id": next(self._ids), **update}
        typed = Update.model_validate(raw, context={"bot": self._bot})
        await self._dispatcher.feed_update(self._bot, typed, **context)

    def message(self, number: int, **fields: Any) -> dict[str, Any]:
        return {
            "message_id": number,
            "date": int(NOW.timestamp()),
            "chat": _chat(self.chat_id),
            "from": self._me(),
            **fields,
        }

    def _me(self) -> dict[str, Any]:
        return {
            "id": self.user_id,
            "is_bot": False,
            "first_name": "Vera",
            "language_code": self.language,
        }

    @staticmethod
    def _data(message: Shown, label: str) -> str:
        found = (data for text, data in message.buttons.items() if label in text)
        return next(found, "")
