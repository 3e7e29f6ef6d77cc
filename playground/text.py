"""Text with entities, the way Telegram counts it.

Lengths of texts are in Unicode code points; offsets and lengths of entities are in UTF-16 code
units. This module converts between the two, trims, and finds commands, mentions and links.
Parsing of HTML and Markdown lives in `markup_html` and `markup_markdown`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Final

from playground.errors import bad_request

MAX_TEXT: Final = 4096
MAX_CAPTION: Final = 1024
MAX_RAW_BYTES: Final = 32768
MAX_ENTITIES: Final = 100


@dataclass(frozen=True)
class Entity:
    """A marked piece of a text.

    Attributes:
        offset, length: in code points inside this package's parsers, in UTF-16 code units once
            part of a FormattedText.
    """

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None
    custom_emoji_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Show the entity as a Bot API MessageEntity."""
        fields = {"url": self.url, "language": self.language}
        fields["custom_emoji_id"] = self.custom_emoji_id
        named = {name: value for name, value in fields.items() if value is not None}
        return {"type": self.type, "offset": self.offset, "length": self.length, **named}


@dataclass(frozen=True)
class FormattedText:
    """A text ready to be stored: trimmed, with entities in UTF-16 units, sorted."""

    text: str = ""
    entities: tuple[Entity, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.text)


EMPTY: Final = FormattedText()

_OUTER: Final = (
    "blockquote",
    "expandable_blockquote",
    "text_link",
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
)
_AUTOMATIC: Final = (
    ("bot_command", re.compile(r"(?<![\w/@<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?!\w)")),
    (
        "url",
        re.compile(
            r"(?<![\w@])(?:https?://[^\s<>\"]*[\w/#=&]|www\.[^\s<>\"./]+\.[^\s<>\"]*[\w/])"
        ),
    ),
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+(?!\w)")),
    ("mention", re.compile(r"(?<![\w@/])@[A-Za-z][A-Za-z0-9_]{3,31}(?!\w)")),
    ("hashtag", re.compile(r"(?<![\w#])#(?=\w*[^\W\d_])\w{1,256}")),
    ("cashtag", re.compile(r"(?<![\w$])\$[A-Z]{1,8}(?!\w)")),
)


def check_raw(text: str) -> None:
    """Refuse a text before anything is looked for in it.

    Raises:
        ApiError: it is over 32768 bytes.
    """
    if len(text.encode()) > MAX_RAW_BYTES:
        raise bad_request("text is too long")


def utf16_length(text: str) -> int:
    """Count UTF-16 code units."""
    return sum(2 if ord(char) > 0xFFFF else 1 for char in text)


def from_utf16(text: str, entities: Iterable[Entity]) -> list[Entity]:
    """Turn a bot's own entities (UTF-16) into code point offsets.

    Raises:
        ApiError: an entity lies outside the text or cuts a character in two.
    """
    starts = [0, *accumulate(2 if ord(char) > 0xFFFF else 1 for char in text)]
    position = {units: index for index, units in enumerate(starts)}
    converted = []
    for entity in entities:
        end = entity.offset + entity.length
        if entity.offset < 0 or entity.length < 0 or end > starts[-1]:
            raise bad_request(
                f"entity beginning at UTF-16 offset {entity.offset} "
                f"ends after the end of the text at UTF-16 offset {end}"
            )
        for edge, verb in ((entity.offset, "begins"), (end, "ends")):
            if edge not in position:
                raise bad_request(
                    f"entity {verb} in a middle of a UTF-16 symbol at UTF-16 offset {edge}"
                )
        first = position[entity.offset]
        converted.append(replace(entity, offset=first, length=position[end] - first))
    return converted


def finish(text: str, entities: Sequence[Entity]) -> FormattedText:
    """Trim a parsed text as Telegram does, find automatic entities, and count in UTF-16.

    Of equal entities one is kept, and of all of them the first 100.

    Args:
        text: after parsing, without markup.
        entities: offsets in code points of `text`.
    """
    cleaned = "".join(_without_control(char) for char in text)
    last = len(cleaned.rstrip())
    first = min(len(cleaned) - len(cleaned.lstrip()), last)
    kept = [0] * (len(cleaned) + 1)
    for index in range(len(cleaned)):
        inside = first <= index < last and cleaned[index] != "\r"
        kept[index + 1] = kept[index] + inside
    result = cleaned[first:last].replace("\r", "")
    moved = [_moved(entity, kept) for entity in entities]
    same = {(entity.type, entity.offset, entity.length): entity for entity in moved}
    marked = [entity for entity in same.values() if entity.length > 0]
    everything = sorted([*marked, *_automatic(result, marked)], key=_nesting_order)
    return FormattedText(result, tuple(_to_utf16(result, everything[:MAX_ENTITIES])))


def _nesting_order(entity: Entity) -> tuple[int, int, int]:
    """Sort outer entities before inner ones; of equal ones, the more usual outer kind first."""
    rank = _OUTER.index(entity.type) if entity.type in _OUTER else len(_OUTER)
    return entity.offset, -entity.length, rank


def _without_control(char: str) -> str:
    return " " if ord(char) < 32 and char not in "\n\t\r" else char


def _moved(entity: Entity, kept: Sequence[int]) -> Entity:
    start, end = kept[entity.offset], kept[entity.offset + entity.length]
    return replace(entity, offset=start, length=end - start)


def _automatic(text: str, marked: Sequence[Entity]) -> list[Entity]:
    """Find what Telegram marks by itself, outside of code, links and each other."""
    taken = bytearray(len(text))  # one byte a character: 1 where something is marked already

    def take(start: int, end: int) -> None:
        taken[start:end] = b"\1" * (end - start)

    for entity in marked:
        if entity.type in {"code", "pre", "text_link", "text_mention"}:
            take(entity.offset, entity.offset + entity.length)
    found = []
    for kind, pattern in _AUTOMATIC:
        for match in pattern.finditer(text):
            start, end = match.span()
            if taken.find(1, start, end) < 0:
                take(start, end)
                found.append(Entity(kind, start, end - start))
    return found


def _to_utf16(text: str, entities: Iterable[Entity]) -> Iterable[Entity]:
    starts = [0, *accumulate(2 if ord(char) > 0xFFFF else 1 for char in text)]
    for entity in entities:
        start, end = starts[entity.offset], starts[entity.offset + entity.length]
        yield replace(entity, offset=start, length=end - start)
