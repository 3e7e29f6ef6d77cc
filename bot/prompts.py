"""What people type, made fit for drawing: cleaned, measured, and cut where it is shown."""

import unicodedata
from typing import Final

from bot.jobs.job import Rejected
from pipelines.requests import TEXT_MAX_CHARS

_TURNS_TEXT_AROUND: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Overrides of the writing direction: they garble what stands beside them in a caption.

Right-to-left languages do not need them, and keep their marks.
"""
_SEPARATORS: Final = frozenset("\t\n\v\f\r\x85\u2028\u2029")
_GLUE: Final = "\u200d\ufe0e\ufe0f"


class PromptEmpty(Rejected):
    """Nothing that can be seen was typed; 1 to ``limit`` characters are taken."""

    code = "error-prompt-empty"


class PromptTooLong(Rejected):
    """``length`` characters where at most ``limit`` are taken."""

    code = "error-prompt-too-long"


def clean(text: str) -> str:
    """Drop what cannot be seen or spoken; line breaks become spaces, the ends are trimmed."""
    spaced = "".join(" " if char in _SEPARATORS else char for char in text)
    kept = (
        char
        for char in spaced
        if unicodedata.category(char) not in {"Cc", "Cs"} and char not in _TURNS_TEXT_AROUND
    )
    return "".join(kept).strip()


def checked_prompt(text: str) -> str:
    """Clean a prompt and check its length.

    Raises:
        PromptEmpty: nothing visible is left.
        PromptTooLong: more than :data:`pipelines.text_to_image.TEXT_MAX_CHARS` code points.
    """
    prompt = clean(text)
    if not any(unicodedata.category(char) not in {"Zs", "Cf", "Mn"} for char in prompt):
        raise PromptEmpty(limit=str(TEXT_MAX_CHARS))
    if len(prompt) > TEXT_MAX_CHARS:
        raise PromptTooLong(length=str(len(prompt)), limit=str(TEXT_MAX_CHARS))
    return prompt


def utf16_length(text: str) -> int:
    """Return the length in the unit Telegram counts in."""
    return len(text.encode("utf-16-le")) // 2


def shortened(text: str, limit: int) -> str:
    """Cut ``text`` to ``limit`` UTF-16 units, the last being "…" if anything was cut.

    Nothing is cut inside an emoji of joined characters, or before a skin tone or an accent; the
    two letters of a flag may be parted.
    """
    if utf16_length(text) <= limit:
        return text
    taken = 0
    end = 0
    for end, char in enumerate(text):  # noqa: B007 - the index after the loop is the answer
        taken += utf16_length(char)
        if taken > limit - 1:
            break
    while end > 0 and (_joins(text[end]) or text[end - 1] == _GLUE[0]):
        end -= 1
    return text[:end].rstrip() + "…"


def _joins(char: str) -> bool:
    """Whether a character belongs to the one before it."""
    is_skin_tone = 0x1F3FB <= ord(char) <= 0x1F3FF
    return char in _GLUE or is_skin_tone or unicodedata.combining(char) != 0
