"""One call that lets a person act: write, send files, press a button. Page and tests share it."""

from typing import Final

from playground import people
from playground.acts import ACTS, Scene, shown
from playground.arguments import Arguments
from playground.errors import bad_request
from playground.given import Given, integer
from playground.model import Chat, Json, MediaKind, Message, Person
from playground.world import World

# None: each file as what it is.
_KINDS: Final[dict[str, MediaKind | None]] = {"document": "document", "media": None}


def find_person(world: World, number: object) -> Person:
    """Find a person by id; without one, the first.

    Raises:
        ApiError: nobody has that id.
    """
    if number in (None, ""):
        return next(iter(world.people.values()))
    person = world.people.get(integer(number, "person"))
    if person is None:
        raise bad_request("person not found")
    return person


def find_chat(world: World, key: object, person: Person) -> Chat:
    """Find a chat by its key; without one, the person's chat with the first bot.

    Raises:
        ApiError: there is no such chat, or the person is not in it.
    """
    bot_id = next(iter(world.seats))
    chat = world.chats.get(str(key or f"{bot_id}-{person.id}"))
    if chat is None or person not in chat.people:
        raise bad_request("chat not found")
    return chat


async def act(world: World, arguments: Arguments) -> Json:
    """Do what a person does.

    Args:
        world: where it happens.
        arguments: fields `person` and `chat` (see `find_person`, `find_chat`), and either one of
            `acts.ACTS` with an object, such as `press` with {"message_id", "row", "column"}, or
            `text`, `reply_to` and uploads, sent `as` "photo", "document", or "media": each file
            as what it is.

    Returns:
        What the act gives, such as `{"query": id}` of a press; of what was written
        `{"messages": [...]}` as the page sees them.

    Raises:
        ApiError: whatever is wrong with it.
    """
    fields = arguments.fields
    person = find_person(world, fields.get("person"))
    chat = find_chat(world, fields.get("chat"), person)
    for name, perform in ACTS.items():
        if name in fields:
            return await perform(Scene(world, person, chat), Given.of(fields, name))
    text, reply_to = str(fields.get("text", "")), _reply_to(chat, fields.get("reply_to"))
    if not arguments.uploads:
        return shown([people.write(world, chat, person, text, reply_to)])
    attachments = [
        people.Attachment(upload.content, upload.file_name, upload.mime_type)
        for upload in arguments.uploads.values()
    ]
    kind = _KINDS.get(str(fields.get("as")), "photo")
    return shown(
        await people.send_files(
            world, chat, person, attachments, text, kind=kind, reply_to=reply_to
        )
    )


def _reply_to(chat: Chat, number: object) -> Message | None:
    return chat.messages.get(integer(number, "reply_to")) if number else None
