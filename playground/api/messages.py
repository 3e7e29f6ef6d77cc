"""Sending text, showing activity, reacting and deleting."""

from typing import Final

from aiogram.enums import ChatAction
from aiogram.methods import (
    DeleteMessage,
    DeleteMessages,
    SendChatAction,
    SendMessage,
    SendMessageDraft,
    SetMessageReaction,
)

from playground import reactions
from playground.api.call import Call, plain
from playground.api.posting import post
from playground.errors import bad_request
from playground.markup import formatted, message_text
from playground.model import Content, Json, Message
from playground.text import MAX_TEXT

_ACTIONS: Final = frozenset(ChatAction)
_DELETABLE_S: Final = 48 * 3600
_MAX_DELETED: Final = 100


async def send_message(call: Call, method: SendMessage) -> Json:
    """Send a text of 1 to 4096 characters after parsing."""
    call.chat(method.chat_id)
    text = message_text(method.text, plain(method.parse_mode), method.entities)
    return call.seat.render.message(post(call, method, Content(text)))


async def send_message_draft(call: Call, method: SendMessageDraft) -> bool:
    """Show a text that is still being written; private chats only, gone after 30 seconds.

    Once the person has stopped it, further drafts of its id are taken but not shown.
    """
    chat = call.chat(method.chat_id)
    if not chat.is_private:
        raise bad_request("TEXTDRAFT_PEER_INVALID")
    if method.draft_id == 0:
        raise bad_request("RANDOM_ID_INVALID")
    text = formatted(method.text, plain(method.parse_mode), method.entities)
    if len(text.text) > MAX_TEXT:
        raise bad_request("message is too long")
    can_stop, keep = bool(method.can_stop), bool(method.keep_on_stop)
    if call.world.drafts.write(chat.key, method.draft_id, can_stop=can_stop, keep_on_stop=keep):
        call.world.events.add(
            "draft",
            chat=chat.key,
            draft_id=method.draft_id,
            text=text.text,
            entities=[entity.to_json() for entity in text.entities],
            can_stop=can_stop,
            keep_on_stop=keep,
        )
    return True


async def send_chat_action(call: Call, method: SendChatAction) -> bool:
    """Say what the bot is doing, for five seconds or until its next message."""
    chat = call.chat(method.chat_id)
    if method.action not in _ACTIONS:
        raise bad_request("Wrong parameter action in request")
    call.world.events.add("action", chat=chat.key, bot=call.seat.bot.id, action=str(method.action))
    return True


async def set_message_reaction(call: Call, method: SetMessageReaction) -> bool:
    """Put the bot's one reaction under a message, or take it away."""
    chat = call.chat(method.chat_id)
    message = chat.messages.get(method.message_id)
    if message is None:
        raise bad_request("message to react not found")
    given = [mark.model_dump(mode="json", exclude_none=True) for mark in method.reaction or ()]
    carrier = reactions.target(message)
    reactions.put(carrier, call.seat.bot.id, reactions.checked(given))
    call.world.announce_edit(carrier)
    return True


async def delete_message(call: Call, method: DeleteMessage) -> bool:
    """Delete a message younger than 48 hours; in a group only the bot's own."""
    chat = call.chat(method.chat_id)
    message = chat.messages.get(method.message_id)
    if message is None:
        raise bad_request("message to delete not found")
    if not _may_delete(call, message):
        raise bad_request("message can't be deleted")
    call.world.delete(chat, [message.id])
    return True


async def delete_messages(call: Call, method: DeleteMessages) -> bool:
    """Delete up to 100 messages; those not found are passed over."""
    chat = call.chat(method.chat_id)
    if not method.message_ids:
        raise bad_request("message identifiers are not specified")
    if len(method.message_ids) > _MAX_DELETED:
        raise bad_request("too many message identifiers specified")
    found = [chat.messages[number] for number in method.message_ids if number in chat.messages]
    if not all(_may_delete(call, message) for message in found):
        raise bad_request("message can't be deleted")
    call.world.delete(chat, [message.id for message in found])
    return True


def _may_delete(call: Call, message: Message) -> bool:
    age_s = call.world.clock() - message.date
    mine = message.sender is call.seat.bot
    return age_s < _DELETABLE_S and (mine or message.chat.is_private)
