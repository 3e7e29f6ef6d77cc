"""Receiving: every update is on disk before Telegram hears that it arrived.

aiogram's own polling confirms a batch while its handlers still run, so a kill would lose it. Here
an update is confirmed only once the database has it, handled after that, and marked as done last;
what a crash left in between is handled at the next start. Handlers are written for that: jobs know
their origin, edits may be repeated.

Telegram sends an album as so many messages that have nothing but a name in common. Here they
become one again: they are gathered, handled as one, and done as one. Of more pictures than an
album can have, people's apps make several; these become one as well, lest the last two of twelve
that are refused be taken for something of their own.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

from aiogram import Bot, Dispatcher
from aiogram.exceptions import (
    AiogramError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.methods.base import TelegramMethod
from aiogram.types import Update
from pydantic import ValidationError

from bot.clock import Clock
from bot.jobs.backoff import insist
from bot.tasks import Tasks
from storage.inbox import Inbox

logger = logging.getLogger(__name__)

ALLOWED_UPDATES: Final = ("message", "callback_query", "my_chat_member")
ATTEMPTS_MAX: Final = 3
AT_ONCE_MAX: Final = 64
"""Most messages handled at the same time, all people together; and most presses."""
ALBUM_MAX: Final = 10
"""What Telegram puts into one album."""
ALBUM_QUIET_S: Final = 0.8
"""An album of which nothing new has come for that long is complete."""
NEXT_ALBUM_S: Final = 3.0
"""So long a full album is waited with for the next, which may be on its way up."""
GATHERED_MAX: Final = 100
"""Most messages that become one: what people's apps let them choose at once."""

POLL_TIMEOUT_S: Final = 25
_ANSWER_MARGIN_S: Final = 10
_RETRY_S: Final = (1.0, 2.0, 5.0, 10.0)

Raw = dict[str, Any]
Received = tuple[int, Raw]
"""An update and its number."""
Lane = tuple[int, int, bool]
"""A chat, a person in it, and whether the person pressed a button."""
Answer = TypeVar("Answer")


class TokenRefused(Exception):
    """Telegram does not know this token; the message is one line for the operator."""


class WebhookRefused(Exception):
    """Telegram will not call this address; the message is one line for the operator."""


class GetRawUpdates(TelegramMethod[list[Raw]]):
    """``getUpdates`` without typing the result.

    One update of a kind we cannot read must not hide the ninety-nine others, and what is kept on
    disk should be what Telegram said.
    """

    __returning__: ClassVar[Any] = list[Raw]
    __api_method__: ClassVar[str] = "getUpdates"

    offset: int | None = None
    timeout: int | None = None
    allowed_updates: list[str] | None = None


