"""Sending photos, documents and albums."""

import secrets
from typing import Final

from aiogram.methods import SendDocument, SendMediaGroup, SendPhoto
from aiogram.types import (
    InputMediaAudio,
    InputMediaDocument,
    InputMediaPhoto,
    InputMediaVideo,
)

from playground.api.attachments import resolve
from playground.api.call import Call, plain
from playground.errors import bad_request
from playground.keyboards import keyboards
from playground.markup import caption
from playground.model import Content, Json, Media

MIN_ALBUM: Final = 2
MAX_ALBUM: Final = 10
AlbumItem = InputMediaAudio | InputMediaDocument | InputMediaPhoto | InputMediaVideo


async def send_photo(call: Call, method: SendPhoto) -> Json:
    """Send a picture; it is encoded anew, in several sizes."""
    call.chat(method.chat_id)
    media = await resolve(call, method.photo, "photo")
    above = bool(plain(method.show_caption_above_media))
    return _send_one(call, method, media, spoiler=bool(method.has_spoiler), above=above)


async def send_document(call: Call, method: SendDocument) -> Json:
    """Send a file as it is, byte for byte."""
    call.chat(method.chat_id)
    media = await resolve(call, method.document, "document")
    return _send_one(call, method, media)


def _send_one(
    call: Call,
    method: SendPhoto | SendDocument,
    media: Media,
    *,
    spoiler: bool = False,
    above: bool = False,
) -> Json:
    chat = call.chat(method.chat_id)
    text = caption(method.caption, plain(method.parse_mode), method.caption_entities)
    reply_to = call.replied(chat, method)
    keyboard, changes, below = keyboards(method.reply_markup, in_private=chat.is_private)
    call.spend(chat)
    message = call.world.post(
        chat,
        call.seat.bot,
        Content(text, media, spoiler, above),
        keyboard=keyboard,
        reply_to=reply_to,
        effect_id=method.message_effect_id,
    )
    if changes:
        call.world.set_reply_keyboard(chat, below)
    return call.seat.render.message(message)


async def send_media_group(call: Call, method: SendMediaGroup) -> list[Json]:
    """Send 2 to 10 photos and videos, or documents only, or audio only, as one album."""
    chat = call.chat(method.chat_id)
    if not method.media:
        raise bad_request("There are no messages to send")
    if len(method.media) > MAX_ALBUM:
        raise bad_request("Too many messages to send as an album")
    if len(method.media) < MIN_ALBUM:
        raise bad_request("media group must include 2-10 items")
    kinds = {_family(str(item.type)) for item in method.media}
    if len(kinds) > 1:
        raise bad_request("Document can't be mixed with other media types")
    contents = [await album_item(call, item) for item in method.media]
    reply_to = call.replied(chat, method)
    call.spend(chat, len(contents))
    group_id = str(secrets.randbits(60))
    sent = [
        call.world.post(chat, call.seat.bot, content, reply_to=reply_to, media_group_id=group_id)
        for content in contents
    ]
    return [call.seat.render.message(message) for message in sent]


def _family(kind: str) -> str:
    """Name the kind of album an item belongs to."""
    return "visual" if kind in {"photo", "video"} else kind


async def album_item(call: Call, item: object) -> Content:
    """Read one InputMedia of an album.

    Raises:
        ApiError: a type that no album takes, or the file's own refusals.
    """
    text_of = item if isinstance(item, AlbumItem) else None
    if text_of is None:
        raise bad_request("Message content type can't be used in an album")
    text = caption(text_of.caption, plain(text_of.parse_mode), text_of.caption_entities)
    if isinstance(item, InputMediaPhoto):
        media = await resolve(call, item.media, "photo")
        above = bool(plain(item.show_caption_above_media))
        return Content(text, media, bool(item.has_spoiler), above)
    if isinstance(item, InputMediaVideo):
        frame = (item.width or 0, item.height or 0)
        media = await resolve(
            call, item.media, "video", frame_px=frame, duration_s=item.duration or 0
        )
        return Content(text, media, bool(item.has_spoiler))
    if isinstance(item, InputMediaAudio):
        return Content(text, await resolve(call, item.media, "audio"))
    return Content(text, await resolve(call, text_of.media, "document"))
