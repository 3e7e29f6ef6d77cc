"""People, bots, chats and messages as JSON, and back: what a state file holds.

References become ids and keys; whoever reads a record back looks them up in the world.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final, TypeAlias

from pydantic import TypeAdapter

from playground.model import (
    Bot,
    Chat,
    Content,
    InlineMode,
    Invoice,
    Json,
    Media,
    Message,
    Origin,
    Person,
)
from playground.payments import Payment

_CONTENT: Final = TypeAdapter(Content)
_INVOICE: Final = TypeAdapter(Invoice)
_MEDIA: Final = TypeAdapter(Media)
Accounts: TypeAlias = Callable[[int], Person | Bot]


def person_record(person: Person) -> Json:
    """Write a person."""
    return asdict(person)


def person_from(record: Json) -> Person:
    """Read a person."""
    return Person(**record)


def bot_record(bot: Bot) -> Json:
    """Write a bot; keys that are no strings become lists of pairs."""
    return {
        **asdict(bot),
        "commands": [[*key, commands] for key, commands in bot.commands.items()],
        "menu_buttons": list(bot.menu_buttons.items()),
    }


def bot_from(record: Json) -> Bot:
    """Read a bot."""
    commands = {(scope, language): rows for scope, language, rows in record["commands"]}
    buttons = {int(chat_id): button for chat_id, button in record["menu_buttons"]}
    inline = InlineMode(**record["inline"])
    more = {"commands": commands, "menu_buttons": buttons, "inline": inline}
    return Bot(**{**record, **more})


def chat_record(chat: Chat) -> Json:
    """Write a chat without its messages."""
    return {
        "key": chat.key,
        "id": chat.id,
        "kind": chat.kind,
        "people": [person.id for person in chat.people],
        "bots": [bot.id for bot in chat.bots],
        "next_message_id": chat.next_message_id,
        "title": chat.title,
        "reply_keyboard": chat.reply_keyboard,
        "started": chat.started,
        "blocked": chat.blocked,
        "kicked": sorted(chat.kicked),
    }


def chat_from(record: Json, people: dict[int, Person], bots: dict[int, Bot]) -> Chat:
    """Read a chat; its messages are added afterwards."""
    more = {
        "people": [people[number] for number in record["people"]],
        "bots": [bots[number] for number in record["bots"]],
        "kicked": set(record["kicked"]),
    }
    return Chat(**{**record, **more})


def message_record(message: Message) -> Json:
    """Write a message, and once what it replies to."""
    forwarded = message.forwarded
    return {
        "id": message.id,
        "sender": message.sender.id,
        "date": message.date,
        "content": _CONTENT.dump_python(message.content, mode="json"),
        "keyboard": message.keyboard,
        "reply_to": message_record(message.reply_to) if message.reply_to else None,
        "media_group_id": message.media_group_id,
        "edit_date": message.edit_date,
        "effect_id": message.effect_id,
        "reactions": list(message.reactions.items()),
        "forwarded": [forwarded.sender.id, forwarded.date] if forwarded else None,
        "via": message.via.id if message.via else None,
        "inline_id": message.inline_id,
        "is_protected": message.is_protected,
    }


def message_from(record: Json, chat: Chat, account: Accounts) -> Message:
    """Read a message of a chat."""
    forwarded, via, original = record["forwarded"], record["via"], record["reply_to"]
    more: dict[str, Any] = {
        "sender": account(record["sender"]),
        "content": _CONTENT.validate_python(record["content"]),
        "reply_to": message_from(original, chat, account) if original else None,
        "reactions": {int(number): marks for number, marks in record["reactions"]},
        "forwarded": Origin(account(forwarded[0]), forwarded[1]) if forwarded else None,
        "via": account(via) if via else None,
    }
    return Message(**{**record, **more, "chat": chat})


def media_record(media: Media) -> Json:
    """Write what is known of a file; its bytes lie beside."""
    record: Json = _MEDIA.dump_python(media, mode="json")
    return record


def media_from(record: Json) -> Media:
    """Read what is known of a file."""
    return _MEDIA.validate_python(record)


def invoice_record(invoice: Invoice) -> Json:
    """Write an invoice behind a link."""
    record: Json = _INVOICE.dump_python(invoice, mode="json")
    return record


def invoice_from(record: Json) -> Invoice:
    """Read an invoice."""
    return _INVOICE.validate_python(record)


def payment_record(payment: Payment) -> Json:
    """Write a payment."""
    return asdict(payment)


def payment_from(record: Json) -> Payment:
    """Read a payment."""
    return Payment(**record)
