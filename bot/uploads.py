"""Pictures people hand in: fetched from Telegram, made fit to be drawn from, kept as blobs.

What is refused is refused here, each with its sentence, before anything is asked of the queue::

    Rejected
      WrongKind                 error-upload-kind           a sticker, a video, no picture at all
      TooManyPictures           error-upload-too-many       more than the flow can use
      NotFetched                error-upload-not-fetched    the network failed; send it again
      PictureLost               error-upload-lost           Telegram has it no more
      PictureGone               error-picture-gone          it was ours, and is not kept any more
      Unfit ...                 see ``bot.normaliser``      the bytes, or too many
"""

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from aiogram import Bot
from aiogram.enums import ChatAction
from aiogram.exceptions import AiogramError, TelegramBadRequest
from aiogram.types import Document, ExternalReplyInfo, Message
from aiohttp import ClientError, ClientResponseError

from bot.delivery import stage_of
from bot.jobs.job import PictureGone, Rejected
from bot.jobs.ports import ChatGone
from bot.normaliser import BYTES_MAX, LONGEST_PX, FileTooLarge, Normalised, Normaliser
from bot.sender import SendUnknown, once
from bot.tasks import Tasks
from pipelines.contracts import ImageBlob
from storage.blobs import BlobGone, Blobs
from storage.jobs import Job, Jobs, ResultPicture

logger = logging.getLogger(__name__)

FETCH_S: Final = 60
"""For one picture to come from Telegram."""
FETCHED_AT_ONCE: Final = 8
"""Most pictures on their way at the same time, all people together: each may be 20 MB."""
SUFFIXES: Final = (
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".heic", ".heif", ".avif"),  # refused by a sentence of their own, once looked at
)
_KINDS: Final = ("sticker", "video", "animation", "video_note", "audio", "voice", "document")
"""What else a message can carry, of which the sentence speaks by name."""


class WrongKind(Rejected):
    """The message carries no picture but a ``kind`` of thing; "other" where it has no name."""

    code = "error-upload-kind"


class TooManyPictures(Rejected):
    """``count`` pictures where at most ``limit`` can be used."""

    code = "error-upload-too-many"


class NotFetched(Rejected):
    """The picture did not come through; sent again, it may."""

    code = "error-upload-not-fetched"


class PictureLost(Rejected):
    """Telegram does not have the picture any more."""

    code = "error-upload-lost"


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that can be drawn from.

    Attributes:
        image: its key, as requests and drafts keep it; the bytes are in the blobs.
        width_px, height_px: of the normalised picture.
        is_first_frame: it was an animation, of which this is the first frame.
        parent_id: the job that drew it, if we did.
    """

    image: ImageBlob
    width_px: int
    height_px: int
    is_first_frame: bool = False
    parent_id: int | None = None


@dataclass(frozen=True, slots=True)
class _File:
    """A file at Telegram's that may be a picture; sizes in bytes, where they are told."""

    file_id: str
    size_bytes: int


def has_picture(message: Message) -> bool:
    """Whether a message carries what may be a picture: a photo, or a file that claims to be one.

    As a filter it lets through all that :meth:`Intake.take` does not refuse unseen.
    """
    return _file_in(message) is not None


