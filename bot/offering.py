"""What becomes of a picture nobody said anything about: one question, one button per lead.

Also the way from a button under a result to the picture that is meant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.filters.callback_data import CallbackData
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import CallbackQuery, Message
from pydantic import BaseModel, ConfigDict

from bot.draft import Draft
from bot.keyboards import SEPARATOR, Row, button, keyboard
from bot.leads import Lead, LeadPress, PickPress, pick_rows, rows_under_question
from bot.presses import NotReady, Press, Stale, own_job, pressed_once
from bot.replies import put_away
from bot.talk import Talk, bring_talk, is_no_command
from bot.uploads import Upload, has_picture
from pipelines.contracts import ImageBlob


class Offered(StatesGroup):
    """After the question, where some mode makes something of words."""

    words = State()


class OfferPress(CallbackData, prefix="offer", sep=SEPARATOR):
    """A press under a question that no mode has: make nothing of the pictures.

    Attributes:
        job_id: which job drew them; none are those somebody sent.
    """

    action: Literal["close"]
    job_id: int | None = None


class OfferedPicture(BaseModel):
    """One picture that somebody sent; see :class:`bot.uploads.Upload`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    width_px: int
    height_px: int
    parent_id: int | None = None

    @classmethod
    def of(cls, upload: Upload) -> Self:
        """Remember what was taken in."""
        return cls(
            key=upload.image.key,
            width_px=upload.width_px,
            height_px=upload.height_px,
            parent_id=upload.parent_id,
        )

    @property
    def upload(self) -> Upload:
        """The picture as it was taken in."""
        image = ImageBlob(key=self.key)
        return Upload(image, self.width_px, self.height_px, parent_id=self.parent_id)


class OfferDraft(Draft):
    """Pictures that wait for what shall become of them; ``shown_id`` is the question."""

    offered: tuple[OfferedPicture, ...]
    shown_id: int

    @property
    def uploads(self) -> list[Upload]:
        """The pictures as they were taken in."""
        return [picture.upload for picture in self.offered]


@dataclass(frozen=True, slots=True)
class Begun:
    """What a conversation begins with.

    Attributes:
        reply_to: the message of the asker that the picture will answer, in a group.
        is_done_with: the message that was pressed was there for nothing else.
    """

    pictures: list[Upload]
    reply_to: int | None
    is_done_with: bool


def routes(leads: Sequence[Lead]) -> Router:
    """Pictures that no conversation took, and the presses that ask which one is meant."""
    router = Router(name=__name__)
    router.message.middleware(bring_talk)
    router.callback_query.middleware(pressed_once)
    router.callback_query.middleware(bring_talk)
    private = F.chat.type == ChatType.PRIVATE
    if leads:
        router.message.register(offer, private, has_picture, is_no_command)
    router.callback_query.register(pick, PickPress.filter())
    router.callback_query.register(close, OfferPress.filter())
    return router


async def offer(_message: Message, talk: Talk, leads: Sequence[Lead]) -> None:
    """Ask what shall become of the pictures.

    Raises:
        Rejected: they cannot be used, or are too many for all there is.
    """
    uploads = await talk.pictures(max(lead.pictures_max for lead in leads))
    notes = [talk.texts("first-frame-alone")] if any(u.is_first_frame for u in uploads) else []
    question = talk.texts("offer", count=len(uploads))
    takes_words = any(lead.takes_words for lead in leads)
    if takes_words:
        question = f"{question} {talk.texts('offer-words')}"
    rows = [
        *rows_under_question(leads, len(uploads), talk.texts),
        _close_row(talk),
    ]
    asked = await talk.say("\n".join([*notes, question]), keyboard(rows))
    offered = tuple(map(OfferedPicture.of, uploads))
    await OfferDraft(offered=offered, shown_id=asked.message_id).keep(talk.state)
    await talk.state.set_state(Offered.words if takes_words else None)


async def pick(_query: CallbackQuery, talk: Talk, press: Press, callback_data: PickPress) -> None:
    """Ask which of several pictures is meant."""
    mode, job_id = callback_data.mode, callback_data.job_id
    if job_id is None:
        offered = await _offered(talk)
        await press.answer()
        rows = [*pick_rows(mode, None, len(offered)), _close_row(talk)]
        await talk.message.edit_text(talk.texts("pick"), reply_markup=keyboard(rows))
        return
    job = await own_job(talk.table, job_id, talk.asker.user_id)
    if job.result is None:
        raise NotReady
    await press.answer()
    rows = [*pick_rows(mode, job_id, len(job.result.pictures)), _close_row(talk, job_id)]
    await talk.say(talk.texts("pick"), keyboard(rows))


async def close(
    _query: CallbackQuery, talk: Talk, press: Press, callback_data: OfferPress
) -> None:
    """Put the question away, and forget the pictures it is about."""
    if callback_data.job_id is None:
        await _offered(talk)
        await talk.state.clear()
    else:
        await own_job(talk.table, callback_data.job_id, talk.asker.user_id)
    await press.answer(talk.texts("menu-closed"))
    await put_away(talk.message)


async def led(talk: Talk, press: LeadPress) -> Begun:
    """Find the pictures that a lead begins with.

    Raises:
        Rejected: the button is out of date or somebody else's, or the picture is not kept.
    """
    if press.job_id is None:
        offered = await _offered(talk)
        return Begun(_chosen(offered, press.index), None, is_done_with=True)
    job = await own_job(talk.table, press.job_id, talk.asker.user_id)
    if job.result is None:
        raise NotReady
    if press.index is not None:
        _check(press.index, len(job.result.pictures))
    pictures = await talk.intake.drawn(job, index=press.index)
    is_card = job.card is not None and job.card.message_id == talk.message.message_id
    return Begun(pictures, job.reply_to_message_id, is_done_with=not is_card)


def _close_row(talk: Talk, job_id: int | None = None) -> Row:
    return [button(talk.texts("button-close"), OfferPress(action="close", job_id=job_id))]


async def _offered(talk: Talk) -> list[Upload]:
    draft = await OfferDraft.of(talk.state)
    if draft is None or draft.shown_id != talk.message.message_id:
        raise Stale
    return draft.uploads


def _chosen(uploads: list[Upload], index: int | None) -> list[Upload]:
    if index is None:
        return uploads
    _check(index, len(uploads))
    return [uploads[index]]


def _check(index: int, count: int) -> None:
    if not 0 <= index < count:
        raise Stale
