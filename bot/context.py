"""What every handler may ask for by name: who speaks, in which language, with which settings."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware
from aiogram.enums import ChatType
from aiogram.types import CallbackQuery, Message, TelegramObject, Update, User

from bot.jobs.job import Asker
from bot.presses import Press
from bot.texts import Languages
from storage.people import People


class Context(BaseMiddleware):
    """Adds ``settings``, ``texts``, ``asker`` and, for a press, ``press`` to every update.

    A message that belongs to no album is one by itself: ``album`` is there for every message.
    """

    def __init__(self, people: People, languages: Languages) -> None:
        self._people = people
        self._languages = languages

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:  # noqa: ANN401 - aiogram's own signature
        """Pass the update on, richer; one without a person behind it goes nowhere."""
        user: User | None = data.get("event_from_user")
        if not isinstance(event, Update) or user is None:
            return None
        query = event.callback_query
        if query is not None:
            data["press"] = Press(query)
        user_id = _who(user, event.message)
        await self._people.seen(user_id, user.language_code)
        settings = await self._people.settings(user_id)
        texts = self._languages.of(settings.language, user.language_code)
        data.update(settings=settings, texts=texts)
        if event.message is not None:
            data.setdefault("album", (event.message,))
        message = event.message or (query.message if query else None)
        if isinstance(message, Message):
            data["asker"] = _asker(user_id, message, query, texts.language)
        return await handler(event, data)


def _who(user: User, message: Message | None) -> int:
    """Name the person; whoever writes as a chat, unnamed or for a channel, is that chat.

    All who do so share one stand-in user, and must not see and cancel each other's pictures.
    """
    return message.sender_chat.id if message and message.sender_chat else user.id


def _asker(user_id: int, message: Message, query: CallbackQuery | None, language: str) -> Asker:
    """Name the request by the message or the press it came from, so that a repeat is known."""
    is_private = message.chat.type == ChatType.PRIVATE
    return Asker(
        user_id=user_id,
        chat_id=message.chat.id,
        language=language,
        origin=(
            f"press:{query.id}" if query else f"message:{message.chat.id}:{message.message_id}"
        ),
        thread_id=message.message_thread_id if message.is_topic_message else None,
        reply_to_message_id=None if is_private else message.message_id,
    )
