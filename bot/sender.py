"""Everything the bot sends passes through here: paced, repeated only where that is harmless.

What may be repeated and what may not is the heart of it. An edit, a deletion or an answer that is
done twice leaves the chat as it was after the first time; a message sent twice is there twice. So
when Telegram's reply to a *send* is lost, the send is not repeated: whoever asked for it is told
so (:class:`SendUnknown`) and decides.

Some calls are stale before they could be repeated, such as a step of a drawing's progress: made
inside ``with once():`` a call meets its fault at once, whatever kind it is of. What Telegram asks
of the chat, such as silence, is kept all the same.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, cast

from aiogram import Bot
from aiogram.client.session.middlewares.base import (
    BaseRequestMiddleware,
    NextRequestMiddlewareType,
)
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import Response, SendMediaGroup, TelegramMethod
from aiogram.methods.base import TelegramType
from aiohttp import ClientConnectorError, ConnectionTimeoutError

from bot.clock import Clock
from bot.jobs.ports import ChatGone

logger = logging.getLogger(__name__)

BACKOFF_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Waits between the attempts of a harmless call; one attempt more than waits."""

_INTRODUCTION: Final = ("Commands", "Description", "ShortDescription")
_PASSED_ON: Final = frozenset(
    {"getMe", "getUpdates", "setWebhook", "deleteWebhook"}
    | {f"{verb}My{what}" for verb in ("get", "set") for what in _INTRODUCTION}
)
"""Receiving (``bot.inbox``) and introducing ourselves (``bot.greeting``) have their own rules."""
_NEVER_LEFT: Final = (ClientConnectorError, ConnectionTimeoutError)
_SENDS: Final = ("send", "copy", "forward")
_GONE: Final = ("chat not found", "user is deactivated", "PEER_ID_INVALID")
_LOST: Final = ("message to edit not found", "message can't be edited", "MESSAGE_ID_INVALID")
_DONE_ALREADY: Final = (
    "message is not modified",
    "message to delete not found",
    "query is too old",
    "query ID is invalid",
)
_OTHER_KIND: Final = ("there is no text in the message", "there is no caption in the message")


_is_once: Final = ContextVar("is_once", default=False)


@contextmanager
def once() -> Iterator[None]:
    """Let no call inside be repeated, nor one made by what is awaited there."""
    token = _is_once.set(True)
    try:
        yield
    finally:
        _is_once.reset(token)


class SendUnknown(Exception):
    """A message was handed to Telegram and no answer came: it may be there, or not."""


class CardLost(Exception):
    """The message to edit is not there any more, or may not be edited."""


class CardIsOtherKind(Exception):
    """A text was to be edited and the message shows media, or the other way round."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """``burst`` messages at once, then ``per_second``."""

    burst: float
    per_second: float


OVERALL: Final = Allowance(30, 30)
PER_CHAT: Final = Allowance(5, 1)
PER_GROUP: Final = Allowance(20, 20 / 60)
"""What Telegram's FAQ asks for; its own limits are not published, and 429 has the last word."""

_BUCKETS_KEPT: Final = 10_000


class _Bucket:
    def __init__(self, allowance: Allowance, now: float) -> None:
        self.allowance = allowance
        self.tokens = allowance.burst
        self.counted_at = now

    def wait_s(self, now: float) -> float:
        grown = (now - self.counted_at) * self.allowance.per_second
        self.tokens = min(self.allowance.burst, self.tokens + grown)
        self.counted_at = now
        return max(0.0, 1 - self.tokens) / self.allowance.per_second


