"""Albums: 2 to 10 files sent as one, and the InputMedia they are made of."""

from typing import Final

from aiogram.methods import SendMediaGroup
from aiogram.types import (
    InputMediaAnimation,
    InputMediaAudio,
    InputMediaDocument,
    InputMediaPhoto,
    InputMediaVideo,
)

from playground.api.attachments import details, resolve, with_thumbnail
from playground.api.call import Call, plain
from playground.api.media import shown
from playground.errors import bad_request
from playground.files import Details
from playground.model import Content, Json
from playground.world import new_album_id

MIN_ALBUM: Final = 2
MAX_ALBUM: Final = 10


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
        alone = "Document" if "document" in kinds else "Audio"
        raise bad_request(f"{alone} can't be mixed with other media types")
    contents = [await album_item(call, item) for item in method.media]
    call.chat(method.chat_id)  # again: while files were encoded the bot may have been put out
    reply_to = call.replied(chat, method)
    call.spend(chat, len(contents))
    group_id = new_album_id()
    sent = [
        call.world.post(
            chat,
            call.seat.bot,
            content,
            reply_to=reply_to,
            media_group_id=group_id,
            effect_id=method.message_effect_id,
            is_protected=bool(plain(method.protect_content)),
        )
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
    if isinstance(item, InputMediaAnimation):
        raise bad_request("Message content type can't be used in an album")
    return await input_media(call, item)


async def input_media(call: Call, item: object) -> Content:
    """Read an InputMedia that stands alone.

    Raises:
        ApiError: a type the playground does not show, or the file's own refusals.
    """
    if isinstance(item, InputMediaPhoto):
        return shown(item, await resolve(call, item.media, "photo"))
    if isinstance(item, InputMediaVideo):
        return shown(item, await resolve(call, item.media, "video", details(call, item)))
    if isinstance(item, InputMediaAnimation):
        return shown(item, await resolve(call, item.media, "animation", details(call, item)))
    if isinstance(item, InputMediaAudio):
        named = Details(duration_s=item.duration or 0, title=item.title, performer=item.performer)
        said = with_thumbnail(call, item.thumbnail, named)
        return shown(item, await resolve(call, item.media, "audio", said))
    if isinstance(item, InputMediaDocument):
        said = with_thumbnail(call, item.thumbnail, Details())
        return shown(item, await resolve(call, item.media, "document", said))
    raise bad_request("Message content type can't be used in an album")
