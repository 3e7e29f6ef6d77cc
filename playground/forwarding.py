"""Sending messages on to another chat, forwarded or copied, by a bot or by a person."""

from collections import Counter, defaultdict

from playground.model import Bot, Chat, Message, Origin, Person
from playground.world import World, new_album_id


def may_be_copied(message: Message) -> bool:
    """Tell whether a message may leave its chat as a copy; events and invoices may not."""
    return may_be_forwarded(message) and message.content.invoice is None


def may_be_forwarded(message: Message) -> bool:
    """Tell whether a message may leave its chat; events and protected messages may not."""
    return not message.is_protected and message.content.service is None


def origin(message: Message) -> Origin:
    """Name the first author, also of what was forwarded before."""
    return message.forwarded or Origin(message.sender, message.date)


def send_on(
    world: World,
    chat: Chat,
    sender: Person | Bot,
    originals: list[Message],
    *,
    forwarding: bool,
    is_protected: bool = False,
) -> list[Message]:
    """Post messages into another chat without their keyboards.

    What was one album stays one, under a new id; a single picture of an album stands alone.
    """
    albums = Counter(message.media_group_id for message in originals)
    ids: defaultdict[str | None, str] = defaultdict(new_album_id)
    return [
        world.post(
            chat,
            sender,
            message.content,
            media_group_id=ids[group] if group and albums[group] > 1 else None,
            forwarded=origin(message) if forwarding else None,
            via=message.via if forwarding else None,
            is_protected=is_protected,
        )
        for message in originals
        for group in [message.media_group_id]
    ]
