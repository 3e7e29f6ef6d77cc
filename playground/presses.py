"""Pressed buttons that wait for their bots: each is answered once, and in time."""

import secrets
from collections.abc import Callable
from typing import Final

from playground.bounded import Bounded
from playground.errors import QUERY_TOO_OLD, bad_request
from playground.model import Bot, CallbackQuery, Message, Person

_MAX_WAITING: Final = 10_000


class Presses:
    """All callback queries not answered yet, bounded in number."""

    def __init__(self, lifetime_s: float, clock: Callable[[], float]) -> None:
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._waiting: Bounded[str, CallbackQuery] = Bounded(_MAX_WAITING)

    def open(self, person: Person, message: Message, data: str) -> CallbackQuery:
        """Note a pressed button; the bot has a limited time to answer.

        Raises:
            ApiError: no bot stands behind the message.
        """
        bot = message.author
        if not isinstance(bot, Bot):
            raise bad_request("the button does not call back")
        expires_at = self._clock() + self._lifetime_s
        number = str(secrets.randbits(62))
        query = CallbackQuery(number, person, bot, message, data, expires_at)
        self._waiting.add(query.id, query)
        return query

    def answer(self, bot: Bot, query_id: str) -> CallbackQuery:
        """Take a pressed button out, for its bot to answer.

        Raises:
            ApiError: unknown, another bot's, answered already, or too old.
        """
        query = self._waiting.get(query_id)
        if query is None or query.bot is not bot or query.expires_at < self._clock():
            raise bad_request(QUERY_TOO_OLD)
        self._waiting.pop(query_id)
        return query

    def expire(self) -> int:
        """Let all that wait grow too old at once; returns how many."""
        waiting = self._waiting.keys()
        for query_id in waiting:
            self._waiting.pop(query_id)
        return len(waiting)
