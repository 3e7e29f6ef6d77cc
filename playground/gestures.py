"""What a person does with messages that are there: edit, delete, forward, react, stop a draft."""

from dataclasses import replace

from playground import reactions, render
from playground.errors import bad_request
from playground.forwarding import may_be_forwarded, send_on
from playground.model import Chat, Json, Message, Person
from playground.people import deliver, enter, typed
from playground.text import MAX_CAPTION, MAX_TEXT
from playground.world import World


def _own(chat: Chat, person: Person, message_id: int) -> Message:
    message = chat.messages.get(message_id)
    if message is None or message.sender is not person:
        raise bad_request("message not found")
    return message


def edit(world: World, chat: Chat, person: Person, message_id: int, text: str) -> Message:
    """Change one's own text or caption; bots that see the message are told.

    Raises:
        ApiError: no such message of one's own, or the text is empty, too long or the same.
    """
    message = _own(chat, person, message_id)
    if message.forwarded or message.via or message.content.service:
        raise bad_request("message can't be edited")
    has_media = message.content.media is not None
    changed = typed(text, MAX_CAPTION if has_media else MAX_TEXT)
    if not changed and not has_media:
        raise bad_request("message text is empty")
    world.edit(message, replace(message.content, text=changed), message.keyboard)
    deliver(world, message, "edited_message")
    return message


def delete(world: World, chat: Chat, person: Person, message_ids: list[int]) -> list[int]:
    """Delete one's own messages, in a private chat any; bots are not told, as in Telegram.

    Raises:
        ApiError: one of them is somebody else's in a group.
    """
    known = [chat.messages[number] for number in message_ids if number in chat.messages]
    if not chat.is_private and any(message.sender is not person for message in known):
        raise bad_request("message can't be deleted")
    numbers = [message.id for message in known]
    world.delete(chat, numbers)
    return numbers


def forward(
    world: World, chat: Chat, person: Person, source: Chat, message_ids: list[int]
) -> list[Message]:
    """Forward messages from another chat of the person's into this one.

    Raises:
        ApiError: one is not there, is protected or is an event.
    """
    if person not in source.people:
        raise bad_request("chat not found")
    originals = [source.messages.get(number) for number in message_ids]
    found = [message for message in originals if message and may_be_forwarded(message)]
    if len(found) < len(originals):
        raise bad_request("message can't be forwarded")
    enter(world, chat, person)
    sent = send_on(world, chat, person, found, forwarding=True)
    for message in sent:
        deliver(world, message)
    return sent


def react(world: World, chat: Chat, person: Person, message_id: int, emoji: str | None) -> Message:
    """Put a reaction under a message, or with None take one's own away.

    In a private chat the bot is told, if it asked for `message_reaction`; in a group only
    administrators are, which no bot is here.

    Raises:
        ApiError: no such message, or no such reaction.
    """
    found = chat.messages.get(message_id)
    if found is None or person not in chat.people:
        raise bad_request("message not found")
    message = reactions.target(found)
    marks = reactions.checked([{"type": "emoji", "emoji": emoji}] if emoji else [])
    before = reactions.put(message, person.id, marks)
    if marks == before:
        return message
    world.announce_edit(message)
    if chat.is_private:
        update: Json = {
            "chat": render.chat(chat),
            "message_id": message.id,
            "user": render.user(person),
            "date": int(world.clock()),
            "old_reaction": before,
            "new_reaction": marks,
        }
        world.seats[chat.bots[0].id].updates.put("message_reaction", update)
    return message


def stop_draft(world: World, chat: Chat, draft_id: int) -> None:
    """Press Stop under a text that is still being written.

    Raises:
        ApiError: there is no such draft, or it cannot be stopped.
    """
    draft = world.drafts.stop(chat.key, draft_id)
    kept = draft.keep_on_stop
    world.events.add("draft_stopped", chat=chat.key, draft_id=draft_id, keep=kept)
    update: Json = {"chat": render.chat(chat), "draft_id": draft_id}
    world.seats[chat.bots[0].id].updates.put("stopped_message_generation", update)
