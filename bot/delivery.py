"""The way back to the chat: one card per job, from the queue to the picture.

A crash may come between any two lines, and Telegram has no way to ask what was sent. So a picture
reaches its chat by an *edit* of the job's card: done twice, an edit still shows one picture. An
album cannot be edited into being; before it is sent the card's stage says so in the database, and
an album whose fate is unknown is never sent again by itself: its control message says so and
offers to.
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from aiogram.exceptions import AiogramError, TelegramBadRequest, TelegramEntityTooLarge

from bot import cards
from bot.cards import CardView, ModeCard
from bot.clock import Clock
from bot.jobs.ports import ChatGone, Running, Waiting
from bot.outbox import Outbox, ResultMedia, photo_ids, preview
from bot.sender import CardLost, Pace, SendUnknown, once
from bot.tasks import Tasks
from bot.texts import Languages, Texts
from storage.blobs import BlobGone
from storage.jobs import Card, Job, Jobs
from storage.people import People

logger = logging.getLogger(__name__)

GROUP_SLOWER: Final = 2
"""A group takes 20 messages a minute in all; progress leaves half of them to everything else."""


class Stage(StrEnum):
    """How far a card has come; what ``Card.stage`` begins with."""

    PLACEHOLDER = "placeholder"
    SENDING_ALBUM = "sending-album"
    ALBUM_SENT = "album-sent"
    ALBUM_UNKNOWN = "album-unknown"
    FINAL = "final"


def stage_of(card: Card) -> tuple[Stage, list[int]]:
    """Read a card's stage, and the messages of its album."""
    stage, _, album = card.stage.partition(":")
    return Stage(stage), [int(number) for number in album.split(",") if number]


def _staged(card: Card, stage: Stage, album: list[int] | None = None) -> Card:
    return replace(card, stage=f"{stage}:{','.join(map(str, album))}" if album else stage)


