"""Reactions under messages: which there are, and how one is put or taken away."""

from typing import Final

from playground.errors import bad_request
from playground.model import Json, Message

_EMOJI: Final = frozenset(
    "👍👎❤🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🕊🤡🥱🥴😍🐳🌚🌭💯🤣⚡🍌🏆💔🤨😐🍓🍾💋🖕😈😴😭🤓👻👀🎃🙈😇😨🤝✍🤗🫡🎅🎄☃💅🤪🗿🆒💘🙉🦄😘💊🙊😎👾😡"
)
_JOINED: Final = frozenset({"❤‍🔥", "👨‍💻", "🤷‍♂", "🤷", "🤷‍♀"})


def checked(marks: list[Json]) -> list[Json]:
    """Check the reactions one account puts under a message: at most one, of the known emoji.

    Raises:
        ApiError: there are more, or one that needs Premium, stars or a custom emoji.
    """
    if len(marks) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    for mark in marks:
        emoji = mark.get("emoji", "").replace("\ufe0f", "")
        if mark["type"] != "emoji" or (emoji not in _EMOJI and emoji not in _JOINED):
            raise bad_request("REACTION_INVALID")
    return marks


def target(message: Message) -> Message:
    """Find the message that carries the reaction: of an album, its first one that is left.

    Raises:
        ApiError: it is an event, which takes none.
    """
    if message.content.service is not None:
        raise bad_request("MESSAGE_ID_INVALID")
    if message.media_group_id is None:
        return message
    return next(
        known
        for known in message.chat.messages.values()
        if known.media_group_id == message.media_group_id
    )


def put(message: Message, account_id: int, marks: list[Json]) -> list[Json]:
    """Set an account's reaction; returns what it was before."""
    before = message.reactions.pop(account_id, [])
    if marks:
        message.reactions[account_id] = marks
    return before
