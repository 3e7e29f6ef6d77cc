"""From what a language model says to words that can be drawn. Pure text, no model."""

import re
import unicodedata
from collections.abc import Callable
from typing import Final

from pipelines.prompting.chat import REFUSED, STOP, UNUSABLE, Answer, NoAnswer

_THOUGHTS: Final = re.compile(r"<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_MARKERS: Final = re.compile(r"</?s>|<\|.*", re.DOTALL)
"""Tokens of control that a server let through; after ``<|`` comes nothing meant for anyone."""

_COURTESY: Final = re.compile(
    r"(?:sure|certainly|of course|okay|absolutely)(?: thing)?[!,.:]\s*"
    r"|here(?:'s| is| are)\b[^:.]{0,120}:\s*"
    r"|(?:(?:text[- ]to[- ]image|image|expanded|improved|enhanced|detailed|best|final|english|the)"
    r"\s+)*(?:prompt|translation|description|answer|assistant)\s*:\s*",
    re.IGNORECASE,
)
_REFUSAL: Final = re.compile(
    r"(?:(?:i'?m|i am)(?: (?:so|very|truly))? sorry|sorry\b|my apologies|i apologi[sz]e"
    r"|unfortunately,? i\b|as an ai\b|i(?:'m| am) (?:unable|not able)\b"
    r"|i (?:can(?:no|')?t|can not|won't|will not|must decline)\b)",
    re.IGNORECASE,
)
_QUOTES: Final = (('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»"), ("`", "`"))
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_SENTENCE_ENDS: Final = re.compile(r"[.!?;](?=\s|$)")
_LOOP_WORDS: Final = 12
"""A text of so many words of which less than a third are different goes round in circles."""


def drawable(answer: Answer) -> str | NoAnswer:
    """Take the words to draw out of an answer, or say why there are none.

    Returns:
        One line without control characters, politeness, labels or quotes around it.
    """
    text = _THOUGHTS.sub(" ", answer.text).split(STOP)[0]
    text = _plain(_MARKERS.sub(" ", text))
    if _REFUSAL.match(text.replace("’", "'")):
        return NoAnswer(REFUSED)
    text = _bare(text)
    if _REFUSAL.match(text.replace("’", "'")):
        return NoAnswer(REFUSED)
    if not answer.is_whole:
        text = _ended(text)
    return text if _says_something(text) else NoAnswer(UNUSABLE)


def fitted(words: str, fits: Callable[[str], bool]) -> str:
    """Cut to what fits, at the end of a sentence if one is near, else at a comma or a word.

    Args:
        words: one line.
        fits: whether so much can be read; true of everything shorter than what it is true of.

    Returns:
        At least the first word.
    """
    if fits(words):
        return words
    parts = words.split(" ")
    fitting, too_many = 1, len(parts)
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        if fits(" ".join(parts[:middle])):
            fitting = middle
        else:
            too_many = middle
    return _ended(" ".join(parts[:fitting]))


def _plain(text: str) -> str:
    """Put everything on one line, without what cannot be seen."""
    text = text.replace("**", "").replace("```", " ")
    spaced = "".join(" " if char.isspace() else char for char in text)
    seen = "".join(char for char in spaced if unicodedata.category(char) not in _UNSEEN)
    return " ".join(seen.split())


def _bare(text: str) -> str:
    """Strip what stands around the words, in whatever order it does."""
    while True:
        before = text
        text = _unquoted(_COURTESY.sub("", text, count=1) if _COURTESY.match(text) else text)
        if text == before:
            return text


def _unquoted(text: str) -> str:
    for opening, closing in _QUOTES:
        if text.startswith(opening):
            end, is_apostrophe = text.rfind(closing, 1), closing in "'’"
            # What stands behind the quote is talk about it.
            if end == len(text) - 1 or (not is_apostrophe and end > len(text) // 2):
                return text[1:end].strip()
            if end == -1 and not is_apostrophe:  # the answer was cut before the quote ended
                return text[1:].strip()
    return text


def _ended(text: str) -> str:
    """Leave out a last sentence that was cut short, if it is not most of the text."""
    sentences = [found.end() for found in _SENTENCE_ENDS.finditer(text)]
    for end in (max(sentences, default=0), text.rfind(",")):
        if end > len(text) // 2:
            return text[:end].rstrip(" ,")
    return text.rstrip(" ,")


def _says_something(text: str) -> bool:
    letters = sum(unicodedata.category(char).startswith("L") for char in text)
    words = text.lower().split()
    is_loop = len(words) >= _LOOP_WORDS and len(set(words)) * 3 < len(words)
    return (
        letters >= 2
        and letters * 2 >= len(text) - text.count(" ")
        and not is_loop
        and ("<think" not in text.lower())
    )
