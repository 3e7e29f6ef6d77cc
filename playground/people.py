"""What people do: write, send files, press buttons, block a bot; and which bots get to see it."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Final

from playground import render
from playground.errors import bad_request
from playground.model import Bot, CallbackQuery, Chat, Content, Json, MediaKind, Message, Person
from playground.text import FormattedText, check_raw, finish
from playground.world import Seat, World

MAX_TEXT: Final = 4096
MAX_CAPTION: Final = 1024
MAX_FILES: Final = 10
_COMMAND: Final = re.compile(r"/\w+(?:@(\w+))?")


@dataclass(frozen=True)
class Attachment:
    """A file somebody sends."""

    content: bytes
    file_name: str
    mime_type: str | None = None


def _typed(text: str, limit: int) -> FormattedText:
    check_raw(text)
    result = finish(text, [])
    if len(result.text) > limit:
        raise bad_request("message is too long")
    return result


def write(
    world: World, chat: Chat, person: Person, text: str, reply_to: Message | None = None
) -> Message:
    """Send a text as a person.

    Raises:
        ApiError: the text is empty or over 4096 characters.
    """
    typed = _typed(text, MAX_TEXT)
    if not typed:
        raise bad_request("message text is empty")
    return _send(world, chat, person, [Content(typed)], reply_to)[0]


async def send_files(
    world: World,
    chat: Chat,
    person: Person,
    attachments: list[Attachment],
    caption: str = "",
    *,
    kind: MediaKind = "photo",
    reply_to: Message | None = None,
) -> list[Message]:
    """Send one file, or several as an album, the caption under the first.

    Raises:
        ApiError: no file or over ten, an unacceptable one, or a caption over 1024 characters.
    """
    if not 1 <= len(attachments) <= MAX_FILES:
        raise bad_request("from 1 to 10 files can be sent together")
    typed = _typed(caption, MAX_CAPTION)
    media = [
        await world.files.store(kind, given.content, given.file_name, given.mime_type)
        for given in attachments
    ]
    contents = [
        Content(typed if index == 0 else FormattedText(), item) for index, item in enumerate(media)
    ]
    return _send(world, chat, person, contents, reply_to)


def _send(
    world: World, chat: Chat, person: Person, contents: list[Content], reply_to: Message | None
) -> list[Message]:
    if person not in chat.people:
        raise bad_request("the person is not a member of this chat")
    if not chat.started or chat.blocked:
        chat.started, chat.blocked = True, False
        world.events.add("started", chat=chat.key)
    group_id = str(secrets.randbits(60)) if len(contents) > 1 else None
    sent = [
        world.post(chat, person, content, reply_to=reply_to, media_group_id=group_id)
        for content in contents
    ]
    for message in sent:
        for bot in chat.bots:
            seat = world.seats[bot.id]
            if _sees(bot, message):
                seat.updates.put("message", seat.render.message(message))
    return sent


def _sees(bot: Bot, message: Message) -> bool:
    """Apply privacy mode: in a group a bot gets commands, replies to it and its mentions."""
    if message.chat.is_private:
        return True
    if message.reply_to and message.reply_to.sender is bot:
        return True
    text = message.content.text.text
    if f"@{bot.username}".lower() in text.lower().split():
        return True
    command = _COMMAND.match(text)
    return bool(command and (command[1] or bot.username).lower() == bot.username.lower())


def press(
    world: World, chat: Chat, person: Person, message_id: int, row: int, column: int
) -> CallbackQuery:
    """Press a callback button under a bot's message.

    Raises:
        ApiError: there is no such message or button, or the button does not call back.
    """
    message = chat.messages.get(message_id)
    if message is None or person not in chat.people:
        raise bad_request("message not found")
    rows = message.keyboard["inline_keyboard"] if message.keyboard else []
    if not (0 <= row < len(rows) and 0 <= column < len(rows[row])):
        raise bad_request("there is no such button")
    button = rows[row][column]
    if "callback_data" not in button or not isinstance(message.sender, Bot):
        raise bad_request("the button does not call back")
    query = world.open_query(person, message, button["callback_data"])
    seat = world.seats[message.sender.id]
    seat.updates.put("callback_query", _query_json(seat, query))
    return query


def _query_json(seat: Seat, query: CallbackQuery) -> Json:
    instance = hashlib.sha256(f"{seat.bot.id}:{query.message.chat.key}".encode()).digest()
    return {
        "id": query.id,
        "from": render.user(query.person),
        "message": seat.render.message(query.message),
        "chat_instance": str(int.from_bytes(instance[:8], signed=True)),
        "data": query.data,
    }


def set_blocked(world: World, chat: Chat, *, blocked: bool) -> None:
    """Block a bot or let it in again; the bot is told by `my_chat_member`.

    Raises:
        ApiError: groups cannot block.
    """
    if not chat.is_private:
        raise bad_request("only a private chat can be blocked")
    if chat.blocked == blocked:
        return
    seat = world.seats[chat.bots[0].id]
    chat.blocked = blocked
    member = {"user": render.user(seat.bot), "status": "member"}
    banned = {"user": render.user(seat.bot), "status": "kicked", "until_date": 0}
    before, after = (member, banned) if blocked else (banned, member)
    change: Json = {
        "chat": render.chat(chat),
        "from": render.user(chat.people[0]),
        "date": int(world.clock()),
        "old_chat_member": before,
        "new_chat_member": after,
    }
    seat.updates.put("my_chat_member", change)
    world.events.add("blocked", chat=chat.key, blocked=blocked)
