"""Answering inline queries and Mini Apps: reading the results a bot offers."""

from dataclasses import replace
from typing import Any, Final

from aiogram.methods import AnswerInlineQuery, AnswerWebAppQuery
from aiogram.types import (
    InlineQueryResultArticle,
    InlineQueryResultDocument,
    InlineQueryResultsButton,
    InlineQueryResultVideo,
    InputTextMessageContent,
)

from playground.api.call import Call, check_start_parameter, plain
from playground.api.media import shown
from playground.choosing import send_result
from playground.errors import bad_request
from playground.inline import InlineAnswer, InlineResult
from playground.keyboards import Place, check_app_url, inline_keyboard
from playground.markup import message_text
from playground.model import Content, Json, MediaKind
from playground.text import EMPTY

MAX_RESULTS: Final = 50
MAX_ID_BYTES: Final = 64
DEFAULT_CACHE_S: Final = 300
_KINDS: Final[dict[str, MediaKind]] = {
    "photo": "photo",
    "gif": "animation",
    "mpeg4_gif": "animation",
    "video": "video",
    "document": "document",
    "audio": "audio",
    "voice": "voice",
}


async def answer_inline_query(call: Call, method: AnswerInlineQuery) -> bool:
    """Show up to 50 results to somebody who typed behind the bot's name."""
    query = call.world.inline.waiting(call.seat.bot, method.inline_query_id)
    if len(method.results) > MAX_RESULTS:
        raise bad_request("RESULTS_TOO_MUCH")
    if len((method.next_offset or "").encode()) > MAX_ID_BYTES:
        raise bad_request("NEXT_OFFSET_INVALID")
    results = tuple(read_result(call, given) for given in method.results)
    if len({result.id for result in results}) < len(results):
        raise bad_request("RESULT_ID_DUPLICATE")
    button = _button(call, method.button) if method.button else _old_button(method)
    answer = InlineAnswer(results, method.next_offset or "", button)
    cache_s = DEFAULT_CACHE_S if method.cache_time is None else method.cache_time
    call.world.inline.answer(query, answer, cache_s, is_personal=bool(method.is_personal))
    return True


def read_result(call: Call, given: Any) -> InlineResult:  # noqa: ANN401 - 21 unrelated models
    """Check one result as Telegram does.

    Raises:
        ApiError: its id, its file, its text or its keyboard is not acceptable, or it is of a
            kind the playground does not show.
    """
    if not 1 <= len(given.id.encode()) <= MAX_ID_BYTES:
        raise bad_request("RESULT_ID_INVALID")
    place = Place(is_private=False, allow_http=call.world.settings.allow_http)
    other = _other_content(given)
    row = InlineResult(
        id=given.id,
        type=str(given.type),
        title=getattr(given, "title", None) or "",
        description=getattr(given, "description", None) or "",
        content=other or Content(EMPTY),
        keyboard=inline_keyboard(given.reply_markup, place),
        thumbnail_url=getattr(given, "thumbnail_url", None),
    )
    if isinstance(given, InlineQueryResultArticle):
        if not given.title.strip():
            raise bad_request("ARTICLE_TITLE_EMPTY")
        return row
    return _with_file(call, given, row, other)


def _other_content(given: Any) -> Content | None:  # noqa: ANN401 - 21 unrelated models
    """Read the text that is sent in place of the result itself."""
    other = getattr(given, "input_message_content", None)
    if other is None:
        return None
    if not isinstance(other, InputTextMessageContent):
        raise bad_request(f"the playground does not show {type(other).__name__}")
    return Content(message_text(other.message_text, plain(other.parse_mode), other.entities))


def _with_file(call: Call, given: Any, row: InlineResult, other: Content | None) -> InlineResult:  # noqa: ANN401
    kind = _KINDS.get(row.type)
    if kind is None:
        raise bad_request(f"the playground does not show inline results of type {row.type}")
    name = "mpeg4" if row.type == "mpeg4_gif" else row.type
    file_id = getattr(given, f"{name}_file_id", None)
    if file_id is not None:
        media = call.world.files.resend(call.seat.bot.id, file_id, kind)
        return replace(row, content=other or shown(given, media), media=media)
    url = getattr(given, f"{name}_url", "")
    _check_address(given, row.type, url)
    said = shown(given, None)
    return replace(row, content=other or said, file_url=None if other else url, file_kind=kind)


def _check_address(given: object, kind: str, url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise bad_request(f"{kind.upper()}_CONTENT_URL_EMPTY")
    if isinstance(given, InlineQueryResultVideo) and given.mime_type not in {
        "text/html",
        "video/mp4",
    }:
        raise bad_request("VIDEO_CONTENT_TYPE_INVALID")
    if isinstance(given, InlineQueryResultDocument) and given.mime_type not in {
        "application/pdf",
        "application/zip",
    }:
        raise bad_request("Unallowed document MIME type")


def _button(call: Call, button: InlineQueryResultsButton) -> Json:
    if not button.text.strip():
        raise bad_request("BUTTON_TEXT_EMPTY")
    if (button.web_app is None) == (button.start_parameter is None):
        raise bad_request("BUTTON_TYPE_INVALID")
    if button.web_app:
        check_app_url(
            button.web_app.url, "inline query button", allow_http=call.world.settings.allow_http
        )
    else:
        check_start_parameter(button.start_parameter or "")
    return button.model_dump(mode="json", exclude_none=True)


def _old_button(method: AnswerInlineQuery) -> Json | None:
    """Read the button in the way of before Bot API 6.7."""
    if not method.switch_pm_text:
        return None
    check_start_parameter(method.switch_pm_parameter or "")
    return {"text": method.switch_pm_text, "start_parameter": method.switch_pm_parameter}


async def answer_web_app_query(call: Call, method: AnswerWebAppQuery) -> Json:
    """Send a result into the chat a Mini App was opened in, on behalf of its person."""
    app = call.world.apps.asked(call.seat.bot, method.web_app_query_id)
    result = read_result(call, method.result)
    call.spend(app.chat)
    message = await send_result(call.world, app.chat, app.person, app.bot, result)
    call.world.apps.answered(app)
    call.world.events.add("app_answered", app=app.id, chat=app.chat.key)
    return {"inline_message_id": message.inline_id} if message.inline_id else {}