class Pace:
    """Two limiters, one per chat and one overall, and the pauses Telegram asked for.

    A place in the line is taken at once, so callers are served in the order they came.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._overall = _Bucket(OVERALL, clock.monotonic())
        self._chats: dict[int | str, list[_Bucket]] = {}
        self._held_until: dict[int | str | None, float] = {}

    async def turn(self, chat: int | str | None, messages: int = 1) -> None:
        """Wait until ``messages`` may be sent to ``chat`` (None: to no chat), and count them."""
        now = self._clock.monotonic()
        buckets = self._buckets(chat, now)
        wait_s = max(bucket.wait_s(now) for bucket in buckets)
        for bucket in buckets:
            bucket.tokens -= messages
        await self._rest(chat, now + wait_s)

    async def ready(self, chat: int | str) -> None:
        """Wait until something could be sent to ``chat`` now; nothing is counted."""
        now = self._clock.monotonic()
        wait_s = max(bucket.wait_s(now) for bucket in self._buckets(chat, now))
        await self._rest(chat, now + wait_s)

    def hold(self, chat: int | str | None, duration_s: float) -> None:
        """Send nothing to ``chat`` for a while; None stands for the calls that have no chat."""
        until = self._clock.monotonic() + duration_s
        self._held_until[chat] = max(until, self._held_until.get(chat, 0))

    async def _rest(self, chat: int | str | None, until: float) -> None:
        while True:
            now = self._clock.monotonic()
            until = max(until, self._held_until.get(chat, 0))
            # A sleep may end a rounding error early; that is no reason for another one.
            if until - now < 1e-6:
                break
            await self._clock.sleep(until - now)
        for scope in [scope for scope, end in self._held_until.items() if end <= now]:
            del self._held_until[scope]

    def _buckets(self, chat: int | str | None, now: float) -> list[_Bucket]:
        if chat is None:
            return [self._overall]
        if chat not in self._chats:
            self._forget_idle(now)
            is_group = not isinstance(chat, int) or chat < 0
            limits = [PER_CHAT, PER_GROUP] if is_group else [PER_CHAT]
            self._chats[chat] = [_Bucket(limit, now) for limit in limits]
        return [self._overall, *self._chats[chat]]

    def _forget_idle(self, now: float) -> None:
        if len(self._chats) < _BUCKETS_KEPT:
            return
        for chat, buckets in list(self._chats.items()):
            if all(b.wait_s(now) == 0 and b.tokens >= b.allowance.burst for b in buckets):
                del self._chats[chat]


class Sender(BaseRequestMiddleware):
    """The request middleware with the rules. Attach it to a bot's session once."""

    def __init__(self, clock: Clock) -> None:
        self.pace = Pace(clock)
        self._clock = clock

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        """Send ``method`` by the rules.

        Raises:
            ChatGone: nobody reads there any more.
            CardLost: the message to edit is gone.
            CardIsOtherKind: its text was edited where it has a caption, or the other way round.
            SendUnknown: a send whose fate is not known.
            TelegramAPIError: anything else Telegram refused, after the repeats that are harmless;
                inside :func:`once` before any.
        """
        if method.__api_method__ in _PASSED_ON:
            return await make_request(bot, method)
        faults = 0
        while True:
            chat: int | str | None = getattr(method, "chat_id", None)
            await self.pace.turn(chat, _messages(method))
            try:
                return await make_request(bot, method)
            except TelegramRetryAfter as fault:
                logger.warning("Telegram asks for %s s of silence in %s", fault.retry_after, chat)
                self.pace.hold(chat, fault.retry_after)
                if _is_once.get():
                    raise
            except TelegramMigrateToChat as fault:
                method = method.model_copy(update={"chat_id": fault.migrate_to_chat_id})
            except TelegramBadRequest as fault:
                return _done_already(fault)
            except TelegramForbiddenError as fault:
                raise ChatGone(fault.message) from fault
            except (TelegramServerError, TelegramNetworkError, ClientDecodeError) as fault:
                faults += 1
                await self._after_fault(method, fault, faults)

    async def _after_fault(
        self, method: TelegramMethod[Any], fault: Exception, faults: int
    ) -> None:
        """Wait before the next attempt, or raise when there must be none."""
        if isinstance(fault, TelegramEntityTooLarge):
            raise fault
        never_left = isinstance(fault.__cause__, _NEVER_LEFT)
        if method.__api_method__.startswith(_SENDS) and not never_left:
            raise SendUnknown(f"{method.__api_method__}: {fault}") from fault
        if _is_once.get() or faults > len(BACKOFF_S):
            raise fault
        logger.info("%s will be repeated: %s", method.__api_method__, fault)
        await self._clock.sleep(BACKOFF_S[faults - 1])


def _messages(method: TelegramMethod[Any]) -> int:
    return len(method.media) if isinstance(method, SendMediaGroup) else 1


def _done_already(fault: TelegramBadRequest) -> Response[Any]:
    """Tell the refusals that mean success from the others.

    Returns:
        ``True``, which is what Telegram answers where it has no message to give.
    """

    def says(*phrases: str) -> bool:
        return any(phrase.lower() in fault.message.lower() for phrase in phrases)

    if says(*_DONE_ALREADY):
        return cast("Response[Any]", True)
    if says(*_GONE):
        raise ChatGone(fault.message) from fault
    if says(*_LOST):
        raise CardLost(fault.message) from fault
    if says(*_OTHER_KIND):
        raise CardIsOtherKind(fault.message) from fault
    raise fault
