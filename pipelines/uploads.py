"""One picture somebody handed in, looked at and normalised: ``python -m pipelines.uploads``.

A stranger's bytes are decoded in a process of its own, which imports Pillow and nothing heavier,
has its own limits of memory and time, and is killed by whoever started it. It reads the file from
standard input and answers on standard output: a line of JSON, then a PNG where there is one.

Everything that can be refused by the header alone is refused before a pixel is decoded. Colours
are taken as sRGB.
"""

import io
import json
import resource
import struct
import sys
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

# Named, so that Pillow need not load all the plugins it has to find these.
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

BYTES_MAX: Final = 20 * 2**20
PIXELS_MAX: Final = 50_000_000
"""Of the whole picture, before it is made smaller."""
SHORTEST_PX: Final = 32
LONGEST_PX: Final = 1536
"""Nothing here draws larger than that from a picture."""
SIDES_MAX: Final = 10
"""Most times one side is the other."""
MEMORY_MAX_BYTES: Final = 1024 * 2**20
"""Of address space: 50 megapixels of CMYK decoded, turned and made smaller fit."""
PROCESSOR_MAX_S: Final = 10
"""The largest pictures take one."""

_PLUGINS: Final = (
    BmpImagePlugin.BmpImageFile,
    GifImagePlugin.GifImageFile,
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    TiffImagePlugin.TiffImageFile,
    WebPImagePlugin.WebPImageFile,
)
_FORMATS: Final = tuple(plugin.format for plugin in _PLUGINS if plugin.format)
_ANIMATED: Final = frozenset({"GIF", "PNG", "WEBP"})
"""Where a second picture means an animation; in a TIFF it is a page, in a JPEG the other eye."""
_SIGNATURES: Final = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
_FOREIGN: Final = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"), "HEIC"),
    **dict.fromkeys((b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
"""By the brand an ISO media file begins with."""
_ORIENTATION: Final = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each orientation of EXIF (CIPA DC-008, 4.6.5)."""


class Unfit(Exception):
    """No picture one could draw from. ``code`` is the key of the sentence, ``params`` fill it."""

    code: ClassVar[str] = "error-upload-broken"

    def __init__(self, **params: object) -> None:
        self.params = {name: str(value) for name, value in params.items()}
        said = ", ".join(f"{name} {value}" for name, value in self.params.items())
        super().__init__(f"{self.code.removeprefix('error-upload-')} {said}".strip())


class NotAPicture(Unfit):
    """None of the formats."""

    code = "error-upload-not-a-picture"


class ForeignFormat(Unfit):
    """A picture in a format we do not read."""

    code = "error-upload-format"


class TooManyBytes(Unfit):
    """A file too large to be read at all."""

    code = "error-upload-too-large"


class TooManyPixels(Unfit):
    """More than :data:`PIXELS_MAX`."""

    code = "error-upload-too-many-pixels"


class TooSmall(Unfit):
    """A side is shorter than :data:`SHORTEST_PX`."""

    code = "error-upload-too-small"


class TooNarrow(Unfit):
    """One side is more than :data:`SIDES_MAX` times the other."""

    code = "error-upload-too-narrow"


class TooMuchWork(Unfit):
    """It does not fit into :data:`MEMORY_MAX_BYTES`."""

    code = "error-upload-too-much-work"


@dataclass(frozen=True, slots=True)
class Fit:
    """A normalised picture.

    Attributes:
        png: RGB, 8 bits, without metadata; the longest side at most :data:`LONGEST_PX`.
        is_first_frame: the file is an animation, of which this is the first frame.
    """

    png: bytes
    width_px: int
    height_px: int
    is_first_frame: bool


def normalise(data: bytes) -> Fit:
    """Make a file fit to be drawn from.

    Its first frame is turned as its EXIF says, made smaller where it is large, laid on white
    where it is transparent, and written as RGB of 8 bits.

    Raises:
        Unfit: it is none; the subclass says why.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow thinks of people's files is not for the log
        image = _opened(data)
        try:
            is_first_frame = image.format in _ANIMATED and getattr(image, "is_animated", False)
            picture = _normalised(image)
            png = _png(picture)
        except MemoryError as fault:
            raise TooMuchWork from fault
        except Exception as fault:  # decoders raise whatever they like at broken bytes
            raise Unfit from fault
    return Fit(png, picture.width, picture.height, is_first_frame)


def _opened(data: bytes) -> Image.Image:
    """Read the header, and refuse by it all that can be refused so far."""
    if len(data) > BYTES_MAX:
        raise TooManyBytes(limit_mb=BYTES_MAX // 2**20)
    if data[4:8] == b"ftyp" and data[8:12] in _FOREIGN:
        raise ForeignFormat(name=_FOREIGN[data[8:12]])
    _check_size(*_webp_size(data))
    # Pillow's own limit would refuse before it is known by how much; ours comes next.
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError as fault:
        raise (Unfit if data.startswith(_SIGNATURES) else NotAPicture) from fault
    except MemoryError as fault:
        raise TooMuchWork from fault
    except Exception as fault:
        raise Unfit from fault
    _check_size(*image.size)
    width_px, height_px = image.size
    measures = {"width_px": width_px, "height_px": height_px}
    if min(image.size) < SHORTEST_PX:
        raise TooSmall(**measures, limit_px=SHORTEST_PX)
    if max(image.size) > SIDES_MAX * min(image.size):
        raise TooNarrow(**measures, limit=SIDES_MAX)
    return image


def _check_size(width_px: int, height_px: int) -> None:
    if width_px * height_px > PIXELS_MAX:
        limit_mp = PIXELS_MAX // 10**6
        raise TooManyPixels(width_px=width_px, height_px=height_px, limit_mp=limit_mp)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Read the canvas of a WebP file; Pillow's decoder takes its memory on opening.

    Zeros where it is none. Sources: RFC 9649, 2.5 to 2.7 and 3.4; RFC 6386, 9.1.
    """
    kind = data[8:16] if data.startswith(b"RIFF") and len(data) >= 30 else b""
    if kind == b"WEBPVP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"WEBPVP8L":
        sides = int.from_bytes(data[21:25], "little")
        return (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
    if kind == b"WEBPVP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _normalised(image: Image.Image) -> Image.Image:
    turn = _TURNS.get(_orientation(image))
    image = _plain(image)
    # Large JPEGs are decoded at a half, a quarter or an eighth of their size in here.
    image.thumbnail((LONGEST_PX, LONGEST_PX), Image.Resampling.LANCZOS)
    if turn is not None:
        image = image.transpose(turn)
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return image.convert("RGB")


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _orientation(image: Image.Image) -> int:
    """Read how the camera was held; 1, upright, where nobody can tell."""
    try:
        value: object = image.getexif().get(_ORIENTATION, 1)
    except (ValueError, TypeError, OSError, SyntaxError, struct.error, KeyError):
        return 1
    return value if isinstance(value, int) else 1


def _plain(image: Image.Image) -> Image.Image:
    """Make it one of the modes that can be resized: L, RGB, RGBA or CMYK."""
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value * (1 / 257)).convert("L")
    if image.mode in {"I", "F"}:  # nothing says what their range is but they themselves
        lowest, highest = cast("tuple[float, float]", image.getextrema())  # one band has a pair
        scale = 255 / (highest - lowest) if highest > lowest else 0
        offset = 0.5 - lowest * scale  # what follows cuts off
        return image.convert("F").point(lambda value: value * scale + offset).convert("L")
    if image.has_transparency_data:  # be it one shade of a grey picture
        return image if image.mode == "RGBA" else image.convert("RGBA")
    return image if image.mode in {"RGB", "L", "CMYK"} else image.convert("RGB")


def answer(data: bytes) -> bytes:
    """Say what a file is: a line of JSON, then its normalised picture if it has one."""
    head: dict[str, Any]
    png = b""
    try:
        fit = normalise(data)
    except Unfit as fault:
        head = {"code": fault.code, "params": fault.params}
    else:
        png = fit.png
        head = {"width_px": fit.width_px, "height_px": fit.height_px}
        head["is_first_frame"] = fit.is_first_frame
    return json.dumps(head).encode() + b"\n" + png


def main() -> None:
    """Answer for one file."""
    # The one process here whose limits are nobody else's: it was started for this alone.
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY_MAX_BYTES),
        (resource.RLIMIT_CPU, PROCESSOR_MAX_S),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))  # noqa: TID251 - see above
    sys.stdout.buffer.write(answer(sys.stdin.buffer.read(BYTES_MAX + 1)))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
