"""Inline mode: questions typed behind a bot's name, the bots' answers, and what was chosen.

An answer is kept for its cache time, so that the same question is not asked twice; the messages
made of results are known by their inline_message_id for as long as they exist.
"""

import asyncio
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from playground.bounded import Bounded
from playground.errors import QUERY_TOO_OLD, bad_request
from playground.model import Bot, Chat, Content, Json, Media, MediaKind, Message, Person

ANSWER_WITHIN_S: Final = 30.0
_MAX_QUERIES: Final = 1000
_MAX_MESSAGES: Final = 10_000


@dataclass(frozen=True)
class InlineResult:
    """One row of an answer.

    Attributes:
        content: what is sent when it is chosen; where `file_url` is given, with that file.
        media: the file it shows, where the playground has it.
    """

    id: str
    type: str
    title: str
    description: str
    content: Content
    keyboard: Json | None = None
    media: Media | None = None
    file_url: str | None = None
    file_kind: MediaKind = "photo"
    thumbnail_url: str | None = None


@dataclass(frozen=True)
class InlineAnswer:
    """What a bot says to a question; `button` is the Bot API's InlineQueryResultsButton."""

    results: tuple[InlineResult, ...]
    next_offset: str = ""
    button: Json | None = None


@dataclass
class InlineQuery:
    """A question; `asked_at` in unix seconds."""

    id: str
    person: Person
    bot: Bot
    chat: Chat
    text: str
    offset: str
    asked_at: float
    answer: InlineAnswer | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def chat_type(self) -> str:
        """Say where it is typed, as the update does."""
        if not self.chat.is_private:
            return self.chat.kind
        return "sender" if self.bot in self.chat.bots else "private"


class InlineBook:
    """All questions, answers and inline messages, bounded in number."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._queries: Bounded[str, InlineQuery] = Bounded(_MAX_QUERIES)
        self._cache: Bounded[tuple[object, ...], tuple[float, InlineAnswer]] = Bounded(
            _MAX_QUERIES
        )
        self._messages: Bounded[str, Message] = Bounded(_MAX_MESSAGES)

    def ask(self, person: Person, bot: Bot, chat: Chat, text: str, offset: str) -> InlineQuery:
        """Note a question; where the cache knows the answer, it is answered already."""
        number = str(secrets.randbits(62))
        query = InlineQuery(number, person, bot, chat, text, offset, self._clock())
        self._queries.add(query.id, query)
        for reader in (person.id, None):
            kept = self._cache.get((bot.id, text, offset, reader))
            if kept and kept[0] > self._clock():
                self._give(query, kept[1])
        return query

    def waiting(self, bot: Bot, query_id: str) -> InlineQuery:
        """Find the question a bot wants to answer.

        Raises:
            ApiError: unknown, another bot's, or asked more than 30 seconds ago.
        """
        query = self._queries.get(query_id)
        late = query is None or query.asked_at + ANSWER_WITHIN_S < self._clock()
        if query is None or late or query.bot is not bot:
            raise bad_request(QUERY_TOO_OLD)
        return query

    def answer(
        self, query: InlineQuery, answer: InlineAnswer, cache_s: int, *, is_personal: bool
    ) -> None:
        """Answer a question, and the same question for `cache_s` seconds."""
        reader = query.person.id if is_personal else None
        key = (query.bot.id, query.text, query.offset, reader)
        if cache_s > 0:
            self._cache.add(key, (self._clock() + cache_s, answer))
        self._give(query, answer)

    def _give(self, query: InlineQuery, answer: InlineAnswer) -> None:
        query.answer = answer
        query.answered.set()

    def find(self, query_id: str, person: Person | None = None) -> InlineQuery:
        """Find a question, of one person or of anybody.

        Raises:
            ApiError: it is not known.
        """
        query = self._queries.get(query_id)
        if query is None or (person is not None and query.person is not person):
            raise bad_request("QUERY_ID_INVALID")
        return query

    def chosen(self, query: InlineQuery, result_id: str) -> InlineResult:
        """Find a result of an answer.

        Raises:
            ApiError: there is none of that id.
        """
        for result in query.answer.results if query.answer else ():
            if result.id == result_id:
                return result
        raise bad_request("RESULT_ID_INVALID")

    def remember(self, message: Message) -> None:
        """Know a message by its inline_message_id."""
        if message.inline_id:
            self._messages.add(message.inline_id, message)

    def message(self, bot: Bot, inline_id: str) -> Message:
        """Find a bot's own inline message.

        Raises:
            ApiError: there is none, or it is gone.
        """
        message = self._messages.get(inline_id)
        if (
            message is None
            or message.via is not bot
            or message.chat.messages.get(message.id) is not message
        ):
            raise bad_request("MESSAGE_ID_INVALID")
        return message


def new_inline_id() -> str:
    """Make an inline_message_id."""
    return urlsafe_b64encode(secrets.token_bytes(24)).decode()
