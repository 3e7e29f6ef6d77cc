"""One call in progress: who calls, with which uploads, on which world."""

import re
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from aiogram.client.default import Default
from aiogram.types import ReplyParameters

from playground.arguments import Upload
from playground.errors import bad_request
from playground.model import Chat, Message
from playground.world import Seat, World

_T = TypeVar("_T")
_START_PARAMETER: Final = re.compile(r"[\w-]{1,64}", re.ASCII)


@dataclass
class Call:
    """What every method needs beside its own arguments."""

    world: World
    seat: Seat
    uploads: dict[str, Upload] = field(default_factory=dict)

    def chat(self, chat_id: int | str | None) -> Chat:
        """Find a chat this bot may write to; see `World.chat_for`."""
        return self.world.chat_for(self.seat, chat_id)

    def spend(self, chat: Chat, messages: int = 1) -> None:
        """Count messages or an edit against the rates; see `RateLimiter.spend`."""
        self.world.rates.spend(
            self.seat.bot.id, chat.key, is_group=not chat.is_private, messages=messages
        )

    def replied(self, chat: Chat, method: Any) -> Message | None:  # noqa: ANN401 - any send*
        """Find the message a new one replies to.

        Raises:
            ApiError: it is gone and the call does not allow sending without it.
        """
        parameters: ReplyParameters | None = method.reply_parameters
        number = parameters.message_id if parameters else method.reply_to_message_id
        if number is None:
            return None
        found = chat.messages.get(number)
        lenient = parameters.allow_sending_without_reply if parameters else None
        if found is None and not (plain(lenient) or method.allow_sending_without_reply):
            raise bad_request("message to be replied not found")
        return found


def plain(value: _T | Default | None) -> _T | None:
    """Turn aiogram's "take the client's default" into "not given", which it means on a server."""
    return None if isinstance(value, Default) else value


def check_start_parameter(text: str) -> None:
    """Check what a deep link starts a bot with.

    Raises:
        ApiError: it is not 1 to 64 characters of A-Z, a-z, 0-9, _ and -.
    """
    if not _START_PARAMETER.fullmatch(text):
        raise bad_request("START_PARAM_INVALID")
