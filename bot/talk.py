"""One message or press of a conversation about pictures, and all it takes to answer it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from aiogram.enums import ChatType
from aiogram.fsm.context import FSMContext
from aiogram.types import (
    CallbackQuery,
    ForceReply,
    InlineKeyboardMarkup,
    Message,
    TelegramObject,
    User,
)

from bot.jobs.job import Asker
from bot.jobs.service import JobService
from bot.presses import Press, Stale
from bot.replies import answer
from bot.texts import Texts
from bot.uploads import Intake, Upload, has_picture
from pipelines.profiles import Profile
from storage.jobs import Jobs
from storage.people import Settings


@dataclass(frozen=True, slots=True)
class Talk:
    """What was said or pressed, by whom, and what can be done about it.

    Attributes:
        message: what somebody said; or of ours, the one with the button that was pressed.
        user: who said or pressed it.
        album: the album that the message begins, or the message alone.
    """

    message: Message
    user: User
    album: tuple[Message, ...]
    state: FSMContext
    texts: Texts
    settings: Settings
    asker: Asker
    jobs: JobService
    table: Jobs
    intake: Intake
    profile: Profile
    press: Press | None = None

    @property
    def is_private(self) -> bool:
        """Whether nobody else is there."""
        return self.message.chat.type == ChatType.PRIVATE

    @property
    def said(self) -> str:
        """The words that were said, if any: a text, or the caption of one of the pictures."""
        return self.message.text if self.message.text is not None else caption_of(self.album)

    async def say(
        self, text: str, markup: InlineKeyboardMarkup | ForceReply | None = None
    ) -> Message:
        """Answer in words."""
        return await answer(self.message, text, markup)

    async def pictures(self, limit: int) -> list[Upload]:
        """Take the pictures that were sent, or else the one that was replied to; maybe none.

        Raises:
            Rejected: something that is no picture was sent, or one that cannot be used.
        """
        if self.press is not None:
            return []
        if self.message.text is not None:
            return await self.intake.replied(self.message, limit)
        return await self.intake.take(self.album, limit)


def caption_of(album: Sequence[Message]) -> str:
    """Find what a person says of the pictures they send; what is forwarded, others have said."""
    said = (message.caption for message in album if message.forward_origin is None)
    return next(filter(None, said), "")


def is_command(message: Message) -> bool:
    """Whether this is a command, or meant to be one."""
    return (message.text or message.caption or "").startswith("/")


def is_no_command(message: Message) -> bool:
    """Whether this is meant for a conversation."""
    return not is_command(message)


def shows_picture(message: Message) -> bool:
    """Whether a person replied to what may be a picture."""
    return message.reply_to_message is not None and has_picture(message.reply_to_message)


async def bring_talk(
    handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
    event: TelegramObject,
    data: dict[str, Any],
) -> Any:  # noqa: ANN401 - aiogram's own signature
    """Let handlers ask for ``talk``.

    Raises:
        Stale: a button was pressed under a message that Telegram does not show us any more.
    """
    press: Press | None = data.get("press")
    match event:
        case Message(from_user=User() as user):
            message, album = event, data["album"]
        case CallbackQuery(message=Message() as message, from_user=user):
            album = ()
        case _:
            raise Stale
    given = {field.name: data[field.name] for field in fields(Talk) if field.name in data}
    own = {"message": message, "user": user, "album": album, "press": press}
    return await handler(event, {**data, "talk": Talk(**{**given, **own})})
