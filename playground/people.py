"""What people do: write, send files, press buttons, block a bot; and which bots get to see it."""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from playground import render
from playground.containers import read_clip
from playground.errors import bad_request
from playground.model import Bot, CallbackQuery, Chat, Content, Json, MediaKind, Message, Person
from playground.pictures import is_picture
from playground.text import MAX_CAPTION, MAX_TEXT, FormattedText, check_raw, finish
from playground.world import Seat, World, new_album_id

MAX_FILES: Final = 10
# MP3, with and without a tag; Ogg; FLAC.
_SOUNDS: Final = (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"OggS", b"fLaC")
_COMMAND: Final = re.compile(r"/\w+(?:@(\w+))?")


@dataclass(frozen=True)
class Attachment:
    """A file somebody sends."""

    content: bytes
    file_name: str
    mime_type: str | None = None


def typed(text: str, limit: int) -> FormattedText:
    """Finish a text somebody typed.

    Raises:
        ApiError: it is over `limit` characters.
    """
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
    said = typed(text, MAX_TEXT)
    if not said:
        raise bad_request("message text is empty")
    return _send(world, chat, person, [Content(said)], reply_to)[0]


async def send_files(
    world: World,
    chat: Chat,
    person: Person,
    attachments: list[Attachment],
    caption: str = "",
    *,
    kind: MediaKind | None = "photo",
    reply_to: Message | None = None,
) -> list[Message]:
    """Send one file, or several as an album, the caption under the first.

    All are sent as `kind`; None tells each by its bytes.

    Raises:
        ApiError: no file or over ten, an unacceptable one, or a caption over 1024 characters.
    """
    if not 1 <= len(attachments) <= MAX_FILES:
        raise bad_request("from 1 to 10 files can be sent together")
    said = typed(caption, MAX_CAPTION)
    alone = len(attachments) == 1
    media = [
        await world.files.store(
            await asyncio.to_thread(_recognised, given, alone) if kind is None else kind,
            given.content,
            given.file_name,
            given.mime_type,
        )
        for given in attachments
    ]
    contents = [
        Content(said if index == 0 else FormattedText(), item) for index, item in enumerate(media)
    ]
    return _send(world, chat, person, contents, reply_to)


def _recognised(given: Attachment, alone: bool) -> MediaKind:
    """Tell what a file is by its bytes; a GIF plays only where it stands alone."""
    clip = read_clip(given.content)
    if clip and clip.container == "gif":
        return "animation" if alone else "photo"
    if clip:
        return "video" if clip.width_px else "audio"
    if given.content.startswith(_SOUNDS):
        return "audio"
    return "photo" if is_picture(given.content) else "document"


def _is_album(contents: list[Content]) -> bool:
    """Tell whether files go together: photos and videos do, other kinds only among themselves."""
    kinds = {content.media.kind for content in contents if content.media}
    return len(contents) > 1 and (len(kinds) == 1 or kinds == {"photo", "video"})


def _send(
    world: World, chat: Chat, person: Person, contents: list[Content], reply_to: Message | None
) -> list[Message]:
    enter(world, chat, person)
    group_id = new_album_id() if _is_album(contents) else None
    sent = [
        world.post(chat, person, content, reply_to=reply_to, media_group_id=group_id)
        for content in contents
    ]
    for message in sent:
        deliver(world, message)
    return sent


def enter(world: World, chat: Chat, person: Person) -> None:
    """Begin a chat by writing into it, and let a blocked bot in again.

    Raises:
        ApiError: the person is not in the chat.
    """
    if person not in chat.people:
        raise bad_request("the person is not a member of this chat")
    if not chat.started or chat.blocked:
        chat.started, chat.blocked = True, False
        world.events.add("started", chat=chat.key)


def deliver(world: World, message: Message, kind: str = "message") -> None:
    """Hand a person's message to the bots that get to see it."""
    for bot in message.chat.bots:
        seat = world.seats[bot.id]
        if bot.id not in message.chat.kicked and _sees(bot, message):
            seat.updates.put(kind, seat.render.message(message))


def _sees(bot: Bot, message: Message) -> bool:
    """Apply privacy mode: in a group a bot gets what is meant for it.

    That is commands, replies to it, its mentions, events, and messages sent via it.
    """
    if message.chat.is_private or message.via is bot or message.content.service is not None:
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
    if "callback_data" not in button:
        raise bad_request("the button does not call back")
    query = world.presses.open(person, message, button["callback_data"])
    seat = world.seats[query.bot.id]
    seat.updates.put("callback_query", _query_json(seat, query))
    return query


def _query_json(seat: Seat, query: CallbackQuery) -> Json:
    instance = hashlib.sha256(f"{seat.bot.id}:{query.message.chat.key}".encode()).digest()
    message = query.message
    # Of an inline result the bot knows the inline_message_id alone.
    about = (
        {"inline_message_id": message.inline_id}
        if message.inline_id
        else {"message": seat.render.message(message)}
    )
    return {
        "id": query.id,
        "from": render.user(query.person),
        **about,
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
    _tell_of_own_membership(world, seat, chat, is_out=blocked)
    world.events.add("blocked", chat=chat.key, blocked=blocked)


def set_kicked(world: World, chat: Chat, bot: Bot, *, kicked: bool) -> None:
    """Put a bot out of a group or take it in again; it is told by `my_chat_member`.

    Raises:
        ApiError: nobody is put out of a private chat, or the bot was never in the group.
    """
    if chat.is_private or bot not in chat.bots:
        raise bad_request("only a bot of a group can be kicked")
    if (bot.id in chat.kicked) == kicked:
        return
    (chat.kicked.add if kicked else chat.kicked.remove)(bot.id)
    _tell_of_own_membership(world, world.seats[bot.id], chat, is_out=kicked)
    world.events.add("kicked", chat=chat.key, bot=bot.id, kicked=kicked)


def _tell_of_own_membership(world: World, seat: Seat, chat: Chat, *, is_out: bool) -> None:
    member = {"user": render.user(seat.bot), "status": "member"}
    banned = {"user": render.user(seat.bot), "status": "kicked", "until_date": 0}
    before, after = (member, banned) if is_out else (banned, member)
    change: Json = {
        "chat": render.chat(chat),
        "from": render.user(chat.people[0]),
        "date": int(world.clock()),
        "old_chat_member": before,
        "new_chat_member": after,
    }
    seat.updates.put("my_chat_member", change)
