"""From a media argument (upload, attach://, file_id, address) to a stored file."""

from aiogram.types import InputFile

from playground.api.call import Call
from playground.errors import bad_request
from playground.model import Media, MediaKind


async def resolve(
    call: Call,
    reference: str | InputFile,
    kind: MediaKind,
    *,
    frame_px: tuple[int, int] = (0, 0),
    duration_s: int = 0,
) -> Media:
    """Store an upload, or find a file that was sent before.

    Raises:
        ApiError: no such part or file_id, an address (nothing is fetched from outside), or the
            file store's own refusals.
    """
    if not isinstance(reference, str) or not reference:
        raise bad_request(f"there is no {kind} in the request")
    if reference.startswith("attach://"):
        upload = call.uploads.get(reference.removeprefix("attach://"))
        if upload is None:
            raise bad_request("invalid file HTTP URL specified: Unsupported URL protocol")
        return await call.world.files.store(
            kind,
            upload.content,
            upload.file_name,
            upload.mime_type,
            frame_px=frame_px,
            duration_s=duration_s,
        )
    if "://" in reference:
        raise bad_request("wrong file identifier/HTTP URL specified")
    return call.world.files.resend(call.seat.bot.id, reference, kind)
