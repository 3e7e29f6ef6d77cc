"""The calls a card is made of: words, photos, files and albums for one job's chat."""

from collections.abc import Sequence
from dataclasses import replace

from aiogram import Bot
from aiogram.types import (
    BufferedInputFile,
    InputMediaDocument,
    InputMediaPhoto,
    Message,
    ReplyParameters,
)

from bot.cards import CardView
from bot.sender import CardIsOtherKind
from storage.blobs import Blobs
from storage.jobs import Card, Job, ResultPicture

ResultMedia = InputMediaPhoto | InputMediaDocument


class Outbox:
    """Sends and edits; decides nothing. Every method may raise what ``bot.sender`` names."""

    def __init__(self, bot: Bot, blobs: Blobs) -> None:
        self._bot = bot
        self._blobs = blobs

    async def send_words(self, job: Job, view: CardView) -> Message:
        """Send a new message, answering the asker where the job says so."""
        return await self._bot.send_message(
            job.chat_id,
            **view.body.as_kwargs(),
            message_thread_id=job.thread_id,
            reply_parameters=_reply(job.reply_to_message_id),
            reply_markup=view.keyboard,
        )

    async def edit_words(self, job: Job, card: Card, view: CardView) -> Card:
        """Edit words, whether they are a text or a caption, and return the card as it is.

        The process may have died between turning a text into a photo and noting it down, so a
        card that turns out to be of the other kind is edited as that.
        """
        try:
            await self._edit_words(job, card, view)
        except CardIsOtherKind:
            card = replace(card, has_media=not card.has_media)
            await self._edit_words(job, card, view)
        return card

    async def _edit_words(self, job: Job, card: Card, view: CardView) -> None:
        if card.has_media:
            await self._bot.edit_message_caption(
                chat_id=job.chat_id,
                message_id=card.message_id,
                **view.body.as_caption_kwargs(),
                reply_markup=view.keyboard,
            )
        else:
            await self._bot.edit_message_text(
                chat_id=job.chat_id,
                message_id=card.message_id,
                **view.body.as_kwargs(),
                reply_markup=view.keyboard,
            )

    async def edit_media(
        self, job: Job, card: Card, media: ResultMedia, view: CardView
    ) -> Message | None:
        """Turn a card, text or photo, into this photo or file; ``None`` if it was that already."""
        shown = await self._bot.edit_message_media(
            media.model_copy(update=view.body.as_caption_kwargs()),
            chat_id=job.chat_id,
            message_id=card.message_id,
            reply_markup=view.keyboard,
        )
        return shown if isinstance(shown, Message) else None

    async def send_media(
        self, job: Job, media: Sequence[ResultMedia], reply_to: int | None
    ) -> list[Message]:
        """Send one file, or an album of 2 to 10 pictures or files."""
        reply = _reply(reply_to)
        if len(media) == 1:
            sent = await self._bot.send_document(
                job.chat_id,
                media[0].media,
                message_thread_id=job.thread_id,
                reply_parameters=reply,
            )
            return [sent]
        return await self._bot.send_media_group(
            job.chat_id,
            list(media),
            message_thread_id=job.thread_id,
            reply_parameters=reply,
        )

    async def delete(self, job: Job, message_id: int) -> None:
        """Take a message away; one that is not there any more is no error."""
        await self._bot.delete_message(job.chat_id, message_id)

    async def photos(self, job: Job) -> list[ResultMedia]:
        """Take a result's pictures as a chat shows them: sent before, or read from disk.

        Raises:
            BlobGone: they are not kept any more.
        """
        return [InputMediaPhoto(media=await self._photo(picture)) for picture in _made(job)]

    async def files(self, job: Job) -> list[ResultMedia]:
        """Take a result's pictures as they were made, to the last pixel.

        Raises:
            BlobGone: they are not kept any more.
        """
        return [
            InputMediaDocument(
                media=BufferedInputFile(
                    await self._blobs.get(picture.png_key), f"{picture.seed}.png"
                )
            )
            for picture in _made(job)
        ]

    async def _photo(self, picture: ResultPicture) -> BufferedInputFile | str:
        if picture.file_id is not None:
            return picture.file_id
        return BufferedInputFile(await self._blobs.get(picture.jpeg_key), f"{picture.seed}.jpg")


def preview(jpeg: bytes) -> InputMediaPhoto:
    """Wrap a picture that is still forming."""
    return InputMediaPhoto(media=BufferedInputFile(jpeg, "preview.jpg"))


def photo_ids(messages: Sequence[Message]) -> list[str]:
    """Read by which ids Telegram knows these photos; files have none."""
    return [message.photo[-1].file_id for message in messages if message.photo]


def _made(job: Job) -> tuple[ResultPicture, ...]:
    return job.result.pictures if job.result else ()


def _reply(message_id: int | None) -> ReplyParameters | None:
    if not message_id:
        return None
    return ReplyParameters(message_id=message_id, allow_sending_without_reply=True)
