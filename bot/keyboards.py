"""Inline keyboards from typed presses, the same look everywhere."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from aiogram.filters.callback_data import CallbackData
from aiogram.types import CopyTextButton, InlineKeyboardButton, InlineKeyboardMarkup

from bot.texts import Texts

Row = Sequence[InlineKeyboardButton]

SEPARATOR: Final = "|"
"""Between the fields of a press: ratios and times have a colon of their own."""
COPIED_MAX_CHARS: Final = 256


def button(label: str, press: CallbackData) -> InlineKeyboardButton:
    """One button."""
    return InlineKeyboardButton(text=label, callback_data=press.pack())


def choice(label: str, press: CallbackData, *, is_chosen: bool) -> InlineKeyboardButton:
    """One button of several, of which one is in force."""
    return button(f"✓ {label}" if is_chosen else label, press)


def keyboard(rows: Iterable[Row]) -> InlineKeyboardMarkup:
    """Put rows together, leaving out empty ones."""
    return InlineKeyboardMarkup(inline_keyboard=[list(row) for row in rows if row])


def copying(label: str, text: str) -> InlineKeyboardButton:
    """One button that copies ``text``, of 1 to :data:`COPIED_MAX_CHARS` characters."""
    return InlineKeyboardButton(text=label, copy_text=CopyTextButton(text=text))


def style_rows(
    styles: Sequence[str], chosen: str, press: Callable[[str], CallbackData], texts: Texts
) -> list[Row]:
    """These styles, two to a row; ``press`` is what choosing a style sends."""
    buttons = [
        choice(texts(f"style-{style}"), press(style), is_chosen=style == chosen)
        for style in styles
    ]
    return [buttons[at : at + 2] for at in range(0, len(buttons), 2)]