@dataclass(slots=True)
class _Live:
    """A card that is still moving, and its newest state."""

    newest: Waiting | Running | None = None
    is_followed: bool = False
    is_closed: bool = False
    is_mute: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class TelegramDelivery:
    """Shows jobs in their chats; implements :class:`bot.jobs.ports.Delivery`."""

    def __init__(
        self,
        outbox: Outbox,
        jobs: Jobs,
        people: People,
        *,
        modes: Mapping[str, ModeCard],
        languages: Languages,
        pace: Pace,
        clock: Clock,
        edit_interval_s: float,
    ) -> None:
        self._outbox = outbox
        self._jobs = jobs
        self._people = people
        self._modes = modes
        self._languages = languages
        self._pace = pace
        self._tasks = Tasks()
        self._clock = clock
        self._edit_interval_s = edit_interval_s
        self._live: dict[int, _Live] = {}

    async def stop(self) -> None:
        """Let the cards rest as they are."""
        await self._tasks.stop()

    def beside(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run what takes long, such as an upload, beside everything else, until :meth:`stop`."""
        self._tasks.start(work, name)

    def show(self, job: Job, view: Waiting | Running) -> None:
        """Make this the newest state of the card; older ones not yet sent are forgotten.

        But a preview not yet sent stays: a state seldom has one, and the next may have none.
        """
        live = self._live.setdefault(job.id, _Live())
        if isinstance(view, Running) and view.preview is None and isinstance(live.newest, Running):
            view = replace(view, preview=live.newest.preview)
        live.newest = view
        if not (live.is_followed or live.is_closed or live.is_mute):
            live.is_followed = True
            self._tasks.start(self._follow(job, live), name=f"card of job {job.id}")

    async def deliver(self, job: Job) -> None:
        """Show how the job ended, once and for good; may be called again after a crash.

        Raises:
            ChatGone: nobody is there to read it, or the chat takes not even words.
            SendUnknown: a line of words may or may not be there; call again later.
        """
        live = self._live.setdefault(job.id, _Live())
        live.is_closed = True
        try:
            async with live.turn:
                await self._finish(await self._jobs.get(job.id))
        finally:
            self._live.pop(job.id, None)

    async def send_files(self, job: Job) -> None:
        """Send a finished job's pictures as they were made, as files answering its card.

        Raises:
            BlobGone: they are not kept any more.
            SendUnknown: they may be there.
        """
        reply_to = job.card.message_id if job.card else None
        await self._outbox.send_media(job, await self._outbox.files(job), reply_to)

    async def send_album_again(self, job: Job) -> None:
        """Send an album whose fate was unknown, because its owner asked for it.

        Raises:
            BlobGone: the pictures are not kept any more.
            SendUnknown: its fate is unknown again.
        """
        album = await self._send_album(job, await self._media(job))
        if job.card is not None:
            await self._jobs.set_card(job.id, _staged(job.card, Stage.FINAL, album))
            view = cards.album_control(job, "album-sent", *self._words(job))
            await self._outbox.edit_words(job, job.card, view)

    async def remove(self, job: Job) -> None:
        """Take a finished job's messages out of the chat.

        Raises:
            TelegramBadRequest: they are too old for that.
        """
        if job.card is not None:
            for message_id in [*stage_of(job.card)[1], job.card.message_id]:
                await self._outbox.delete(job, message_id)

    async def _follow(self, job: Job, live: _Live) -> None:
        """Show one state after another, always the newest, until there is none."""
        slower = GROUP_SLOWER if job.chat_id < 0 else 1
        try:
            while live.newest is not None and not (live.is_closed or live.is_mute):
                await self._pace.ready(job.chat_id)
                async with live.turn:
                    await self._show_newest(job, live)
                await self._clock.sleep(self._edit_interval_s * slower)
        finally:
            live.is_followed = False

    async def _show_newest(self, job: Job, live: _Live) -> None:
        view, live.newest = live.newest, None
        if view is None or live.is_closed:
            return
        try:
            await self._draw(await self._jobs.get(job.id), view)
        except (ChatGone, CardLost, SendUnknown) as reason:
            # How the job ends is told in any case; until then its card stays as it is.
            live.is_mute = True
            logger.info("job %s shows no progress: %s", job.id, reason)
        except AiogramError as fault:
            logger.warning("progress of job %s was not shown: %s", job.id, fault)

    async def _draw(self, job: Job, state: Waiting | Running) -> None:
        if job.is_over:
            self._live.pop(job.id, None)
            return
        if (job.state == "running") is not isinstance(state, Running):
            return  # it was claimed, or put back, since: the state that fits follows
        view = cards.in_progress(job, state, *self._words(job))
        jpeg = state.preview if isinstance(state, Running) else None
        if job.card is None:
            await self._new_card(job, view)
            return
        with once():  # a repeat would be out of date, and the end would have to wait for it
            if jpeg is None:
                card = await self._outbox.edit_words(job, job.card, view)
            else:
                await self._outbox.edit_media(job, job.card, preview(jpeg), view)
                card = replace(job.card, has_media=True)
        if card != job.card:
            await self._jobs.set_card(job.id, card)

    async def _finish(self, job: Job) -> None:
        if job.card is not None and stage_of(job.card)[0] is Stage.FINAL:
            return
        if job.result is None:
            await self._finish_in_words(job, cards.failed(job, *self._words(job)))
            return
        try:
            await self._finish_drawn(job, is_album=len(job.result.pictures) > 1)
        except BlobGone:
            await self._finish_in_words(job, cards.expired(job, *self._words(job)))
        except (TelegramBadRequest, TelegramEntityTooLarge) as fault:
            logger.warning("the pictures of job %s were refused: %s", job.id, fault)
            job = await self._jobs.get(job.id)  # its card may be a new one by now
            await self._finish_in_words(job, cards.refused(job, *self._words(job)))

    async def _finish_drawn(self, job: Job, *, is_album: bool) -> None:
        if is_album:
            await self._finish_album(job)
        else:
            [media] = await self._media(job)
            await self._finish_picture(job, media)

    async def _finish_in_words(self, job: Job, view: CardView) -> None:
        card = job.card if job.card and job.card.message_id else None
        try:
            if card is not None:
                try:
                    card = await self._outbox.edit_words(job, card, view)
                except CardLost:
                    card = None
            if card is None:
                card = await self._new_card(job, view)
        except TelegramBadRequest as fault:
            raise ChatGone(fault.message) from fault
        await self._jobs.set_card(job.id, _staged(card, Stage.FINAL))

    async def _finish_picture(self, job: Job, media: ResultMedia) -> None:
        view = cards.picture(job, *self._words(job))
        card = job.card
        if card is not None:
            try:
                shown = await self._outbox.edit_media(job, card, media, view)
            except CardLost:
                card = None
        if card is None:
            # Words first and the picture by an edit, so that a repeat shows no second picture.
            card = await self._new_card(job, cards.in_progress(job, None, *self._words(job)))
            shown = await self._outbox.edit_media(job, card, media, view)
        final = _staged(replace(card, has_media=True), Stage.FINAL)
        if shown is not None and (ids := photo_ids([shown])):
            await self._jobs.set_file_ids(job.id, ids)
        await self._jobs.set_card(job.id, final)

    async def _finish_album(self, job: Job) -> None:
        """Send the album, then let a control message below it take the card's place."""
        card = job.card or Card(message_id=0, has_media=False, stage=Stage.PLACEHOLDER)
        stage, album = stage_of(card)
        fate: cards.AlbumFate = "album-sent" if stage is Stage.ALBUM_SENT else "album-unknown"
        if stage is Stage.PLACEHOLDER:
            fate, album = await self._send_album_once(job, card)
        if card.message_id:
            try:
                await self._outbox.delete(job, card.message_id)
            except TelegramBadRequest as fault:
                logger.info("the card of job %s stays: %s", job.id, fault)
        control = await self._outbox.send_words(
            job, cards.album_control(job, fate, *self._words(job))
        )
        final = Card(message_id=control.message_id, has_media=False, stage=Stage.FINAL)
        await self._jobs.set_card(job.id, _staged(final, Stage.FINAL, album))

    async def _send_album_once(self, job: Job, card: Card) -> tuple[cards.AlbumFate, list[int]]:
        try:
            media = await self._media(job)
        except BlobGone:
            return "expired", []
        await self._jobs.set_card(job.id, _staged(card, Stage.SENDING_ALBUM))
        try:
            album = await self._send_album(job, media)
        except SendUnknown as reason:
            logger.warning("album of job %s: %s", job.id, reason)
            await self._jobs.set_card(job.id, _staged(card, Stage.ALBUM_UNKNOWN))
            return "album-unknown", []
        except AiogramError:
            # Refused, so surely not sent: nothing is unknown of it.
            await self._jobs.set_card(job.id, card)
            raise
        await self._jobs.set_card(job.id, _staged(card, Stage.ALBUM_SENT, album))
        return "album-sent", album

    async def _send_album(self, job: Job, media: list[ResultMedia]) -> list[int]:
        sent = await self._outbox.send_media(job, media, job.reply_to_message_id)
        if ids := photo_ids(sent):
            await self._jobs.set_file_ids(job.id, ids)
        return [message.message_id for message in sent]

    async def _new_card(self, job: Job, view: CardView) -> Card:
        message = await self._outbox.send_words(job, view)
        card = Card(message_id=message.message_id, has_media=False, stage=Stage.PLACEHOLDER)
        await self._jobs.set_card(job.id, card)
        return card

    async def _media(self, job: Job) -> list[ResultMedia]:
        settings = await self._people.settings(job.user_id)
        return await (self._outbox.files(job) if settings.as_file else self._outbox.photos(job))

    def _words(self, job: Job) -> tuple[ModeCard, Texts]:
        return self._modes[job.mode], self._languages[job.language]
