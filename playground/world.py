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
from typing import Final, TypedDict, Unpack

from playground import page_view
from playground.drafts import Drafts
from playground.errors import ApiError, bad_request, forbidden
from playground.events import EventLog
from playground.files import MAX_STORED_BYTES, FileStore
from playground.inline import InlineBook
from playground.mini_apps import AppDesk
from playground.model import (
    Bot,
    Chat,
    Content,
    Json,
    Message,
    Origin,
    Person,
)
from playground.payments import Till
from playground.presses import Presses
from playground.rates import Limits, RateLimiter
from playground.render import Renderer
from playground.updates import UpdateQueue

DEFAULT_TOKEN: Final = "12345:playground"  # noqa: S105 - public on purpose
_TOKEN: Final = re.compile(r"(\d{1,15}):([\w-]{1,64})", re.ASCII)
_EPOCH_2020_S: Final = 1_577_836_800
_GROUP_ID: Final = -1_001_000_000_001
_MAX_BOTS: Final = 20
_MAX_PEOPLE: Final = 100


@dataclass(frozen=True)
class Settings:
    """What may be chosen when a world is made."""

    messages_per_chat: int = 1000
    callback_lifetime_s: float = 15.0
    checkout_lifetime_s: float = 10.0
    stored_bytes: int = MAX_STORED_BYTES
    limits: Limits = field(default_factory=Limits)
    bot_name: str = "Playground Bot"
    allow_http: bool = False  # for webhooks and Mini Apps, as Telegram's test servers do
    fetches: bool = True  # files by address, from this machine


@dataclass
class Webhook:
    """Where a bot wants its updates sent, and how the last attempts went."""

    url: str
    secret_token: str | None = None
    max_connections: int = 40
    last_error_date: int | None = None
    last_error_message: str | None = None
    gone_since: float | None = None  # when it first answered 410, with nothing better since
    replaced: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Seat:
    """A bot with what belongs to it alone: its queue, its view of files, its webhook."""

    bot: Bot
    updates: UpdateQueue
    render: Renderer
    webhook: Webhook | None = None

    def set_webhook(self, hook: Webhook | None) -> None:
        """Deliver to another address from now on, or to none."""
        if self.webhook:
            self.webhook.replaced.set()
        self.webhook = hook
        self.updates.changes += 1
        self.updates.news.set()


class Marks(TypedDict, total=False):
    """What a new message may have beside its content; see `Message`."""

    keyboard: Json | None
    reply_to: Message | None
    media_group_id: str | None
    effect_id: str | None
    forwarded: Origin | None
    via: Bot | None
    inline_id: str | None
    is_protected: bool


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
        self._monotonic = monotonic
        self.born = int(clock()) - _EPOCH_2020_S
        # In milliseconds, and so ahead of all that a world before this one has told its pages.
        self.events = EventLog(first_number=int((clock() - _EPOCH_2020_S) * 1000))
        self.rates = RateLimiter(self.settings.limits, monotonic)
        self.people: dict[int, Person] = {}
        self.deactivated: set[int] = set()  # ids of people whose account is no more
        self.seats: dict[int, Seat] = {}
        self.chats: dict[str, Chat] = {}
        self.inline = InlineBook(clock)
        self.apps = AppDesk(clock)
        self.till = Till(clock)
        self.drafts = Drafts(clock)
        self.presses = Presses(self.settings.callback_lifetime_s, clock)
        group = Chat(
            "group", _GROUP_ID, "supergroup", [], [], self.born, title="Friends", started=True
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
        seat = self.take_seat(bot)
        for group in self.groups():
            group.bots.append(bot)
        for person in self.people.values():
            self._add_private_chat(person, bot)
        self.events.add("reload")
        return seat

    def take_seat(self, bot: Bot) -> Seat:
        """Give a bot what belongs to it alone, but no chats yet."""
        updates = UpdateQueue(self.born, self.clock, self._monotonic)
        seat = self.seats[bot.id] = Seat(bot, updates, Renderer(bot, self.files))
        return seat

    def add_person(
        self,
        name: str,
        language_code: str,
        username: str | None = None,
        *,
        is_premium: bool = False,
    ) -> Person:
        """Let somebody new in: a private chat with every bot, and a place in the group.

        Raises:
            ApiError: the playground is full, or the username is taken.
        """
        if username and any(known.username == username for known in self.people.values()):
            raise bad_request("the username is taken")
        if len(self.people) >= _MAX_PEOPLE:
            raise bad_request("there are too many people here")
        person = Person(700_000_001 + len(self.people), name, language_code, username, is_premium)
        self.people[person.id] = person
        for group in self.groups():
            group.people.append(person)
        for seat in self.seats.values():
            self._add_private_chat(person, seat.bot)
        self.events.add("reload")
        return person

    def _add_private_chat(self, person: Person, bot: Bot) -> None:
        key = f"{bot.id}-{person.id}"
        self.chats[key] = Chat(key, person.id, "private", [person], [bot], self.born)

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
                if seat.bot.id in group.kicked:
                    raise forbidden("bot was kicked from the supergroup chat")
                return group
        chat = self.chats.get(f"{seat.bot.id}-{number}")
        if chat is None:
            raise bad_request("chat not found")
        if chat.people[0].id in self.deactivated:
            raise forbidden("user is deactivated")
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
        **marks: Unpack[Marks],
    ) -> Message:
        """Add a message to a chat; beyond the bound the oldest one goes."""
        if original := marks.get("reply_to"):
            # Without its own original: a chain of replies would keep all messages alive.
            marks["reply_to"] = replace(original, reply_to=None)
        number, date = chat.next_message_id, int(self.clock())
        message = Message(number, chat, sender, date, content, **marks)
        chat.next_message_id += 1
        chat.messages[message.id] = message
        if isinstance(sender, Bot):
            self.drafts.end(chat.key)
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
        """Tell the page that a message looks different now, unless it is gone."""
        if message.chat.messages.get(message.id) is message:
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

    def close(self) -> None:
        """Let go of everybody who waits: the server stops."""
        self.events.close()
        for seat in self.seats.values():
            seat.updates.close()


def new_album_id() -> str:
    """Make a media_group_id."""
    return str(secrets.randbits(60))


def populate(world: World, token: str) -> Seat:
    """Fill a world where nobody is yet: one bot, two people of different languages, one group."""
    seat = world.seat(token)
    if not world.people:
        world.add_person("Alice", "en", "alice")
        world.add_person("Мария", "ru", "maria")
    return seat
