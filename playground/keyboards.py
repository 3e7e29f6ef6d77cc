"""Checks of `reply_markup` as Telegram makes them, and its JSON as it is kept."""

from typing import Final
from urllib.parse import urlsplit

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
MAX_COPY_TEXT: Final = 256
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


def inline_keyboard(markup: BaseModel | None, *, in_private: bool) -> Json | None:
    """Check an inline keyboard and give its JSON; an empty keyboard is none.

    Mini App buttons are allowed in private chats alone, hence `in_private`.

    Raises:
        ApiError: another kind of markup, or a button Telegram would refuse.
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
            _check(button, in_private=in_private)
    if not rows:
        return None
    dumped = [
        [button.model_dump(mode="json", exclude_none=True) for button in row] for row in rows
    ]
    return {"inline_keyboard": dumped}


def reply_keyboard(markup: BaseModel | None) -> tuple[bool, Json | None]:
    """Tell whether a markup changes the keyboard under the composer, and to what.

    Raises:
        ApiError: a button without text.
    """
    if isinstance(markup, ReplyKeyboardRemove):
        return True, None
    if not isinstance(markup, ReplyKeyboardMarkup):
        return False, None
    if any(not button.text.strip() for row in markup.keyboard for button in row):
        raise bad_request("keyboard button text must be non-empty")
    return True, markup.model_dump(mode="json", exclude_none=True)


def keyboards(
    markup: BaseModel | None, *, in_private: bool
) -> tuple[Json | None, bool, Json | None]:
    """Read the markup of a new message: under the message, or under the composer.

    Returns:
        The inline keyboard, and what `reply_keyboard` tells.

    Raises:
        ApiError: a button Telegram would refuse.
    """
    inline = markup if isinstance(markup, InlineKeyboardMarkup) else None
    return inline_keyboard(inline, in_private=in_private), *reply_keyboard(markup)


def _check(button: InlineKeyboardButton, *, in_private: bool) -> None:
    if not button.text.strip():
        raise bad_request("inline keyboard button text must be non-empty")
    actions = [name for name in _ACTIONS if getattr(button, name) is not None]
    if not actions:
        raise bad_request("Text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise bad_request("BUTTON_TYPE_INVALID")
    if button.style not in {None, "primary", "success", "danger"}:
        raise bad_request("BUTTON_STYLE_INVALID")
    _check_action(button, in_private=in_private)


def _check_action(button: InlineKeyboardButton, *, in_private: bool) -> None:
    data = button.callback_data
    if data is not None and not 1 <= len(data.encode()) <= MAX_CALLBACK_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    if button.copy_text and not 1 <= len(button.copy_text.text) <= MAX_COPY_TEXT:
        raise bad_request("BUTTON_COPY_TEXT_INVALID")
    if button.url is not None:
        _check_url(button.url)
    if button.web_app is None:
        return
    if not in_private:
        raise bad_request("BUTTON_TYPE_INVALID")
    if urlsplit(button.web_app.url).scheme != "https":
        raise bad_request(
            f"inline keyboard button Web App URL '{button.web_app.url}' is invalid: "
            "Only HTTPS links are allowed"
        )


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https", "tg"} or not parts.netloc:
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
