"""Small films: containers whose tables are true, with nothing worth watching inside."""

import io
import struct

from PIL import Image


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def mp4(
    width: int = 320,
    height: int = 240,
    seconds: int = 3,
    *,
    sound: bool = False,
    turned: bool = False,
) -> bytes:
    """An MP4 of one picture track; `turned` by a quarter, as telephones film."""
    unit = 0x10000
    matrix = (0, unit, 0, -unit, 0, 0) if turned else (unit, 0, 0, 0, unit, 0)
    header = box(b"mvhd", bytes(12), struct.pack(">II", 1000, seconds * 1000), bytes(80))
    tracks = [_track(b"vide", struct.pack(">9i", *matrix, 0, 0, 1 << 30), width, height)]
    if sound:
        tracks.append(_track(b"soun", bytes(36), 0, 0))
    return (
        box(b"ftyp", b"isom", bytes(4), b"isommp42")
        + box(b"mdat", b"pictures")
        + box(b"moov", header, *tracks)
    )


def _track(handler: bytes, matrix: bytes, width: int, height: int) -> bytes:
    sides = struct.pack(">II", width << 16, height << 16)
    return box(
        b"trak",
        box(b"tkhd", bytes(40), matrix, sides),
        box(b"mdia", box(b"hdlr", bytes(8), handler, bytes(12))),
    )


def webm(width: int = 320, height: int = 240, seconds: int = 3) -> bytes:
    """A WebM of one picture track."""
    info = _element(b"\x15\x49\xa9\x66", _element(b"\x44\x89", struct.pack(">d", seconds * 1000)))
    frame = _element(b"\xb0", struct.pack(">H", width)) + _element(
        b"\xba", struct.pack(">H", height)
    )
    track = _element(b"\xae", _element(b"\x83", b"\1") + _element(b"\xe0", frame))
    tracks = _element(b"\x16\x54\xae\x6b", track)
    return _element(b"\x1a\x45\xdf\xa3", b"") + _element(b"\x18\x53\x80\x67", info + tracks)


def _element(name: bytes, body: bytes) -> bytes:
    return name + (0x200000 | len(body)).to_bytes(3) + body  # a length of three bytes


def gif(width: int = 60, height: int = 40, frames: int = 4, frame_ms: int = 500) -> bytes:
    """A GIF that changes its colour."""
    pictures = [Image.new("P", (width, height), index) for index in range(frames)]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, "GIF", save_all=True, append_images=pictures[1:], duration=frame_ms, optimize=False
    )
    return buffer.getvalue()
