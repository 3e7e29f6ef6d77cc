"""What a video or a moving picture says of itself: frame, length, and whether it has sound.

Only the containers' own tables are read (MP4 and MOV boxes, WebM elements, GIF blocks); nothing is
decoded. Whatever is torn or lies about its lengths is simply not recognised.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Container: TypeAlias = Literal["mp4", "webm", "gif"]

_MP4_FIRST: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_MP4_PARENTS: Final = (b"moov", b"trak", b"mdia", b"mvex")
_EBML: Final = b"\x1a\x45\xdf\xa3"
_SEGMENT, _INFO, _TRACKS, _TRACK, _VIDEO = 0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0
_WEBM_PARENTS: Final = frozenset({_SEGMENT, _INFO, _TRACKS, _TRACK, _VIDEO})
_CLUSTER: Final = 0x1F43B675
_TRACK_TYPE, _WIDTH, _HEIGHT = 0x83, 0xB0, 0xBA
_TIME_SCALE, _DURATION = 0x2AD7B1, 0x4489
_AUDIO_TRACK: Final = 2
_MAX_PARTS: Final = 100_000  # of one parent
_MAX_DEPTH: Final = 8


@dataclass(frozen=True)
class Clip:
    """A moving picture. Width and height are 0 where it has none, as in a file of sound alone.

    Attributes:
        duration_s: rounded to whole seconds as Telegram counts; 0 where the file does not say.
    """

    container: Container
    width_px: int = 0
    height_px: int = 0
    duration_s: int = 0
    has_sound: bool = False


def read_clip(content: bytes) -> Clip | None:
    """Read a video's or GIF's own tables; None where the file is of no known container."""
    try:
        if content[:6] in {b"GIF87a", b"GIF89a"}:
            return _read_gif(content)
        if content[4:8] in _MP4_FIRST:
            return _read_mp4(content)
        if content[:4] == _EBML:
            return _read_webm(content)
    except (struct.error, IndexError, ZeroDivisionError, OverflowError, ValueError):
        return None
    return None


def _read_mp4(content: bytes) -> Clip:
    width = height = 0
    time_scale, ticks, handlers = 1, 0, set()
    for kind, start, _ in _mp4_boxes(content, 0, len(content)):
        wide = content[start] == 1  # version 1 has 64-bit times
        if kind == b"mvhd":
            layout, at = (">IQ", start + 20) if wide else (">II", start + 12)
            time_scale, ticks = struct.unpack_from(layout, content, at)
        elif kind == b"mehd":
            ticks = ticks or struct.unpack_from(">Q" if wide else ">I", content, start + 4)[0]
        elif kind == b"hdlr":
            handlers.add(content[start + 8 : start + 12])
        elif kind == b"tkhd":
            # The track with a frame is the picture; sound tracks give 0 x 0.
            frame = _mp4_frame(content, start + (52 if wide else 40))
            width, height = frame if frame[0] else (width, height)
    return Clip("mp4", width, height, round(ticks / time_scale), b"soun" in handlers)


def _mp4_frame(content: bytes, matrix_at: int) -> tuple[int, int]:
    """Read a track's frame after its matrix; a matrix of a quarter turn swaps the sides."""
    scale, turn = struct.unpack_from(">ii", content, matrix_at)
    width, height = struct.unpack_from(">II", content, matrix_at + 36)
    sides = width >> 16, height >> 16
    return (sides[1], sides[0]) if scale == 0 and turn != 0 else sides


def _mp4_boxes(
    content: bytes, start: int, end: int, depth: int = 0
) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start of the body, end) of boxes, those inside known parents included."""
    _check_depth(depth)
    for _ in range(_MAX_PARTS):
        if start + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", content, start)
        body = start + 8
        if size == 1:
            size, body = struct.unpack_from(">Q", content, body)[0], body + 8
        stop = end if size == 0 else start + size
        if stop < body or stop > end:
            return
        yield kind, body, stop
        if kind in _MP4_PARENTS:
            yield from _mp4_boxes(content, body, stop, depth + 1)
        start = stop


def _read_webm(content: bytes) -> Clip:
    found: dict[int, float] = {_TIME_SCALE: 1_000_000}
    has_sound = False
    for kind, start, end in _webm_elements(content, 0, len(content)):
        body = content[start:end]
        if kind == _DURATION:
            found[kind] = struct.unpack(">f" if len(body) == 4 else ">d", body)[0]
        elif kind in {_TIME_SCALE, _WIDTH, _HEIGHT}:
            found[kind] = int.from_bytes(body)
        elif kind == _TRACK_TYPE:
            has_sound = has_sound or int.from_bytes(body) == _AUDIO_TRACK
    seconds = found.get(_DURATION, 0) * found[_TIME_SCALE] / 1e9
    frame = int(found.get(_WIDTH, 0)), int(found.get(_HEIGHT, 0))
    return Clip("webm", *frame, round(seconds), has_sound)


def _webm_elements(
    content: bytes, start: int, end: int, depth: int = 0
) -> Iterator[tuple[int, int, int]]:
    """Yield (id, start of the body, end) up to the first cluster: there the pictures begin."""
    _check_depth(depth)
    for _ in range(_MAX_PARTS):
        if start >= end:
            return
        kind, start = _webm_number(content, start, keep_marker=True)
        size, start = _webm_number(content, start)
        stop = min(start + size, end)
        if kind == _CLUSTER:
            return
        if kind in _WEBM_PARENTS:
            yield from _webm_elements(content, start, stop, depth + 1)
        else:
            yield kind, start, stop
        start = stop


def _webm_number(content: bytes, at: int, *, keep_marker: bool = False) -> tuple[int, int]:
    """Read a number whose leading zero bits give its length; returns it and where it ends."""
    length = 9 - content[at].bit_length()
    if length > 8:
        raise ValueError("no such number")
    value = int.from_bytes(content[at : at + length])
    if keep_marker:
        return value, at + length
    mask = (1 << (7 * length)) - 1
    # All ones mean "unknown": until the end of what is around it.
    return (1 << 62 if value & mask == mask else value & mask), at + length


def _check_depth(depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")


def _read_gif(content: bytes) -> Clip:
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    at = 13 + _gif_colours(flags)
    hundredths = 0
    while content[at] != 0x3B:
        if content[at] == 0x21:
            if content[at + 1] == 0xF9:
                hundredths += struct.unpack_from("<H", content, at + 4)[0]
            at = _gif_after_blocks(content, at + 2)
        elif content[at] == 0x2C:
            at = _gif_after_blocks(content, at + 11 + _gif_colours(content[at + 9]))
        else:
            raise ValueError("no such block")
    return Clip("gif", width, height, round(hundredths / 100))


def _gif_colours(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _gif_after_blocks(content: bytes, at: int) -> int:
    while content[at]:
        at += content[at] + 1
    return at + 1
