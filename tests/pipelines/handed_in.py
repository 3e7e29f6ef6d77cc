"""Files as people send them, good and bad: real bytes of every kind."""

import io
import struct
import zipfile
import zlib
from typing import Any, Final

from PIL import Image

RED: Final = (200, 30, 30)
BLUE: Final = (30, 30, 200)


def halves(width_px: int = 96, height_px: int = 64, mode: str = "RGB") -> Image.Image:
    """Left half red, right half blue: turned, flipped or cut, it shows."""
    image = Image.new("RGB", (width_px, height_px), RED)
    image.paste(BLUE, (width_px // 2, 0, width_px, height_px))
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(width_px: int = 96, height_px: int = 64) -> bytes:
    return saved(halves(width_px, height_px), "JPEG", quality=92)


def turned_jpeg(orientation: int) -> bytes:
    """What a camera writes that was held sideways; seen right it is :func:`halves`."""
    undone = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    image = halves() if undone is None else halves().transpose(undone)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "a camera"
    return saved(image, "JPEG", quality=95, exif=exif)


def animation(kind: str) -> bytes:
    frames = [Image.new("RGB", (64, 64), colour) for colour in (RED, BLUE)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def zip_file() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("holiday.png", jpeg())
    return buffer.getvalue()


def bomb(width_px: int, height_px: int, *, orientation: int = 1) -> bytes:
    """A PNG with alpha, a thousandth in size of what it is when it is decoded."""
    row = b"\0" + bytes(width_px * 4)
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(row) for _ in range(height_px))
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 6, 0, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
        + _chunk(b"IDAT", packed + packer.flush())
        + _chunk(b"IEND", b"")
    )


def lying_png(width_px: int, height_px: int) -> bytes:
    """A whole small PNG whose header claims other sides."""
    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    good = saved(halves(), "PNG")
    return good[:8] + _chunk(b"IHDR", header) + good[8 + 25 :]


def huge_webp() -> bytes:
    """An extended WebP whose canvas alone would be four gigabytes."""
    canvas = (16383).to_bytes(3, "little") * 2
    chunk = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def lying_webp(side_px: int, *, lossless: bool) -> bytes:
    """A small simple WebP whose header claims other sides."""
    good = bytearray(saved(halves(), "WEBP", lossless=lossless))
    if lossless:
        good[21:25] = ((side_px - 1) | (side_px - 1) << 14).to_bytes(4, "little")
    else:
        good[26:30] = struct.pack("<HH", side_px, side_px)
    return bytes(good)


def heic(brand: bytes = b"heic") -> bytes:
    return struct.pack(">I", 24) + b"ftyp" + brand + b"\0\0\0\0" + brand + b"mif1" + b"\0" * 64


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