class Reception:
    """Keeps updates and has them handled.

    One after another for a person in a chat, so that the order of what somebody says is kept; up
    to :data:`AT_ONCE_MAX` side by side otherwise. Presses are a line of their own, and have places
    of their own: "Cancel" waits neither behind what it is meant to cut short, nor for the pictures
    that all others are sending.

    With a message, handlers are given ``album``: the messages it belongs to, in their order, or it
    alone. Of an album's messages the one that is handled is that with the caption, else the first.
    """

    def __init__(self, inbox: Inbox, dispatcher: Dispatcher, bot: Bot, clock: Clock) -> None:
        self._inbox = inbox
        self._dispatcher = dispatcher
        self._bot = bot
        self._clock = clock
        self._tasks = Tasks()
        self._lanes: dict[Lane, deque[Received]] = {}
        self._places = {is_press: asyncio.Semaphore(AT_ONCE_MAX) for is_press in (False, True)}

    async def replay(self) -> int:
        """Take up what a stop left unhandled; return how many."""
        pending = await self._inbox.pending()
        for update_id, payload in pending:
            self._queue(update_id, json.loads(payload))
        return len(pending)

    async def stop(self, grace_s: float) -> None:
        """Give what is being handled ``grace_s`` seconds; the next start takes up the rest."""
        await self._tasks.drain(grace_s)
        await self._tasks.stop()

    async def take(self, update: Raw) -> None:
        """Keep an update; when this returns, Telegram may forget it.

        An update seen before is dropped: its first copy is handled or will be. While the storage
        fails this waits, and Telegram keeps what comes.
        """
        update_id = update.get("update_id")
        if not isinstance(update_id, int):
            logger.error("an update without a number was dropped")
            return
        # In ASCII: half a surrogate pair, which JSON can express, is no text for a database.
        put = partial(self._inbox.put, update_id, json.dumps(update))
        if await insist(put, f"update {update_id}"):
            self._queue(update_id, update)

    def _queue(self, update_id: int, update: Raw) -> None:
        lane = lane_of(update)
        if lane in self._lanes:
            self._lanes[lane].append((update_id, update))
        else:
            self._lanes[lane] = deque([(update_id, update)])
            self._tasks.start(self._work_through(lane), name=f"updates of {lane}")

    async def _work_through(self, lane: Lane) -> None:
        waiting, (_, _, is_press) = self._lanes[lane], lane
        try:
            while waiting:
                received = [waiting.popleft()]
                if album := album_of(received[0][1]):
                    received += await self._rest_of(album, waiting)
                async with self._places[is_press]:
                    await self._handle(received)
        finally:
            del self._lanes[lane]

    async def _rest_of(self, album: str, waiting: deque[Received]) -> list[Received]:
        """Wait for the other messages of an album, and take them out of the line."""
        rest: list[Received] = []
        is_quiet = False
        while (room := GATHERED_MAX - 1 - len(rest)) > 0:
            is_full = (len(rest) + 1) % ALBUM_MAX == 0
            if is_full:
                album = _wordless_album(waiting) or album
            if found := _taken_out(waiting, album, room):
                rest += found
                is_quiet = False
            elif is_quiet:
                break
            else:
                await self._clock.sleep(NEXT_ALBUM_S if is_full else ALBUM_QUIET_S)
                is_quiet = True
        return rest

    async def _handle(self, received: Sequence[Received]) -> None:
        """Handle one update, or the several of an album as if they were one."""
        update_ids = [update_id for update_id, _ in received]
        what = f"update {', '.join(map(str, update_ids))}"
        done = partial(self._inbox.done, *update_ids)
        attempt = await insist(partial(self._inbox.attempt, *update_ids), what)
        if attempt > ATTEMPTS_MAX:
            logger.error("%s was given up: it never came to an end", what)
            # Done before it is told: whatever this does to us, it does it once.
            await insist(done, what)
            await self._feed(received, is_given_up=True)
            return
        try:
            await self._feed(received, is_replayed=attempt > 1)
        except asyncio.CancelledError:
            # We stop in good order; the attempts that count are those nobody came back from.
            await self._inbox.interrupted(*update_ids)
            raise
        await insist(done, what)

    async def _feed(self, received: Sequence[Received], **context: Any) -> None:  # noqa: ANN401
        updates = [update for one in received if (update := self._read(*one)) is not None]
        if not updates:
            return
        # Updates may come in any order; people see the messages in that of their numbers.
        updates.sort(key=lambda update: update.message.message_id if update.message else 0)
        album = tuple(update.message for update in updates if update.message)
        if album:
            context["album"] = album
        speaking = (update for update in updates if update.message and update.message.caption)
        update = next(speaking, updates[0])
        try:
            await self._dispatcher.feed_update(self._bot, update, **context)
        except Exception:
            logger.exception("update %s failed", update.update_id)

    def _read(self, update_id: int, update: Raw) -> Update | None:
        try:
            return Update.model_validate(update, context={"bot": self._bot})
        except ValidationError as fault:
            # What people write is not for the log.
            found = fault.errors(include_input=False, include_url=False, include_context=False)
            logger.error("update %s cannot be read: %s", update_id, found)
            return None


def lane_of(update: Raw) -> Lane:
    """Name the lane of an update, whatever it looks like; 0 where it has no chat or person."""
    event: Raw = next((part for part in update.values() if isinstance(part, dict)), {})
    chat = _part(event, "chat") or _part(_part(event, "message"), "chat")
    return _number(chat), _number(_part(event, "from")), "callback_query" in update


def album_of(update: Raw) -> str | None:
    """Name the album a message belongs to, if it belongs to one."""
    name = _part(update, "message").get("media_group_id")
    return name if isinstance(name, str) and name else None


def _wordless_album(waiting: deque[Received]) -> str | None:
    """Name the album that is next in line, if nothing is said with it."""
    album = album_of(waiting[0][1]) if waiting else None
    members = (update for _, update in waiting if album_of(update) == album)
    return None if any(_part(member, "message").get("caption") for member in members) else album


