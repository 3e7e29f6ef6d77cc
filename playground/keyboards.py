"""Checks of `reply_markup` as Telegram makes them, and its JSON as it is kept."""

import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from aiogram.types import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
)
from pydantic import BaseModel

from playground.errors import bad_request
from playground.model import Json

MAX_CALLBACK_BYTES: Final = 64
MAX_BUTTONS: Final = 100
MAX_MARKUP_BYTES: Final = 65_536  # of JSON; more than any client shows, so that memory has an end
MAX_COPY_TEXT: Final = 256
MAX_PLACEHOLDER: Final = 64
_ACTIONS: Final = (
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
    "disabled",
)


@dataclass(frozen=True)
class Place:
    """Where a keyboard will be, which decides what its buttons may do.

    Attributes:
        is_private: Mini App buttons are allowed in private chats alone.
        allow_http: whether a Mini App may do without TLS.
        is_invoice: an invoice may have a pay button, as its first.
    """

    is_private: bool
    allow_http: bool = False
    is_invoice: bool = False


def inline_keyboard(markup: BaseModel | None, place: Place) -> Json | None:
    """Check an inline keyboard and give its JSON; an empty keyboard is none.

    Raises:
        ApiError: another kind of markup, a button Telegram would refuse, over 100 buttons, or
            over 64 KiB of JSON.
    """
    if markup is None:
        return None
    if not isinstance(markup, InlineKeyboardMarkup):
        raise bad_request("inline keyboard expected")
    rows = [row for row in markup.inline_keyboard if row]
    if sum(len(row) for row in rows) > MAX_BUTTONS:
        raise bad_request("reply markup is too long")
    for row in rows:
        for button in row:
            _check(button, place)
    if not rows:
        return None
    _check_pay_button(rows, place)
    dumped = [
        [button.model_dump(mode="json", exclude_none=True) for button in row] for row in rows
    ]
    return _bounded({"inline_keyboard": dumped})


def reply_keyboard(markup: BaseModel | None, place: Place) -> tuple[bool, Json | None]:
    """Tell whether a markup changes the keyboard under the composer, and to what.

    Raises:
        ApiError: a button without text, or one of a Mini App that may not be there, or a
            placeholder over 64 characters.
    """
    placeholder = getattr(markup, "input_field_placeholder", None) or ""
    if len(placeholder) > MAX_PLACEHOLDER:
        raise bad_request("input field placeholder is too long")
    if isinstance(markup, ReplyKeyboardRemove):
        return True, None
    if not isinstance(markup, ReplyKeyboardMarkup):
        return False, None
    for button in (button for row in markup.keyboard for button in row):
        if not button.text.strip():
            raise bad_request("keyboard button text must be non-empty")
        if button.web_app is not None:
            if not place.is_private:
                raise bad_request("BUTTON_TYPE_INVALID")
            check_app_url(button.web_app.url, "keyboard button", allow_http=place.allow_http)
    return True, _bounded(markup.model_dump(mode="json", exclude_none=True))


def _bounded(markup: Json) -> Json:
    if len(json.dumps(markup)) > MAX_MARKUP_BYTES:
        raise bad_request("reply markup is too long")
    return markup


def keyboards(markup: BaseModel | None, place: Place) -> tuple[Json | None, bool, Json | None]:
    """Read the markup of a new message: under the message, or under the composer.

    Returns:
        The inline keyboard, and what `reply_keyboard` tells.

    Raises:
        ApiError: a button Telegram would refuse.
    """
    inline = markup if isinstance(markup, InlineKeyboardMarkup) else None
    return inline_keyboard(inline, place), *reply_keyboard(markup, place)


def check_app_url(url: str, where: str, *, allow_http: bool) -> None:
    """Check the address of a Mini App.

    Raises:
        ApiError: it is none, or has no TLS where `allow_http` does not waive that.
    """
    parts = _parts(url)
    schemes = {"https", "http"} if allow_http else {"https"}
    if parts.scheme not in schemes or not parts.hostname:
        what = "Wrong HTTP URL" if parts.scheme in schemes else "Only HTTPS links are allowed"
        raise bad_request(f"{where} Web App URL '{url}' is invalid: {what}")


def _check(button: InlineKeyboardButton, place: Place) -> None:
    if not button.text.strip():
        raise bad_request("inline keyboard button text must be non-empty")
    actions = [name for name in _ACTIONS if getattr(button, name) is not None]
    if not actions:
        raise bad_request("Text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise bad_request("BUTTON_TYPE_INVALID")
    if button.style not in {None, "primary", "success", "danger"}:
        raise bad_request("BUTTON_STYLE_INVALID")
    _check_action(button, place)


def _check_action(button: InlineKeyboardButton, place: Place) -> None:
    data = button.callback_data
    if data is not None and not 1 <= len(data.encode()) <= MAX_CALLBACK_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    if button.copy_text and not 1 <= len(button.copy_text.text) <= MAX_COPY_TEXT:
        raise bad_request("BUTTON_COPY_TEXT_INVALID")
    if button.url is not None:
        _check_url(button.url)
    if button.web_app is None:
        return
    if not place.is_private:
        raise bad_request("BUTTON_TYPE_INVALID")
    check_app_url(button.web_app.url, "inline keyboard button", allow_http=place.allow_http)


def _check_pay_button(rows: list[list[InlineKeyboardButton]], place: Place) -> None:
    """A pay button is the first of an invoice's keyboard, and nowhere else."""
    paying = [button for row in rows for button in row if button.pay]
    first = rows[0][0]
    if place.is_invoice != bool(paying) or any(button is not first for button in paying):
        raise bad_request("BUTTON_TYPE_INVALID")


def _parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")  # a host that is none, such as a torn IPv6 address


def _check_url(url: str) -> None:
    parts = _parts(url)
    if parts.scheme not in {"http", "https", "tg"} or not parts.netloc:
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
