"""From what a bot sends (text, parse mode, entities) to a text ready to be stored."""

from collections.abc import Sequence
from typing import Final

from aiogram.types import MessageEntity

from playground.errors import bad_request
from playground.markup_html import parse_html
from playground.markup_markdown import parse_markdown, parse_markdown_v2
from playground.text import (
    MAX_CAPTION,
    MAX_TEXT,
    Entity,
    FormattedText,
    check_raw,
    finish,
    from_utf16,
)

_PARSERS: Final = {
    "html": parse_html,
    "markdownv2": parse_markdown_v2,
    "markdown": parse_markdown,
}


def formatted(
    text: str | None, parse_mode: str | None, entities: Sequence[MessageEntity] | None
) -> FormattedText:
    """Parse and trim a text; a parse mode wins over entities, as in Telegram.

    Raises:
        ApiError: unknown parse mode, broken markup, entities outside the text, or a raw text
            over 32768 bytes.
    """
    source = text or ""
    check_raw(source)
    if parse_mode:
        parser = _PARSERS.get(parse_mode.lower())
        if parser is None:
            raise bad_request("unsupported parse_mode")
        return finish(*parser(source))
    return finish(source, from_utf16(source, [_entity(given) for given in entities or ()]))


def message_text(
    text: str | None, parse_mode: str | None, entities: Sequence[MessageEntity] | None
) -> FormattedText:
    """Format a message's text: 1 to 4096 code points after parsing.

    Raises:
        ApiError: as `formatted`, or the text is empty or too long.
    """
    result = formatted(text, parse_mode, entities)
    if not result.text:
        raise bad_request("message text is empty")
    if len(result.text) > MAX_TEXT:
        raise bad_request("message is too long")
    return result


def caption(
    text: str | None, parse_mode: str | None, entities: Sequence[MessageEntity] | None
) -> FormattedText:
    """Format a caption: up to 1024 code points after parsing.

    Raises:
        ApiError: as `formatted`, or the caption is too long.
    """
    result = formatted(text, parse_mode, entities)
    if len(result.text) > MAX_CAPTION:
        raise bad_request("message caption is too long")
    return result


def _entity(given: MessageEntity) -> Entity:
    return Entity(
        given.type,
        given.offset,
        given.length,
        url=given.url,
        language=given.language,
        custom_emoji_id=given.custom_emoji_id,
    )
