"""One call that lets a person act: write, send files, press a button. Page and tests share it."""

from typing import Any

from playground import page_view, people
from playground.arguments import Arguments, parse_json
from playground.errors import bad_request
from playground.model import Chat, Json, Message, Person
from playground.world import World


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


def integer(value: object, name: str) -> int:
    """Read a whole number from a form or JSON.

    Raises:
        ApiError: it is none.
    """
    try:
        return int(str(value))
    except ValueError as error:
        raise bad_request(f"{name} must be a number") from error


async def act(world: World, arguments: Arguments) -> Json:
    """Do what a person does.

    Args:
        world: where it happens.
        arguments: fields `person` and `chat` (see `find_person`, `find_chat`), and either `press`
            ({"message_id", "row", "column"}) or `text`, `reply_to` and uploads, sent `as`
            "photo" or "document".

    Returns:
        `{"query": id}` of a press, else `{"messages": [...]}` as the page sees them.

    Raises:
        ApiError: whatever is wrong with it.
    """
    fields = arguments.fields
    person = find_person(world, fields.get("person"))
    chat = find_chat(world, fields.get("chat"), person)
    if "press" in fields:
        place = _place(fields["press"])
        query = people.press(world, chat, person, *place)
        return {"query": query.id}
    text, reply_to = str(fields.get("text", "")), _reply_to(chat, fields.get("reply_to"))
    if not arguments.uploads:
        sent = [people.write(world, chat, person, text, reply_to)]
    else:
        attachments = [
            people.Attachment(upload.content, upload.file_name, upload.mime_type)
            for upload in arguments.uploads.values()
        ]
        sent = await people.send_files(
            world,
            chat,
            person,
            attachments,
            text,
            kind="document" if fields.get("as") == "document" else "photo",
            reply_to=reply_to,
        )
    return {"messages": [page_view.message(message) for message in sent]}


def _reply_to(chat: Chat, number: object) -> Message | None:
    return chat.messages.get(integer(number, "reply_to")) if number else None


def _place(press: Any) -> tuple[int, int, int]:  # noqa: ANN401 - JSON
    parsed = press
    if isinstance(press, str):
        try:
            parsed = parse_json(press)
        except ValueError as error:
            raise bad_request("press must be a JSON object") from error
    if not isinstance(parsed, dict) or "message_id" not in parsed:
        raise bad_request("press needs a message_id")
    names = ("message_id", "row", "column")
    first, row, column = (integer(parsed.get(name, 0), name) for name in names)
    return first, row, column