def _taken_out(waiting: deque[Received], album: str, at_most: int) -> list[Received]:
    """Take the next messages of an album out of the line; the others keep their order."""
    members = [one for one in waiting if album_of(one[1]) == album][:at_most]
    for member in members:
        waiting.remove(member)
    return members


def _part(whole: Raw, name: str) -> Raw:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def _number(part: Raw) -> int:
    number = part.get("id")
    return number if isinstance(number, int) else 0


class Poller:
    """Asks Telegram for updates for as long as the bot runs."""

    def __init__(self, bot: Bot, reception: Reception, clock: Clock) -> None:
        self._bot = bot
        self._reception = reception
        self._clock = clock
        self._trouble: str | None = None
        self._answered_at: float | None = None

    async def identify(self) -> None:
        """Wait until Telegram knows us; from here on its silence is counted.

        Raises:
            TokenRefused: Telegram does not know the token.
        """
        self._answered_at = self._clock.monotonic()
        await self.insist(self._bot.me)

    async def run(self) -> None:
        """Poll until cancelled.

        Raises:
            TokenRefused: Telegram does not know the token.
        """
        # With a webhook set, Telegram refuses to be asked.
        await self.insist(self._bot.delete_webhook)
        offset: int | None = None
        while True:
            for update in await self.insist(partial(self._ask, offset)):
                await self._reception.take(update)
                if isinstance(number := update.get("update_id"), int):
                    offset = max(offset or 0, number + 1)

    async def be_called(self, url: str, secret: str) -> None:
        """Have Telegram call ``url`` instead, until cancelled.

        Raises:
            TokenRefused: Telegram does not know the token.
            WebhookRefused: Telegram will not call there.
        """
        await self.insist(partial(self._set_webhook, url, secret))
        self._answered_at = None
        await asyncio.Event().wait()

    @property
    def silence_s(self) -> float | None:
        """How long Telegram has not answered us; ``None`` where nothing is asked."""
        if self._answered_at is None:
            return None
        return self._clock.monotonic() - self._answered_at

    async def insist(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Call Telegram until it answers, and say in the log when it stops and starts to.

        Raises:
            TokenRefused: Telegram does not know the token.
        """
        tries = 0
        while True:
            try:
                answer = await call()
            except (TelegramUnauthorizedError, TelegramNotFound) as fault:
                raise TokenRefused(f"Telegram refuses the bot token: {fault.message}") from fault
            except AiogramError as fault:
                self._note(_trouble(fault))
                logger.debug("%s", fault)
                pause_s = _pause_s(fault, tries)
            else:
                self._note(None)
                self._answered_at = self._clock.monotonic()
                return answer
            await self._clock.sleep(pause_s)
            tries += 1

    async def _ask(self, offset: int | None) -> list[Raw]:
        method = GetRawUpdates(
            offset=offset, timeout=POLL_TIMEOUT_S, allowed_updates=list(ALLOWED_UPDATES)
        )
        return await self._bot(method, request_timeout=POLL_TIMEOUT_S + _ANSWER_MARGIN_S)

    async def _set_webhook(self, url: str, secret: str) -> bool:
        try:
            return await self._bot.set_webhook(
                url, secret_token=secret, allowed_updates=list(ALLOWED_UPDATES)
            )
        except TelegramBadRequest as fault:
            raise WebhookRefused(f"Telegram refuses the webhook {url}: {fault.message}") from fault

    def _note(self, trouble: str | None) -> None:
        """Log a change for the worse or the better, once."""
        if trouble != self._trouble:
            if trouble is None:
                logger.warning("Telegram answers again")
            else:
                logger.error("%s; trying on", trouble)
        self._trouble = trouble


def _trouble(fault: AiogramError) -> str:
    match fault:
        case TelegramConflictError():
            return f"another program receives this bot's updates: {fault.message}"
        case TelegramRetryAfter():
            return "Telegram asks for silence"
        case TelegramBadRequest():
            return f"Telegram refuses to be asked: {fault.message}"
        case _:
            return f"Telegram cannot be reached: {type(fault).__name__}"


def _pause_s(fault: AiogramError, tries: int) -> float:
    if isinstance(fault, TelegramRetryAfter):
        return fault.retry_after
    return _RETRY_S[min(tries, len(_RETRY_S) - 1)]
