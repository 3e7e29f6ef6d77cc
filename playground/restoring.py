"""Making a world again from a state file."""

import sqlite3
from typing import Final

from playground import records
from playground.errors import StateError
from playground.model import Bot, Person
from playground.state import StateFile
from playground.updates import Update
from playground.world import Webhook, World

# Ids given out in the moments that were lost are not given out again.
_LOST_IDS: Final = 1000


def load(world: World, file: StateFile) -> bool:
    """Fill an empty world from a state file; False where the file is new.

    Raises:
        StateError: the file holds something else.
    """
    try:
        return _load(world, file)
    except (sqlite3.Error, LookupError, TypeError, ValueError) as error:
        raise StateError(f"The state file {file.path} cannot be read: {error!r}.") from error


def _load(world: World, file: StateFile) -> bool:
    bots = [records.bot_from(record) for record in file.read("bot")]
    if not bots:
        return False
    for record in file.read("person"):
        if record.pop("deactivated"):
            world.deactivated.add(record["id"])
        world.people[record["id"]] = records.person_from(record)
    for bot in bots:
        world.take_seat(bot)
    accounts = {bot.id: bot for bot in bots}
    for record in file.read("chat"):
        chat = records.chat_from(record, world.people, accounts)
        chat.next_message_id = max(chat.next_message_id + _LOST_IDS, world.born)
        world.chats[chat.key] = chat
    _load_messages(world, file, {**world.people, **accounts})
    world.files.restore(records.media_from(record) for record in file.read("media"))
    _load_queues(world, file)
    for record in file.read("invoice"):
        world.till.offer(records.invoice_from(record))
    for record in file.read("payment"):
        world.till.restore(records.payment_from(record))
    return True


def _load_messages(world: World, file: StateFile, accounts: dict[int, Person | Bot]) -> None:
    for key, record in file.messages():
        chat = world.chats[key]
        message = records.message_from(record, chat, accounts.__getitem__)
        chat.messages[message.id] = message
        world.inline.remember(message)


def _load_queues(world: World, file: StateFile) -> None:
    waiting: dict[int, list[Update]] = {}
    for bot_id, body in file.pending():
        waiting.setdefault(bot_id, []).append(Update(*body))
    for record in file.read("seat"):
        seat = world.seats[record["bot"]]
        seat.updates.allow(record["allowed"])
        seat.updates.restore(waiting.get(seat.bot.id, []), record["last_id"] + _LOST_IDS)
        if record["webhook"]:
            seat.set_webhook(Webhook(*record["webhook"]))
            seat.updates.first_poll.set()  # the bot is reached without a call of its own