class Intake:
    """Turns messages into uploads."""

    def __init__(self, bot: Bot, blobs: Blobs, table: Jobs, normaliser: Normaliser) -> None:
        self._bot = bot
        self._blobs = blobs
        self._table = table
        self._normaliser = normaliser
        self._places = asyncio.Semaphore(FETCHED_AT_ONCE)
        self._tasks = Tasks()

    async def take(self, messages: Sequence[Message], limit: int) -> list[Upload]:
        """Take the picture of each message, in their order.

        Takes a second or so, longer where the network is slow; the chat shows meanwhile that the
        bot is at it.

        Args:
            messages: an album, or a message alone.
            limit: most pictures that can be used.

        Raises:
            Rejected: one of the sentences above; nothing of the messages is kept.
        """
        files = [_checked(message) for message in messages]
        if len(files) > limit:
            raise TooManyPictures(count=len(files), limit=limit)
        async with self._seen_working(messages[0]):
            return await self._fetched(files)

    async def replied(self, message: Message, limit: int) -> list[Upload]:
        """Take the picture that a message replies to; none where it is no reply.

        A reply to one of our own cards means the very picture that was drawn, and names its job
        as the parent; below an album, whose buttons stand in a message of their own, all of it.

        Raises:
            Rejected: one of the sentences above.
        """
        said = message.reply_to_message
        if said is None:
            beyond = message.external_reply
            return [] if beyond is None else await self._fetched([_checked(beyond)])
        if said.forum_topic_created is not None:  # every message of a topic "replies" to its start
            return []
        job = await self._table.shown_as(said.chat.id, said.message_id)
        if job is None or job.result is None:
            return await self.take([said], limit)
        uploads = await self.drawn(job, said)
        if len(uploads) > limit:
            raise TooManyPictures(count=len(uploads), limit=limit)
        return uploads

    async def drawn(
        self, job: Job, shown: Message | None = None, index: int | None = None
    ) -> list[Upload]:
        """Take the pictures that a job drew, or the one that ``shown`` shows of an album.

        Args:
            job: whose pictures.
            shown: a message of the chat, if one is meant.
            index: of the one picture that is meant, if one is.

        Raises:
            Rejected: they are not kept any more, or there are none.
        """
        pictures = list(job.result.pictures) if job.result else []
        if shown is not None and job.card is not None:
            album = stage_of(job.card)[1]
            if shown.message_id in album:
                pictures = [pictures[album.index(shown.message_id)]]
        if index is not None:
            pictures = pictures[index : index + 1]
        if not pictures:
            raise PictureGone
        return [await self._own(job, picture) for picture in pictures]

    async def _own(self, job: Job, picture: ResultPicture) -> Upload:
        """Take a picture we drew: from the blobs as it is, else back from the chat."""
        try:
            upload = await self._kept(picture)
        except BlobGone:
            if picture.file_id is None:
                raise PictureGone from None
            [upload] = await self._fetched([_File(picture.file_id, 0)])
        return replace(upload, parent_id=job.id)

    async def _kept(self, picture: ResultPicture) -> Upload:
        if max(picture.width_px, picture.height_px) > LONGEST_PX:
            data = await self._blobs.get(picture.png_key)
            return await self._stored(await self._normaliser.normalise(data))
        await self._blobs.renew(picture.png_key)
        return Upload(ImageBlob(key=picture.png_key), picture.width_px, picture.height_px)

    async def _fetched(self, files: Sequence[_File]) -> list[Upload]:
        """Fetch and normalise all of them at once; of several refusals the first one counts."""
        results = await asyncio.gather(*map(self._normalised, files), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [await self._stored(made) for made in results if isinstance(made, Normalised)]

    async def _normalised(self, file: _File) -> Normalised:
        async with self._places:
            return await self._normaliser.normalise(await self._bytes_of(file))

    async def _stored(self, made: Normalised) -> Upload:
        image = ImageBlob(key=await self._blobs.put(made.png))
        return Upload(image, made.width_px, made.height_px, made.is_first_frame)

    async def _bytes_of(self, file: _File) -> bytes:
        if file.size_bytes > BYTES_MAX:
            raise FileTooLarge(limit_mb=BYTES_MAX // 2**20)
        data = _Bounded()
        try:
            async with asyncio.timeout(FETCH_S):
                found = await self._bot.get_file(file.file_id)
                if found.file_path is None:
                    raise PictureLost
                await self._bot.download_file(found.file_path, data, timeout=FETCH_S)
        except TelegramBadRequest as fault:
            if "too big" in fault.message:
                raise FileTooLarge(limit_mb=BYTES_MAX // 2**20) from fault
            raise PictureLost from fault
        except (AiogramError, ClientError, OSError) as fault:
            # No more than its kind, and no cause: it may quote the address, which has the token.
            status = fault.status if isinstance(fault, ClientResponseError) else ""
            logger.warning("a picture was not fetched: %s %s", type(fault).__name__, status)
            raise NotFetched from None
        return data.getvalue()

    @asynccontextmanager
    async def _seen_working(self, message: Message) -> AsyncIterator[None]:
        """Let the chat show that the bot is at work, without waiting for that."""
        action = self._tasks.start(self._show_working(message), "chat action")
        try:
            yield
        finally:
            action.cancel()

    async def _show_working(self, message: Message) -> None:
        try:
            with once():
                await self._bot.send_chat_action(
                    message.chat.id,
                    ChatAction.TYPING,
                    message_thread_id=message.message_thread_id
                    if message.is_topic_message
                    else None,
                )
        except (AiogramError, ChatGone, SendUnknown) as fault:
            logger.debug("the chat does not show that we work: %s", fault)


class _Bounded(io.BytesIO):
    """Takes as many bytes as a picture may have, whatever Telegram said of its size."""

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        """Take a piece.

        Raises:
            FileTooLarge: it is one too many.
        """
        if self.tell() + len(data) > BYTES_MAX:
            raise FileTooLarge(limit_mb=BYTES_MAX // 2**20)
        return super().write(data)


def _checked(message: Message | ExternalReplyInfo) -> _File:
    """Find the file that may be a picture.

    Raises:
        WrongKind: there is none.
    """
    file = _file_in(message)
    if file is None:
        kind = next((kind for kind in _KINDS if getattr(message, kind) is not None), "other")
        raise WrongKind(kind=kind)
    return file


def _file_in(message: Message | ExternalReplyInfo) -> _File | None:
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        return _File(largest.file_id, largest.file_size or 0)
    document = message.document
    if document is not None and _claims_to_be_picture(document):
        return _File(document.file_id, document.file_size or 0)
    return None


def _claims_to_be_picture(document: Document) -> bool:
    """Go by what the sender's program says; what the bytes are is seen later.

    A film goes by as an animation and as a document at once; its type says that it is a film.
    """
    name = (document.file_name or "").lower()
    if document.mime_type:
        return document.mime_type.startswith("image/")
    return name.endswith(SUFFIXES)
