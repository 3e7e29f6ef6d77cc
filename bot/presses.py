"""Presses of buttons: answered exactly once, a double press counted once, owners checked."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final

from aiogram.dispatcher.flags import get_flag
from aiogram.types import CallbackQuery, Message, TelegramObject

from bot.clock import Clock
from bot.jobs.job import NoSuchJob, Rejected
from storage.jobs import Job, Jobs

DOUBLE_PRESS_S: Final = 2.0
REPEATABLE: Final = {"repeatable": True}
"""Flags of a handler whose press, done twice, is as good as done once."""


class NotYours(Rejected):
    """The button belongs to somebody else's picture."""

    code = "toast-not-yours"


class Stale(Rejected):
    """The button's time is over: its menu was closed, or its choice does not exist any more."""

    code = "toast-stale"


class NotReady(Rejected):
    """The job has no picture (yet)."""

    code = "toast-not-ready"


class Press:
    """One press. Telegram spins the button until it is answered, and takes one answer only."""

    def __init__(self, query: CallbackQuery) -> None:
        self.query = query
        self.is_answered = False

    @property
    def message(self) -> Message:
        """The message with the button.

        Raises:
            Stale: Telegram does not show it to us any more.
        """
        if not isinstance(self.query.message, Message):
            raise Stale
        return self.query.message

    async def answer(self, text: str | None = None, *, is_alert: bool = False) -> None:
        """Answer, silently or with a sentence; later answers to the same press do nothing."""
        if not self.is_answered:
            self.is_answered = True
            await self.query.answer(text, show_alert=is_alert)


class Recent:
    """Remembers what was seen in the last seconds; holds nothing older."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[Hashable, float] = {}

    def seen(self, key: Hashable, within_s: float) -> bool:
        """Tell whether ``key`` was seen in the last ``within_s`` seconds, and remember it."""
        now = self._clock.monotonic()
        self._until = {known: until for known, until in self._until.items() if until > now}
        if key in self._until:
            return True
        self._until[key] = now + within_s
        return False

    def forget(self, key: Hashable) -> None:
        """Take ``key`` for unseen."""
        self._until.pop(key, None)


async def pressed_once(
    handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
    event: TelegramObject,
    data: dict[str, Any],
) -> Any:  # noqa: ANN401 - aiogram's own signature
    """Let a second press within :data:`DOUBLE_PRESS_S` be answered and go no further.

    A middleware for presses that cost something. A press that was refused may be repeated at
    once, and a handler with the flag :data:`REPEATABLE` is none of its business.
    """
    if not isinstance(event, CallbackQuery) or get_flag(data, "repeatable"):
        return await handler(event, data)
    recent: Recent = data["recent"]
    message = event.message
    place = (message.chat.id, message.message_id) if message else event.inline_message_id
    key = (event.from_user.id, place, event.data)
    if recent.seen(key, DOUBLE_PRESS_S):
        return await data["press"].answer()
    try:
        return await handler(event, data)
    except Rejected:
        recent.forget(key)
        raise


async def own_job(table: Jobs, job_id: int, user_id: int, mode: str | None = None) -> Job:
    """Find the job behind a button.

    Raises:
        NoSuchJob: it is not known any more.
        NotYours: somebody else asked for it.
        Stale: it is not of the ``mode`` that has such a button.
    """
    try:
        job = await table.get(job_id)
    except KeyError as fault:
        raise NoSuchJob from fault
    if job.user_id != user_id:
        raise NotYours
    if mode is not None and job.mode != mode:
        raise Stale
    return job
