import struct

import pytest

from playground.containers import Clip, read_clip
from tests.playground.films import gif, mp4, webm


def test_an_mp4_tells_its_frame_length_and_sound() -> None:
    assert read_clip(mp4(640, 360, 7)) == Clip("mp4", 640, 360, 7)
    assert read_clip(mp4(640, 360, 7, sound=True)) == Clip("mp4", 640, 360, 7, has_sound=True)


def test_a_film_taken_upright_is_as_high_as_it_is_shown() -> None:
    assert read_clip(mp4(640, 360, turned=True)) == Clip("mp4", 360, 640, 3)


def test_a_webm_tells_its_frame_and_length() -> None:
    assert read_clip(webm(320, 180, 5)) == Clip("webm", 320, 180, 5)


def test_a_gif_is_as_long_as_its_frames_together() -> None:
    assert read_clip(gif(60, 40, frames=4, frame_ms=500)) == Clip("gif", 60, 40, 2)


@pytest.mark.parametrize("whole", [mp4(), webm(), gif()], ids=["mp4", "webm", "gif"])
def test_a_torn_file_is_read_as_far_as_it_goes_or_not_at_all(whole: bytes) -> None:
    for length in range(len(whole)):
        clip = read_clip(whole[:length])
        assert clip is None or clip.duration_s <= 3


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\0\0\0\0ftyp", b"\0\0\0\1moov", b"RIFF"])
def test_other_bytes_are_no_film(content: bytes) -> None:
    clip = read_clip(content)
    assert clip is None or clip == Clip("mp4")


def test_boxes_in_boxes_without_end_are_no_film() -> None:
    boxes = b""
    for _ in range(2000):
        boxes = struct.pack(">I4s", len(boxes) + 8, b"moov") + boxes
    assert read_clip(boxes) is None
    assert read_clip(b"\x1a\x45\xdf\xa3\x80" + b"\xae\xff" * 2000) is None
