"""What a person does in inline mode: ask a bot from any chat, and send one of its results."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from playground import page_view, render
from playground.errors import bad_request
from playground.fetching import store_from
from playground.inline import InlineQuery, InlineResult, new_inline_id
from playground.model import Bot, Chat, Content, Json, Message, Person
from playground.people import deliver, enter
from playground.world import World

MAX_QUERY: Final = 256
WAIT_S: Final = 25.0


def ask(
    world: World, chat: Chat, person: Person, bot: Bot, text: str, offset: str = ""
) -> InlineQuery:
    """Type something behind a bot's name, in any chat.

    Raises:
        ApiError: the bot has no inline mode, or the text is over 256 characters.
    """
    if not bot.inline.enabled:
        raise bad_request("BOT_INLINE_DISABLED")
    if len(text) > MAX_QUERY:
        raise bad_request("QUERY_TOO_LONG")
    query = world.inline.ask(person, bot, chat, text, offset)
    if query.answer is None:
        update: Json = {
            "id": query.id,
            "from": render.user(person),
            "query": text,
            "offset": offset,
            "chat_type": query.chat_type(),
        }
        world.seats[bot.id].updates.put("inline_query", update)
    return query


async def wait_for_answer(query: InlineQuery, timeout_s: float = WAIT_S) -> Json:
    """Show the results of a question to the page, once they are there."""
    with suppress(TimeoutError):
        await asyncio.wait_for(query.answered.wait(), timeout_s)
    answer = query.answer
    return {
        "query": query.id,
        "results": [_row(query, result) for result in answer.results] if answer else [],
        "next_offset": answer.next_offset if answer else "",
        "button": answer.button if answer else None,
        "timed_out": answer is None,
    }


def _row(query: InlineQuery, result: InlineResult) -> Json:
    frame = result.media.file if result.media else None
    preview = page_view.media(result.media)["preview"] if result.media else None
    if preview is None and result.thumbnail_url:
        preview = f"/page/inline/thumbnail?query={query.id}&result={quote(result.id, safe='')}"
    return {
        "id": result.id,
        "type": result.type,
        "title": result.title,
        "description": result.description,
        "preview": preview,
        "text": result.content.text.text[:200],
        "width": frame.width_px if frame else 0,
        "height": frame.height_px if frame else 0,
    }


async def choose(
    world: World, chat: Chat, person: Person, query_id: str, result_id: str
) -> Message:
    """Send a result into the chat where it was asked for, "via" the bot.

    Raises:
        ApiError: no such question or result, or a file by address that cannot be had.
    """
    query = world.inline.find(query_id, person)
    if query.chat is not chat:
        raise bad_request("QUERY_ID_INVALID")
    result = world.inline.chosen(query, result_id)
    message = await send_result(world, chat, person, query.bot, result)
    if query.bot.inline.feedback:
        told: Json = {"result_id": result.id, "from": render.user(person), "query": query.text}
        if message.inline_id:
            told["inline_message_id"] = message.inline_id
        world.seats[query.bot.id].updates.put("chosen_inline_result", told)
    return message


async def send_result(
    world: World, chat: Chat, person: Person, bot: Bot, result: InlineResult
) -> Message:
    """Post a result as a person; only one with a keyboard may be edited by the bot later.

    Raises:
        ApiError: its file cannot be had.
    """
    content = await _content(world, result)
    enter(world, chat, person)
    message = world.post(
        chat,
        person,
        content,
        keyboard=result.keyboard,
        via=bot,
        inline_id=new_inline_id() if result.keyboard else None,
    )
    world.inline.remember(message)
    deliver(world, message)
    return message


async def _content(world: World, result: InlineResult) -> Content:
    if result.file_url is None:
        return result.content
    media = await store_from(world, result.file_kind, result.file_url)
    return replace(result.content, media=media)
