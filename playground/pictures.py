"""Photos as Telegram keeps them: decoded, then written again as JPEG in several sizes.

Writing again is the point: metadata is lost on the way, and a bot that relies on it must send a
document instead.
"""

import io
import mimetypes
from typing import Final

from PIL import Image, ImageOps, UnidentifiedImageError

from playground.errors import ApiError, bad_request

MAX_PHOTO_BYTES: Final = 10 * 1024 * 1024
MAX_SIDES_PX: Final = 10_000
MAX_RATIO: Final = 20
_SIZES_PX: Final = (90, 320, 800, 1280)
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
MAX_THUMBNAIL_BYTES: Final = 200_000
_THUMBNAIL_PX: Final = 320


def encode_sizes(content: bytes, file_name: str = "") -> list[tuple[bytes, int, int]]:
    """Make the JPEGs of an uploaded photo.

    Args:
        content: an image file of any common format.
        file_name: what the sender calls it; it decides which sentence refuses another file.

    Returns:
        (JPEG, width_px, height_px) for each size, smallest first; the last keeps the picture's own
        size up to 1280 px a side.

    Raises:
        ApiError: over 10 MiB, width + height over 10000, a ratio over 20, or not an image.
    """
    if len(content) > MAX_PHOTO_BYTES:
        raise bad_request(
            f"file of size {len(content)} bytes is too big for a photo; "
            f"the maximum size is {MAX_PHOTO_BYTES} bytes"
        )
    picture = _decode(content, file_name)
    largest = max(picture.size)
    smaller = [size for size in _SIZES_PX[:-1] if size < largest]
    limits = [*smaller, min(largest, _SIZES_PX[-1])]
    return [_encode(picture, limit) for limit in limits]


def make_thumbnail(content: bytes) -> tuple[bytes, int, int] | None:
    """Make a JPEG of at most 320 px a side, or None where the document is not a picture."""
    try:
        return _encode(_decode(content), _THUMBNAIL_PX)
    except ApiError:
        return None


def is_picture(content: bytes) -> bool:
    """Tell whether bytes are a picture that can be a photo, without decoding it."""
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS):
            return len(content) <= MAX_PHOTO_BYTES
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def given_thumbnail(content: bytes) -> tuple[bytes, int, int] | None:
    """Take a sender's own thumbnail as it is, or None where Telegram would pass it over.

    Args:
        content: it counts as a JPEG under 200 kB of at most 320 px a side.
    """
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as opened:
            width, height = opened.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    small = len(content) < MAX_THUMBNAIL_BYTES and max(width, height) <= _THUMBNAIL_PX
    return (content, width, height) if small else None


def _decode(content: bytes, file_name: str = "") -> Image.Image:
    try:
        opened = Image.open(io.BytesIO(content), formats=_FORMATS)
        # Before decoding: a small file may claim a picture that fills the memory.
        width, height = opened.size
        if width + height > MAX_SIDES_PX or max(width, height) > MAX_RATIO * min(width, height):
            raise bad_request("PHOTO_INVALID_DIMENSIONS")
        upright = ImageOps.exif_transpose(opened)
        if upright.mode in {"RGBA", "LA", "P", "PA"}:
            layer = upright.convert("RGBA")
            background = Image.new("RGBA", layer.size, "white")
            return Image.alpha_composite(background, layer).convert("RGB")
        return upright.convert("RGB")
    except UnidentifiedImageError as error:
        guessed = mimetypes.guess_type(file_name)[0] or "image"
        sentence = "IMAGE_PROCESS_FAILED" if "image" in guessed else "PHOTO_EXT_INVALID"
        raise bad_request(sentence) from error
    except (
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
    ) as error:
        raise bad_request("IMAGE_PROCESS_FAILED") from error


def _encode(picture: Image.Image, limit_px: int) -> tuple[bytes, int, int]:
    copy = picture.copy()
    copy.thumbnail((limit_px, limit_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    copy.save(buffer, "JPEG", quality=87, progressive=True)
    return buffer.getvalue(), copy.width, copy.height
