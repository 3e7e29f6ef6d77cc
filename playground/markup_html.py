"""Telegram's HTML: a small fixed set of tags, four named entities, and its own error sentences."""

import re
from dataclasses import dataclass
from typing import Final

from playground.errors import ApiError, bad_request
from playground.text import Entity

_TAGS: Final = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
_NAMED: Final = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_CHARACTER: Final = re.compile(r"&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(lt|gt|amp|quot));?")
_ATTRIBUTE: Final = re.compile(
    r"([a-zA-Z][\w-]*+)\s*+(=)?\s*+(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>=]++))?"
)
_TAG: Final = re.compile(r"<(/?)([^\s/>]*)((?:\"[^\"]*\"|'[^']*'|[^>\"'])*)>")


@dataclass
class _Open:
    tag: str
    attributes: dict[str, str]
    start: int
    byte_offset: int


def _cannot_parse(sentence: str) -> ApiError:
    return bad_request(f"can't parse entities: {sentence}")


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Split HTML into text and entities with offsets in code points.

    Raises:
        ApiError: `can't parse entities: ...` for an unknown, unclosed or crossed tag.
    """
    parts: list[str] = []
    length = position = byte_offset = counted = 0
    stack: list[_Open] = []
    entities: list[Entity] = []
    while position < len(source):
        if source[position] == "<":
            match = _TAG.match(source, position)
            byte_offset += len(source[counted:position].encode())
            counted = position
            if match is None:
                raise _cannot_parse(f"Unclosed start tag at byte offset {byte_offset}")
            if match[1]:
                entities.extend(_close(stack, match[2].lower(), length, byte_offset))
            else:
                stack.append(_open(match[2].lower(), match[3], length, byte_offset))
            position = match.end()
            continue
        char, position = _character(source, position)
        parts.append(char)
        length += 1
    if stack:
        raise _cannot_parse(f'Can\'t find end tag corresponding to start tag "{stack[-1].tag}"')
    return "".join(parts), entities


def _character(source: str, position: int) -> tuple[str, int]:
    """Read one character or character reference; an unknown reference stays as typed."""
    match = _CHARACTER.match(source, position)
    if match is None:
        return source[position], position + 1
    if match[3]:
        return _NAMED[match[3]], match.end()
    code = int(match[1]) if match[1] else int(match[2], 16)
    if code == 0 or code > 0x10FFFF or 0xD800 <= code < 0xE000:
        return source[position], position + 1
    return chr(code), match.end()


def _open(tag: str, rest: str, start: int, byte_offset: int) -> _Open:
    if tag not in _TAGS:
        raise _cannot_parse(f'Unsupported start tag "{tag}" at byte offset {byte_offset}')
    attributes = {}
    for match in _ATTRIBUTE.finditer(rest):
        value = next((group for group in match.groups()[2:] if group is not None), "")
        attributes[match[1].lower()] = parse_references(value)
    if tag == "span" and attributes.get("class") != "tg-spoiler":
        raise _cannot_parse(
            f'Tag "span" must have class "tg-spoiler" at byte offset {byte_offset}'
        )
    return _Open(tag, attributes, start, byte_offset)


def parse_references(value: str) -> str:
    """Replace character references in an attribute's value."""
    parts, position = [], 0
    while position < len(value):
        char, position = _character(value, position)
        parts.append(char)
    return "".join(parts)


def _close(stack: list[_Open], tag: str, end: int, byte_offset: int) -> list[Entity]:
    if not stack:
        raise _cannot_parse(f"Unexpected end tag at byte offset {byte_offset}")
    opened = stack.pop()
    if tag not in {"", opened.tag}:
        raise _cannot_parse(
            f"Unmatched end tag at byte offset {byte_offset}, "
            f'expected "</{opened.tag}>", found "</{tag}>"'
        )
    entity = _entity(opened, end, stack)
    return [entity] if entity else []


def _entity(opened: _Open, end: int, stack: list[_Open]) -> Entity | None:
    kind, length = _TAGS[opened.tag], end - opened.start
    attributes = opened.attributes
    if kind == "text_link":
        url = attributes.get("href", "")
        return Entity(kind, opened.start, length, url=url) if url else None
    if kind == "custom_emoji":
        return Entity(kind, opened.start, length, custom_emoji_id=attributes.get("emoji-id"))
    if kind == "blockquote" and "expandable" in attributes:
        kind = "expandable_blockquote"
    language = None
    if opened.tag == "code" and stack and stack[-1].tag == "pre":
        # <pre><code class="language-x"> is one block; the inner tag only names its language.
        css = attributes.get("class", "")
        stack[-1].attributes["language"] = css.removeprefix("language-")
        return None
    if kind == "pre":
        language = attributes.get("language") or None
    return Entity(kind, opened.start, length, language=language)
