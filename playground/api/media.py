"""Sending one file: a photo, a document, a video, an animation, sound."""

from typing import Protocol

from aiogram.client.default import Default
from aiogram.methods import (
    SendAnimation,
    SendAudio,
    SendDocument,
    SendPhoto,
    SendVideo,
    SendVoice,
)
from aiogram.types import MessageEntity

from playground.api.attachments import details, resolve, with_thumbnail
from playground.api.call import Call, plain
from playground.api.posting import post
from playground.files import Details
from playground.markup import caption
from playground.model import Content, Json, Media
from playground.text import FormattedText

_Flag = bool | Default | None


class _Captioned(Protocol):
    """Anything with a caption: a method, an album's item, an inline result."""

    @property
    def caption(self) -> str | None: ...
    @property
    def parse_mode(self) -> str | Default | None: ...
    @property
    def caption_entities(self) -> list[MessageEntity] | None: ...


def caption_of(said: _Captioned) -> FormattedText:
    """Parse a caption; see `markup.caption`."""
    return caption(said.caption, plain(said.parse_mode), said.caption_entities)


def shown(said: _Captioned, media: Media | None) -> Content:
    """Put a file and its caption together, with the flags of those kinds that have them."""
    above: _Flag = getattr(said, "show_caption_above_media", None)
    spoiler: _Flag = getattr(said, "has_spoiler", None)
    return Content(caption_of(said), media, bool(plain(spoiler)), bool(plain(above)))


async def send_photo(call: Call, method: SendPhoto) -> Json:
    """Send a picture; it is encoded anew, in several sizes."""
    call.chat(method.chat_id)
    return _sent(call, method, await resolve(call, method.photo, "photo"))


async def send_document(call: Call, method: SendDocument) -> Json:
    """Send a file as it is, byte for byte."""
    call.chat(method.chat_id)
    said = with_thumbnail(call, method.thumbnail, Details())
    return _sent(call, method, await resolve(call, method.document, "document", said))


async def send_video(call: Call, method: SendVideo) -> Json:
    """Send a video as it is; what the call leaves out is read from the file."""
    call.chat(method.chat_id)
    return _sent(call, method, await resolve(call, method.video, "video", details(call, method)))


async def send_animation(call: Call, method: SendAnimation) -> Json:
    """Send a GIF or a silent video that plays by itself; it stays as it is."""
    call.chat(method.chat_id)
    said = details(call, method)
    return _sent(call, method, await resolve(call, method.animation, "animation", said))


async def send_audio(call: Call, method: SendAudio) -> Json:
    """Send music for the player."""
    call.chat(method.chat_id)
    named = Details(
        duration_s=method.duration or 0, title=method.title, performer=method.performer
    )
    said = with_thumbnail(call, method.thumbnail, named)
    return _sent(call, method, await resolve(call, method.audio, "audio", said))


async def send_voice(call: Call, method: SendVoice) -> Json:
    """Send a voice message."""
    call.chat(method.chat_id)
    said = Details(duration_s=method.duration or 0)
    return _sent(call, method, await resolve(call, method.voice, "voice", said))


def _sent(
    call: Call,
    method: SendPhoto | SendDocument | SendVideo | SendAnimation | SendAudio | SendVoice,
    media: Media,
) -> Json:
    return call.seat.render.message(post(call, method, shown(method, media)))
