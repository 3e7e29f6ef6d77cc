"""The last word when a handler raised: a sentence for the person, a line for the operator."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import Dispatcher
from aiogram.enums import ChatType
from aiogram.exceptions import AiogramError
from aiogram.filters import ExceptionTypeFilter
from aiogram.types import ErrorEvent, Message, TelegramObject

from bot.jobs.job import Rejected
from bot.jobs.ports import ChatGone
from bot.presses import Press
from bot.replies import answer
from bot.sender import CardLost, SendUnknown
from bot.texts import Texts
from storage.people import People

logger = logging.getLogger(__name__)


class GivenUp(Rejected):
    """We went down every time this was handled."""

    code = "error-given-up"


async def refuse_given_up(
    handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
    event: TelegramObject,
    data: dict[str, Any],
) -> Any:  # noqa: ANN401 - aiogram's own signature
    """Stand before the handlers: an update given up is explained, and handled by none.

    Raises:
        GivenUp: it is one.
    """
    if data["is_given_up"]:
        raise GivenUp
    return await handler(event, data)


def register_errors(dispatcher: Dispatcher) -> None:
    """Register the handlers, the particular ones first."""
    dispatcher.errors.register(explain_refusal, ExceptionTypeFilter(Rejected))
    dispatcher.errors.register(note_gone, ExceptionTypeFilter(ChatGone))
    dispatcher.errors.register(note_unsent, ExceptionTypeFilter(SendUnknown, CardLost))
    dispatcher.errors.register(apologise)


async def explain_refusal(event: ErrorEvent, texts: Texts, press: Press | None = None) -> None:
    """Say why not. It is a decision, so nothing is logged."""
    if isinstance(event.exception, Rejected):
        await _tell(event, texts(event.exception.code, **event.exception.params), press)


async def note_gone(event: ErrorEvent, people: People) -> None:
    """Remember that nobody reads there; there is nobody to tell."""
    message = event.update.message or (
        event.update.callback_query.message if event.update.callback_query else None
    )
    if message is not None and message.chat.type == ChatType.PRIVATE:
        await people.mark_blocked(message.chat.id)
    logger.info("update %s: nobody is there any more", event.update.update_id)


async def note_unsent(event: ErrorEvent, press: Press | None = None) -> None:
    """Leave it at that: the answer may have arrived, or its message was taken away."""
    logger.warning("update %s: %s", event.update.update_id, event.exception)
    if press is not None:
        await press.answer()


async def apologise(event: ErrorEvent, texts: Texts, press: Press | None = None) -> None:
    """Say that the fault is ours, and log it with everything that is known."""
    logger.error("update %s failed", event.update.update_id, exc_info=event.exception)
    await _tell(event, texts("error-unexpected"), press)


async def _tell(event: ErrorEvent, sentence: str, press: Press | None) -> None:
    try:
        if press is not None and not press.is_answered:
            await press.answer(sentence, is_alert=True)
            return
        query = event.update.callback_query
        message = event.update.message or (query.message if query else None)
        if isinstance(message, Message):
            await answer(message, sentence)
    except (AiogramError, ChatGone, SendUnknown) as fault:
        logger.warning("update %s: no answer could be given: %s", event.update.update_id, fault)
