"""Leads: the buttons under a picture that take it on, each into the conversation of one mode."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiogram.filters.callback_data import CallbackData

from bot.keyboards import SEPARATOR, Row, button
from bot.texts import Texts

_PER_ROW = 2


class LeadPress(CallbackData, prefix="lead", sep=SEPARATOR):
    """Take a picture on into a mode's conversation.

    Attributes:
        job_id: which job drew it; none is the picture that the message with the button asks about.
        index: which of several, from 0; none is all there are.
    """

    mode: str
    job_id: int | None = None
    index: int | None = None


class PickPress(CallbackData, prefix="pick", sep=SEPARATOR):
    """Ask which of several pictures is meant, and then do as the lead says."""

    mode: str
    job_id: int | None = None


@dataclass(frozen=True, slots=True)
class Lead:
    """What a mode's conversation can begin with: a picture that is there.

    Attributes:
        mode: of the conversation, which has a route for :class:`LeadPress` of its mode.
        label: the key of the button's words under a result, short.
        offer: likewise under the question about a picture somebody sent.
        pictures_max: most pictures it begins with at once.
        takes_words: whether words said of a picture are enough for it to begin.
    """

    mode: str
    label: str
    offer: str
    pictures_max: int = 1
    takes_words: bool = False


def rows_under_result(
    leads: Sequence[Lead], job_id: int, pictures: int, texts: Texts
) -> list[Row]:
    """Offer every lead for one picture of a result; of several, a press asks first which."""
    return _in_rows(
        [
            button(
                texts(lead.label),
                LeadPress(mode=lead.mode, job_id=job_id, index=0)
                if pictures == 1
                else PickPress(mode=lead.mode, job_id=job_id),
            )
            for lead in leads
        ]
    )


def rows_under_question(leads: Sequence[Lead], pictures: int, texts: Texts) -> list[Row]:
    """Offer every lead for pictures somebody sent; one that cannot take them all asks which."""
    return _in_rows(
        [
            button(
                texts(lead.offer, count=pictures),
                LeadPress(mode=lead.mode)
                if pictures <= lead.pictures_max
                else PickPress(mode=lead.mode),
            )
            for lead in leads
        ]
    )


def pick_rows(mode: str, job_id: int | None, pictures: int) -> list[Row]:
    """One button per picture, by its number."""
    return [
        [
            button(str(index + 1), LeadPress(mode=mode, job_id=job_id, index=index))
            for index in range(pictures)
        ]
    ]


def _in_rows(buttons: Row) -> list[Row]:
    return [buttons[at : at + _PER_ROW] for at in range(0, len(buttons), _PER_ROW)]
