"""How a job looks in the chat: pure functions from a job and its state to text and buttons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardMarkup
from aiogram.utils.formatting import ExpandableBlockQuote, Text

from bot.jobs.ports import Running, Waiting
from bot.keyboards import SEPARATOR, Row, button, keyboard
from bot.leads import Lead, rows_under_result
from bot.prompts import shortened, utf16_length
from bot.texts import Texts
from pipelines.contracts import Drawn
from storage.jobs import Job

CAPTION_LIMIT: Final = 1024
"""UTF-16 units. Telegram allows as many code points, which is never less."""

_BAR_CELLS: Final = 10


class CardPress(CallbackData, prefix="card", sep=SEPARATOR):
    """A press of a button that every mode's card has."""

    action: Literal["cancel", "again", "typed", "file", "delete", "resend"]
    job_id: int


@dataclass(frozen=True, slots=True)
class ModeCard:
    """What one mode adds to its cards.

    Attributes:
        title: the user's own words, or what stands for them where there were none, in a quote.
        details: one line or two under a result: seed, size and the like.
        rows: the mode's own buttons under a result.
        drawn: what the prompt step made of those words, where it looked at them.
        leads: what any picture can be taken on into.
    """

    title: Callable[[Job, Texts], str]
    details: Callable[[Job, Texts], str]
    rows: Callable[[Job, Texts], list[Row]]
    drawn: Callable[[Job], Drawn | None] = lambda _job: None
    leads: Sequence[Lead] = ()


@dataclass(frozen=True, slots=True)
class CardView:
    """A text or caption, never parsed for markup, and what can be pressed under it."""

    body: Text
    keyboard: InlineKeyboardMarkup


def in_progress(
    job: Job, state: Waiting | Running | None, mode: ModeCard, texts: Texts
) -> CardView:
    """Show a job that is not finished; ``None`` is the moment before its picture appears."""
    match state:
        case Running(is_rewording=True):
            line = texts("card-rewording")
        case Running():
            share = state.index / state.total
            line = texts("card-running", bar=bar(share), percent=int(share * 100))
        case Waiting(ahead=0):
            line = texts("card-next", wait_s=state.wait_s)
        case Waiting():
            line = texts("card-waiting", ahead=state.ahead, wait_s=state.wait_s)
        case None:
            line = texts("card-finishing")
    cancel = button(texts("button-cancel"), CardPress(action="cancel", job_id=job.id))
    return _view(job, mode, line, [] if state is None else [[cancel]], texts)


def bar(share: float) -> str:
    """Draw a progress bar; ``share`` from 0 to 1."""
    full = int(share * _BAR_CELLS)
    return "▰" * full + "▱" * (_BAR_CELLS - full)


def picture(job: Job, mode: ModeCard, texts: Texts) -> CardView:
    """Caption one finished picture."""
    return _result(job, mode, mode.details(job, texts), result_rows(job, mode, texts), texts)


AlbumFate = Literal["album-sent", "album-unknown", "expired"]


def album_control(job: Job, fate: AlbumFate, mode: ModeCard, texts: Texts) -> CardView:
    """Follow an album, which can have no buttons of its own."""
    details = mode.details(job, texts)
    rows = result_rows(job, mode, texts)
    if fate == "expired":
        rows = _retry_rows(job, texts)
        return _view(job, mode, texts("card-album-expired"), rows, texts)
    if fate == "album-sent":
        return _result(job, mode, f"{details}\n{texts('card-album')}", rows, texts)
    resend = button(texts("button-send-again"), CardPress(action="resend", job_id=job.id))
    line = f"{details}\n{texts('card-album-unknown')}"
    return _result(job, mode, line, [[resend], *rows], texts)


def expired(job: Job, mode: ModeCard, texts: Texts) -> CardView:
    """Say that the picture was made but is not kept any more."""
    return _view(job, mode, texts("card-expired"), _retry_rows(job, texts), texts)


def refused(job: Job, mode: ModeCard, texts: Texts) -> CardView:
    """Say that the chat does not take pictures; files it may take."""
    as_file = button(texts("button-file"), CardPress(action="file", job_id=job.id))
    rows = [[as_file], *_retry_rows(job, texts)]
    return _view(job, mode, texts("card-refused"), rows, texts)


def failed(job: Job, mode: ModeCard, texts: Texts) -> CardView:
    """Say why there is no picture; a cancelled job was its owner's wish, not a failure."""
    if job.state == "cancelled":
        line = texts("card-cancelled")
    else:
        code = job.error_code or ""
        line = texts(code if code in texts else "error-generation-failed")
    return _view(job, mode, line, _retry_rows(job, texts), texts)


def result_rows(job: Job, mode: ModeCard, texts: Texts) -> list[Row]:
    """Everything one can do with a result."""
    return [
        [
            button(texts("button-again"), CardPress(action="again", job_id=job.id)),
            *_as_typed(job, mode, texts),
        ],
        *mode.rows(job, texts),
        *rows_under_result(mode.leads, job.id, job.pictures, texts),
        [
            button(texts("button-file"), CardPress(action="file", job_id=job.id)),
            button(texts("button-delete"), CardPress(action="delete", job_id=job.id)),
        ],
    ]


def _as_typed(job: Job, mode: ModeCard, texts: Texts) -> Row:
    """The way back to the typed words, where others were drawn."""
    if not _other_words(job, mode, texts):
        return []
    return [button(texts("button-as-typed"), CardPress(action="typed", job_id=job.id))]


def _other_words(job: Job, mode: ModeCard, texts: Texts) -> str:
    """The words that were drawn, if they are not the typed ones."""
    drawn = mode.drawn(job)
    return drawn.words if drawn and drawn.words != mode.title(job, texts) else ""


def _retry_rows(job: Job, texts: Texts) -> list[Row]:
    return [
        [
            button(texts("button-again"), CardPress(action="again", job_id=job.id)),
            button(texts("button-delete"), CardPress(action="delete", job_id=job.id)),
        ]
    ]


def _result(job: Job, mode: ModeCard, line: str, rows: list[Row], texts: Texts) -> CardView:
    """Show what was drawn where it is not what was typed, or say why it is."""
    drawn = mode.drawn(job)
    if drawn and drawn.code:
        line = f"{line}\n{texts(drawn.code if drawn.code in texts else 'prompting-no-answer')}"
    words = _other_words(job, mode, texts)
    if not words:
        return _view(job, mode, line, rows, texts)
    label, typed = texts("card-drawn"), mode.title(job, texts)
    room = CAPTION_LIMIT - utf16_length(line) - utf16_length(label) - 3
    # Each has half of the room, and what the other leaves of its own.
    words = shortened(words, max(room // 2, room - utf16_length(typed)))
    typed = shortened(typed, room - utf16_length(words))
    body = Text(ExpandableBlockQuote(typed), "\n", label, "\n", ExpandableBlockQuote(words), "\n")
    return CardView(Text(body, line), keyboard(rows))


def _view(job: Job, mode: ModeCard, line: str, rows: list[Row], texts: Texts) -> CardView:
    """Quote the user's words above ``line``, cut to what a caption can hold."""
    room = CAPTION_LIMIT - utf16_length(line) - 1
    quote = ExpandableBlockQuote(shortened(mode.title(job, texts), room))
    return CardView(Text(quote, "\n", line), keyboard(rows))
