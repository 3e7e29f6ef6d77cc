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

from playground.api.call import Call, plain
from playground.errors import bad_request
from playground.keyboards import keyboards
from playground.markup import MAX_TEXT, formatted, message_text
from playground.model import Content, Json, Message

_ACTIONS: Final = frozenset(ChatAction)
_REACTIONS: Final = frozenset(
    "👍👎❤🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🕊🤡🥱🥴😍🐳🌚🌭💯🤣⚡🍌🏆💔🤨😐🍓🍾💋🖕😈😴😭🤓👻👀🎃🙈😇😨🤝✍🤗🫡🎅🎄☃💅🤪🗿🆒💘🙉🦄😘💊🙊😎👾😡"
)
_DELETABLE_S: Final = 48 * 3600
_MAX_DELETED: Final = 100


async def send_message(call: Call, method: SendMessage) -> Json:
    """Send a text of 1 to 4096 characters after parsing."""
    chat = call.chat(method.chat_id)
    text = message_text(method.text, plain(method.parse_mode), method.entities)
    reply_to = call.replied(chat, method)
    keyboard, changes, below = keyboards(method.reply_markup, in_private=chat.is_private)
    call.spend(chat)
    message = call.world.post(
        chat,
        call.seat.bot,
        Content(text),
        keyboard=keyboard,
        reply_to=reply_to,
        effect_id=method.message_effect_id,
    )
    if changes:
        call.world.set_reply_keyboard(chat, below)
    return call.seat.render.message(message)


async def send_message_draft(call: Call, method: SendMessageDraft) -> bool:
    """Show a text that is still being written; private chats only, gone after 30 seconds."""
    chat = call.chat(method.chat_id)
    if not chat.is_private:
        raise bad_request("TEXTDRAFT_PEER_INVALID")
    if method.draft_id == 0:
        raise bad_request("RANDOM_ID_INVALID")
    text = formatted(method.text, plain(method.parse_mode), method.entities)
    if len(text.text) > MAX_TEXT:
        raise bad_request("message is too long")
    call.world.events.add(
        "draft",
        chat=chat.key,
        draft_id=method.draft_id,
        text=text.text,
        entities=[entity.to_json() for entity in text.entities],
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
    marks = [mark.model_dump(mode="json", exclude_none=True) for mark in method.reaction or ()]
    if len(marks) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    for mark in marks:
        if mark["type"] != "emoji" or mark["emoji"].rstrip("\ufe0f") not in _REACTIONS:
            raise bad_request("REACTION_INVALID")
    message.reactions[call.seat.bot.id] = marks
    call.world.announce_edit(message)
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
