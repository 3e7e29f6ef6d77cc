"""Changing a message that is already there. Leaving out reply_markup removes its keyboard."""

from aiogram.methods import (
    EditMessageCaption,
    EditMessageMedia,
    EditMessageReplyMarkup,
    EditMessageText,
)

from playground.api.albums import input_media
from playground.api.call import Call, plain
from playground.errors import bad_request
from playground.keyboards import Place, inline_keyboard
from playground.markup import caption, message_text
from playground.model import Content, Json, Message

Edit = EditMessageText | EditMessageCaption | EditMessageMedia | EditMessageReplyMarkup


def _editable(call: Call, method: Edit) -> Message:
    """Find the bot's own message that is to be changed.

    Raises:
        ApiError: no such message, or somebody else's.
    """
    if method.inline_message_id is not None:
        return call.world.inline.message(call.seat.bot, method.inline_message_id)
    chat = call.chat(method.chat_id)
    if method.message_id is None:
        raise bad_request("message identifier is not specified")
    message = chat.messages.get(method.message_id)
    if message is None:
        raise bad_request("message to edit not found")
    if message.sender is not call.seat.bot or message.forwarded or message.content.service:
        raise bad_request("message can't be edited")
    return message


def _apply(call: Call, method: Edit, message: Message, content: Content) -> Json | bool:
    is_invoice = content.invoice is not None
    place = Place(message.chat.is_private, call.world.settings.allow_http, is_invoice)
    keyboard = inline_keyboard(method.reply_markup, place)
    call.spend(message.chat)
    if message.chat.messages.get(message.id) is not message:
        # It was deleted while an upload was being encoded.
        raise bad_request("message to edit not found")
    call.world.edit(message, content, keyboard)
    # Of an inline message a bot sees no more than its id.
    return True if method.inline_message_id else call.seat.render.message(message)


async def edit_message_text(call: Call, method: EditMessageText) -> Json | bool:
    """Change the text of a text message."""
    message = _editable(call, method)
    if message.content.media is not None or message.content.invoice is not None:
        raise bad_request("there is no text in the message to edit")
    if method.rich_message is not None:
        raise bad_request("the playground does not show rich messages")
    text = message_text(method.text, plain(method.parse_mode), method.entities)
    return _apply(call, method, message, Content(text))


async def edit_message_caption(call: Call, method: EditMessageCaption) -> Json | bool:
    """Change the caption under a file; leaving it out removes it."""
    message = _editable(call, method)
    before = message.content
    if before.media is None:
        raise bad_request("there is no caption in the message to edit")
    text = caption(method.caption, plain(method.parse_mode), method.caption_entities)
    above = bool(plain(method.show_caption_above_media))
    return _apply(call, method, message, Content(text, before.media, before.has_spoiler, above))


async def edit_message_media(call: Call, method: EditMessageMedia) -> Json | bool:
    """Put another file in place of a text or a file; an album keeps its kind.

    An inline message takes no upload, only a file that is known or has an address.
    """
    message = _editable(call, method)
    if message.content.invoice is not None:
        raise bad_request("message can't be edited")
    if method.inline_message_id and str(method.media.media).startswith("attach://"):
        raise bad_request("Invalid message content specified")
    content = await input_media(call, method.media)
    if message.media_group_id is not None:
        _check_album(message, content)
    return _apply(call, method, message, content)


def _check_album(message: Message, content: Content) -> None:
    before, after = message.content.media, content.media
    if before is None or after is None:
        return
    if after.kind == "animation":
        raise bad_request("Message content type can't be used in an album")
    visual = {"photo", "video"}
    if before.kind != after.kind and not {before.kind, after.kind} <= visual:
        raise bad_request("Can't change media type in the album")


async def edit_message_reply_markup(call: Call, method: EditMessageReplyMarkup) -> Json | bool:
    """Change or remove the keyboard alone."""
    message = _editable(call, method)
    return _apply(call, method, message, message.content)
