"""Everything that exists on this small Telegram, and the only code that changes it.

The Bot API side (`api`) and the people's side (`people`) both come here. Every change is told to
the page through the event log.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from playground import page_view
from playground.errors import ApiError, bad_request, forbidden
from playground.events import EventLog
from playground.files import FileStore
from playground.model import (
    Bot,
    CallbackQuery,
    Chat,
    Content,
    Json,
    Message,
    Person,
)
from playground.rates import Limits, RateLimiter
from playground.render import Renderer
from playground.updates import UpdateQueue

DEFAULT_TOKEN: Final = "12345:playground"  # noqa: S105 - public on purpose
_TOKEN: Final = re.compile(r"(\d{1,15}):([\w-]{1,64})", re.ASCII)
_EPOCH_2020_S: Final = 1_577_836_800
_GROUP_ID: Final = -1_001_000_000_001
_MAX_BOTS: Final = 20
_MAX_PEOPLE: Final = 100
_MAX_QUERIES: Final = 10_000


@dataclass(frozen=True)
class Settings:
    """What may be chosen when a world is made."""

    messages_per_chat: int = 1000
    callback_lifetime_s: float = 15.0
    limits: Limits = field(default_factory=Limits)
    bot_name: str = "Playground Bot"


@dataclass
class Webhook:
    """Where a bot wants its updates sent, and how the last attempts went."""

    url: str
    secret_token: str | None = None
    max_connections: int = 40
    last_error_date: int | None = None
    last_error_message: str | None = None


@dataclass
class Seat:
    """A bot with what belongs to it alone: its queue, its view of files, its webhook."""

    bot: Bot
    updates: UpdateQueue
    render: Renderer
    webhook: Webhook | None = None
    webhook_changed: asyncio.Event = field(default_factory=asyncio.Event)


class World:
    """People, bots, chats and messages in memory, bounded in number.

    Ids of messages and updates begin at the seconds since 2020, so that a bot which remembers
    ids over a restart of the playground never meets an old one with a new meaning.
    """

    def __init__(
        self,
        files: FileStore,
        settings: Settings | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.files = files
        self.settings = settings or Settings()
        self.clock = clock
        self._born = int(clock()) - _EPOCH_2020_S
        self.events = EventLog(first_number=self._born)
        self.rates = RateLimiter(self.settings.limits, monotonic)
        self.people: dict[int, Person] = {}
        self.seats: dict[int, Seat] = {}
        self.chats: dict[str, Chat] = {}
        self._queries: dict[str, CallbackQuery] = {}
        group = Chat(
            "group", _GROUP_ID, "supergroup", [], [], self._born, title="Friends", started=True
        )
        self.chats[group.key] = group

    def seat(self, token: str) -> Seat:
        """Give the bot of a token; a well-formed token of a new bot id creates that bot.

        Raises:
            ApiError: 401 for a malformed token, or another secret than the bot's first one.
        """
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise ApiError(401, "Unauthorized: invalid token specified")
        seat = self.seats.get(int(match[1]))
        if seat is None and len(self.seats) < _MAX_BOTS:
            seat = self._add_bot(token, int(match[1]))
        if seat is None or not secrets.compare_digest(seat.bot.token, token):
            raise ApiError(401, "Unauthorized")
        return seat

    def _add_bot(self, token: str, bot_id: int) -> Seat:
        number = f"_{len(self.seats) + 1}" if self.seats else ""
        bot = Bot(bot_id, token, self.settings.bot_name, f"playground{number}_bot")
        seat = Seat(bot, UpdateQueue(self._born, self.clock), Renderer(bot, self.files))
        self.seats[bot_id] = seat
        for group in self.groups():
            group.bots.append(bot)
        for person in self.people.values():
            self._add_private_chat(person, bot)
        self.events.add("reload")
        return seat

    def add_person(self, name: str, language_code: str, username: str | None = None) -> Person:
        """Let somebody new in: a private chat with every bot, and a place in the group.

        Raises:
            ApiError: the playground is full.
        """
        if len(self.people) >= _MAX_PEOPLE:
            raise bad_request("there are too many people here")
        person = Person(700_000_001 + len(self.people), name, language_code, username)
        self.people[person.id] = person
        for group in self.groups():
            group.people.append(person)
        for seat in self.seats.values():
            self._add_private_chat(person, seat.bot)
        self.events.add("reload")
        return person

    def _add_private_chat(self, person: Person, bot: Bot) -> None:
        key = f"{bot.id}-{person.id}"
        self.chats[key] = Chat(key, person.id, "private", [person], [bot], self._born)

    def groups(self) -> list[Chat]:
        """All chats with more than two members."""
        return [chat for chat in self.chats.values() if not chat.is_private]

    def chat_for(self, seat: Seat, chat_id: int | str | None) -> Chat:
        """Find the chat a bot means.

        Raises:
            ApiError: no id, no such chat, or a person who never wrote or who blocked the bot.
        """
        if chat_id is None or chat_id == "":
            raise bad_request("chat_id is empty")
        number = str(chat_id)
        for group in self.groups():
            if number == str(group.id) and seat.bot in group.bots:
                return group
        chat = self.chats.get(f"{seat.bot.id}-{number}")
        if chat is None:
            raise bad_request("chat not found")
        if chat.blocked:
            raise forbidden("bot was blocked by the user")
        if not chat.started:
            raise forbidden("bot can't initiate conversation with a user")
        return chat

    def post(
        self,
        chat: Chat,
        sender: Person | Bot,
        content: Content,
        *,
        keyboard: Json | None = None,
        reply_to: Message | None = None,
        media_group_id: str | None = None,
        effect_id: str | None = None,
    ) -> Message:
        """Add a message to a chat; beyond the bound the oldest one goes."""
        message = Message(
            chat.next_message_id,
            chat,
            sender,
            int(self.clock()),
            content,
            keyboard,
            # Without its own original: a chain of replies would keep all messages alive.
            replace(reply_to, reply_to=None) if reply_to else None,
            media_group_id,
            effect_id=effect_id,
        )
        chat.next_message_id += 1
        chat.messages[message.id] = message
        while len(chat.messages) > self.settings.messages_per_chat:
            chat.messages.popitem(last=False)
        self.events.add("message", chat=chat.key, message=page_view.message(message))
        return message

    def edit(self, message: Message, content: Content, keyboard: Json | None) -> None:
        """Change a message; only a changed content marks it as edited.

        Raises:
            ApiError: nothing would change.
        """
        if content == message.content and keyboard == message.keyboard:
            raise bad_request(
                "message is not modified: specified new message content and reply markup are "
                "exactly the same as a current content and reply markup of the message"
            )
        if content != message.content:
            message.edit_date = int(self.clock())
        message.content = content
        message.keyboard = keyboard
        self.announce_edit(message)

    def announce_edit(self, message: Message) -> None:
        """Tell the page that a message looks different now."""
        shown = page_view.message(message)
        self.events.add("edited", chat=message.chat.key, message=shown)

    def delete(self, chat: Chat, message_ids: Iterable[int]) -> None:
        """Remove messages; those already gone do not matter."""
        gone = [number for number in message_ids if chat.messages.pop(number, None)]
        if gone:
            self.events.add("deleted", chat=chat.key, messages=gone)

    def set_reply_keyboard(self, chat: Chat, keyboard: Json | None) -> None:
        """Show another keyboard under the composer, or none."""
        chat.reply_keyboard = keyboard
        self.events.add("reply_keyboard", chat=chat.key, keyboard=keyboard)

    def open_query(self, person: Person, message: Message, data: str) -> CallbackQuery:
        """Note a pressed button; the bot has a limited time to answer."""
        expires_at = self.clock() + self.settings.callback_lifetime_s
        query = CallbackQuery(str(secrets.randbits(62)), person, message, data, expires_at)
        self._queries[query.id] = query
        if len(self._queries) > _MAX_QUERIES:
            self._queries.pop(next(iter(self._queries)))
        return query

    def close_query(self, seat: Seat, query_id: str) -> CallbackQuery:
        """Take a pressed button for answering; each can be answered once and in time.

        Raises:
            ApiError: unknown, another bot's, answered already, or too old.
        """
        query = self._queries.get(query_id)
        mine = query is not None and seat.bot in query.message.chat.bots
        if query is None or not mine or query.expires_at < self.clock():
            raise bad_request(
                "query is too old and response timeout expired or query ID is invalid"
            )
        return self._queries.pop(query_id)

    def expire_queries(self) -> int:
        """Let all waiting buttons grow too old at once; returns how many."""
        count = len(self._queries)
        self._queries.clear()
        return count

    def close(self) -> None:
        """Let go of everybody who waits: the server stops."""
        self.events.close()
        for seat in self.seats.values():
            seat.updates.close()


def populate(world: World, token: str) -> Seat:
    """Fill a new world: one bot, two people of different languages, one group."""
    seat = world.seat(token)
    world.add_person("Alice", "en", "alice")
    world.add_person("Мария", "ru", "maria")
    return seat
