"""From a media argument (upload, attach://, file_id, address) to a stored file."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, Protocol

from aiogram import Bot
from aiogram.types import InputFile

from playground.api.call import Call
from playground.errors import bad_request
from playground.fetching import store_from
from playground.files import Details
from playground.model import Media, MediaKind


class _Clip(Protocol):
    """What a video or animation may say of itself, in a method or in an album's item."""

    @property
    def width(self) -> int | None: ...
    @property
    def height(self) -> int | None: ...
    @property
    def duration(self) -> int | None: ...
    @property
    def thumbnail(self) -> InputFile | None: ...


class Attached(InputFile):
    """A part of the call's own body, where aiogram's models take files alone.

    `part` names it, as in `attach://part`.
    """

    def __init__(self, reference: str) -> None:
        super().__init__()
        self.part = reference.removeprefix("attach://")

    async def read(self, _bot: Bot) -> AsyncGenerator[bytes, None]:
        """Refuse: parts are taken from the call, never sent from here."""
        raise NotImplementedError
        yield b""  # which makes it the generator that the base class asks for


def attached(value: object) -> Any:  # noqa: ANN401 - JSON
    """Put `Attached` in place of every thumbnail of a method's arguments."""
    if isinstance(value, list):
        return [attached(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        name: Attached(part) if name == "thumbnail" and isinstance(part, str) else attached(part)
        for name, part in value.items()
    }


def details(call: Call, said: _Clip) -> Details:
    """Read the width, height, duration and thumbnail given with a video or animation.

    Raises:
        ApiError: a negative number.
    """
    numbers = (said.width or 0, said.height or 0, said.duration or 0)
    for name, number in zip(("width", "height", "duration"), numbers, strict=True):
        if number < 0:
            raise bad_request(f"wrong {name} specified")
    return with_thumbnail(call, said.thumbnail, Details(*numbers))


def with_thumbnail(call: Call, given: InputFile | None, said: Details) -> Details:
    """Add the thumbnail a sender uploaded; one that is no upload counts for nothing."""
    upload = call.uploads.get(given.part) if isinstance(given, Attached) else None
    return replace(said, thumbnail=upload.content) if upload else said


async def resolve(
    call: Call,
    reference: str | InputFile,
    kind: MediaKind,
    said: Details | None = None,
) -> Media:
    """Store an upload, or find a file that was sent before.

    Raises:
        ApiError: no such part or file_id, an address that is not on this machine (nothing is
            fetched from outside), or the file store's own refusals.
    """
    if not isinstance(reference, str) or not reference:
        raise bad_request(f"there is no {kind} in the request")
    if reference.startswith("attach://"):
        upload = call.uploads.get(reference.removeprefix("attach://"))
        if upload is None:
            raise bad_request("invalid file HTTP URL specified: Unsupported URL protocol")
        return await call.world.files.store(
            kind, upload.content, upload.file_name, upload.mime_type, said
        )
    if "://" in reference:
        return await store_from(call.world, kind, reference, said)
    return call.world.files.resend(call.seat.bot.id, reference, kind)
