"""Copying and forwarding messages from one chat to another."""

from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from aiogram.methods import CopyMessage, CopyMessages, ForwardMessage, ForwardMessages

from playground.api.call import Call, plain
from playground.api.media import caption_of
from playground.api.posting import post
from playground.errors import bad_request
from playground.forwarding import may_be_copied, may_be_forwarded, send_on
from playground.model import Json, Message
from playground.text import EMPTY

MAX_COPIED: Final = 100


async def copy_message(call: Call, method: CopyMessage) -> Json:
    """Send a message's content anew, without a trace of where it is from."""
    call.chat(method.chat_id)
    original = call.chat(method.from_chat_id).messages.get(method.message_id)
    if original is None:
        raise bad_request("message to copy not found")
    if not may_be_copied(original):
        raise bad_request("message can't be copied")
    content = original.content
    if content.media and method.caption is not None:
        above = bool(plain(method.show_caption_above_media))
        content = replace(content, text=caption_of(method), caption_above=above)
    return {"message_id": post(call, method, content).id}


async def forward_message(call: Call, method: ForwardMessage) -> Json:
    """Send a message on, naming who wrote it first."""
    call.chat(method.chat_id)
    original = call.chat(method.from_chat_id).messages.get(method.message_id)
    if original is None:
        raise bad_request("message to forward not found")
    if not may_be_forwarded(original):
        raise bad_request("message can't be forwarded")
    [sent] = _send_on(call, method, [original], forwarding=True)
    return call.seat.render.message(sent)


async def copy_messages(call: Call, method: CopyMessages) -> list[Json]:
    """Copy up to 100 messages in order; those that cannot be copied are passed over."""
    found = _found(call, method)
    originals = [message for message in found if may_be_copied(message)]
    if not originals:
        raise bad_request("there are no messages to copy")
    if method.remove_caption:
        originals = [_without_caption(message) for message in originals]
    sent = _send_on(call, method, originals, forwarding=False)
    return [{"message_id": message.id} for message in sent]


async def forward_messages(call: Call, method: ForwardMessages) -> list[Json]:
    """Forward up to 100 messages in order; those that cannot be are passed over."""
    originals = [message for message in _found(call, method) if may_be_forwarded(message)]
    if not originals:
        raise bad_request("there are no messages to forward")
    sent = _send_on(call, method, originals, forwarding=True)
    return [{"message_id": message.id} for message in sent]


def _found(call: Call, method: CopyMessages | ForwardMessages) -> list[Message]:
    """Find the messages a plural method means.

    Raises:
        ApiError: none or over 100 are named, or not in strictly increasing order.
    """
    call.chat(method.chat_id)
    numbers = method.message_ids
    if not numbers:
        raise bad_request("message identifiers are not specified")
    if len(numbers) > MAX_COPIED:
        raise bad_request("too many message identifiers specified")
    if any(after <= before for before, after in pairwise(numbers)):
        raise bad_request("message identifiers must be in a strictly increasing order")
    known = call.chat(method.from_chat_id).messages
    return [known[number] for number in numbers if number in known]


def _without_caption(message: Message) -> Message:
    content = message.content
    return replace(message, content=replace(content, text=EMPTY)) if content.media else message


def _send_on(
    call: Call,
    method: Any,  # noqa: ANN401 - three methods
    originals: list[Message],
    *,
    forwarding: bool,
) -> list[Message]:
    """Post originals into another chat; an album stays one album under a new id."""
    chat = call.chat(method.chat_id)
    call.spend(chat, len(originals))
    return send_on(
        call.world,
        chat,
        call.seat.bot,
        originals,
        forwarding=forwarding,
        is_protected=bool(plain(method.protect_content)),
    )
