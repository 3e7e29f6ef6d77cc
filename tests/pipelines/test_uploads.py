import io
import json
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from pipelines import uploads
from pipelines.uploads import LONGEST_PX, PIXELS_MAX, Fit, Unfit, normalise
from tests.pipelines.handed_in import (
    BLUE,
    RED,
    animation,
    bomb,
    halves,
    heic,
    huge_webp,
    jpeg,
    lying_png,
    lying_webp,
    saved,
    turned_jpeg,
    zip_file,
)

ROOT = Path(__file__).parents[2]
NEAR = 24
"""What a JPEG may change of a colour, 0..255."""


def opened(fit: Fit) -> Image.Image:
    image = Image.open(io.BytesIO(fit.png))
    assert image.format == "PNG"
    assert image.mode == "RGB"
    assert image.size == (fit.width_px, fit.height_px)
    return image


def is_near(image: Image.Image, at: tuple[int, int], colour: tuple[int, ...]) -> bool:
    found = image.getpixel(at)
    assert isinstance(found, tuple)
    return all(abs(a - b) <= NEAR for a, b in zip(found, colour, strict=True))


def shows_halves(image: Image.Image) -> bool:
    y = image.height // 2
    return is_near(image, (image.width // 4, y), RED) and is_near(
        image, (image.width * 3 // 4, y), BLUE
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_format_becomes_the_same_kind_of_png(kind: str) -> None:
    fit = normalise(saved(halves(), kind))
    image = opened(fit)
    assert image.size == (96, 64)
    assert shows_halves(image)
    assert not fit.is_first_frame


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "PA", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_every_mode_becomes_rgb_of_eight_bits(mode: str) -> None:
    data = saved(halves(mode=mode), "TIFF") if mode != "PA" else saved(halves(mode="P"), "PNG")
    assert opened(normalise(data)).size == (96, 64)


def test_sixteen_bits_of_grey_keep_their_brightness() -> None:
    image = Image.new("I;16", (64, 64), 257 * 100)
    assert opened(normalise(saved(image, "PNG"))).getpixel((5, 5)) == (100, 100, 100)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_grey_of_an_unknown_range_is_spread_from_black_to_white(mode: str) -> None:
    image = Image.new(mode, (64, 64), -5)
    image.paste(95, (32, 0, 64, 64))
    picture = opened(normalise(saved(image, "TIFF")))
    assert picture.getpixel((5, 5)) == (0, 0, 0)
    assert picture.getpixel((60, 5)) == (255, 255, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_as_its_camera_was_held(orientation: int) -> None:
    image = opened(normalise(turned_jpeg(orientation)))
    assert image.size == (96, 64)
    assert shows_halves(image)


def test_an_unreadable_orientation_leaves_the_photo_as_it_is() -> None:
    data = saved(halves(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff rubbish")
    assert shows_halves(opened(normalise(data)))


def test_what_is_transparent_lies_on_white() -> None:
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((*BLUE, 255), (32, 0, 64, 64))
    picture = opened(normalise(saved(image, "PNG")))
    assert picture.getpixel((5, 5)) == (255, 255, 255)
    assert picture.getpixel((60, 5)) == BLUE


def test_a_transparent_palette_colour_lies_on_white() -> None:
    data = saved(halves(mode="P"), "GIF", transparency=halves(mode="P").getpixel((0, 0)))
    assert opened(normalise(data)).getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize(("mode", "black"), [("1", 0), ("L", 0), ("RGB", (0, 0, 0))])
def test_a_transparent_shade_lies_on_white(mode: str, black: int | tuple[int, ...]) -> None:
    data = saved(Image.new(mode, (64, 64), black), "PNG", transparency=black)
    assert opened(normalise(data)).getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken_and_it_is_said(kind: str) -> None:
    fit = normalise(animation(kind))
    assert fit.is_first_frame
    assert is_near(opened(fit), (32, 32), RED)


def test_a_second_page_is_no_animation() -> None:
    assert not normalise(animation("TIFF")).is_first_frame


@pytest.mark.parametrize("size", [(4000, 3000), (3000, 4000), (1537, 200)])
def test_a_large_picture_is_made_smaller_in_its_proportions(size: tuple[int, int]) -> None:
    fit = normalise(jpeg(*size))
    assert max(fit.width_px, fit.height_px) == LONGEST_PX
    assert fit.width_px / fit.height_px == pytest.approx(size[0] / size[1], rel=0.01)
    assert shows_halves(opened(fit))


def test_a_small_picture_keeps_every_pixel() -> None:
    picture = opened(normalise(saved(halves(), "PNG")))
    assert picture.tobytes() == halves().tobytes()


def test_nothing_but_pixels_is_kept() -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("where", "at home")
    for data in (turned_jpeg(6), saved(halves(), "PNG", pnginfo=notes)):
        png = normalise(data).png
        assert b"camera" not in png
        assert b"at home" not in png
        assert not Image.open(io.BytesIO(png)).info


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "error-upload-not-a-picture"),
    "words": (b"a cat, please", "error-upload-not-a-picture"),
    "a zip": (zip_file(), "error-upload-not-a-picture"),
    "a pdf": (b"%PDF-1.7\n" + b"x" * 100, "error-upload-not-a-picture"),
    "an icon": (saved(halves(64, 64), "ICO"), "error-upload-not-a-picture"),
    "an iPhone's": (heic(), "error-upload-format"),
    "an avif": (heic(b"avif"), "error-upload-format"),
    "half a JPEG": (jpeg()[: len(jpeg()) // 2], "error-upload-broken"),
    "a JPEG's beginning": (jpeg()[:20], "error-upload-broken"),
    "half a PNG": (saved(halves(), "PNG")[:90], "error-upload-broken"),
    "half a WebP": (saved(halves(), "WEBP")[:60], "error-upload-broken"),
    "half a GIF": (saved(halves(), "GIF")[:30], "error-upload-broken"),
    "half a TIFF": (saved(halves(), "TIFF")[:200], "error-upload-broken"),
    "a PNG that lies": (lying_png(640, 480), "error-upload-broken"),
    "one pixel": (saved(Image.new("RGB", (1, 1)), "PNG"), "error-upload-too-small"),
    "a thumbnail": (jpeg(200, 31), "error-upload-too-small"),
    "a line": (jpeg(1000, 50), "error-upload-too-narrow"),
    "ten thousand squared": (lying_png(10_000, 10_000), "error-upload-too-many-pixels"),
    "more than can be": (lying_png(2**31 - 1, 2**31 - 1), "error-upload-too-many-pixels"),
    "a canvas": (huge_webp(), "error-upload-too-many-pixels"),
    "a lossy WebP": (lying_webp(10_000, lossless=False), "error-upload-too-many-pixels"),
    "a lossless WebP": (lying_webp(10_000, lossless=True), "error-upload-too-many-pixels"),
    "too long a file": (b"\x89PNG" * (5 * 2**20 + 1), "error-upload-too-large"),
}


@pytest.mark.parametrize(("data", "code"), BAD.values(), ids=BAD)
def test_what_cannot_be_drawn_from_says_why(data: bytes, code: str) -> None:
    with pytest.raises(Unfit) as refusal:
        normalise(data)
    assert refusal.value.code == code


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_no_damage_brings_it_down(kind: str) -> None:
    good = saved(halves(), kind)
    for at in range(0, len(good), max(1, len(good) // 60)):
        damaged = good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]
        for data in (damaged, good[:at]):
            try:
                opened(normalise(data))
            except Unfit:
                continue


def asked(data: bytes) -> tuple[dict[str, Any], bytes, int]:
    """What the program answers, and the most memory it ever held, in bytes.

    It is asked for that itself: what the kernel tells of a child begins with its parent's size.
    """
    code = (
        "import sys; from pipelines.uploads import main; main();"
        "sys.stderr.write(open('/proc/self/status').read())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, input=data, capture_output=True, check=True
    )
    head, _, png = done.stdout.partition(b"\n")
    [peak] = re.findall(rb"VmHWM:\s+(\d+) kB", done.stderr)
    return json.loads(head), png, int(peak) * 1024


def test_the_program_answers_with_a_line_and_a_picture() -> None:
    head, png, _ = asked(jpeg())
    assert head == {"width_px": 96, "height_px": 64, "is_first_frame": False}
    assert shows_halves(Image.open(io.BytesIO(png)))


def test_the_program_answers_with_a_code_and_what_its_sentence_needs() -> None:
    head, png, _ = asked(lying_png(10_000, 10_000))
    params = {"width_px": "10000", "height_px": "10000", "limit_mp": "50"}
    assert head == {"code": "error-upload-too-many-pixels", "params": params}
    assert png == b""


def test_a_bomb_costs_no_more_memory_than_no_picture_at_all() -> None:
    _, _, idle_bytes = asked(b"")
    data = bomb(7_072, 7_071)  # 200 MB of pixels
    assert len(data) < 2 * 2**20
    head, _, peak_bytes = asked(data)
    assert head["code"] == "error-upload-too-many-pixels"
    assert peak_bytes < idle_bytes + 8 * 2**20


@pytest.mark.slow
def test_the_largest_picture_there_may_be_fits_into_its_limit_of_memory() -> None:
    side = int(PIXELS_MAX**0.5)
    head, _, peak_bytes = asked(bomb(side, side, orientation=6))
    assert head["width_px"] == LONGEST_PX
    assert peak_bytes < 0.6 * uploads.MEMORY_MAX_BYTES


def test_more_memory_than_it_may_have_is_refused_by_name() -> None:
    code = (
        "import io, resource\n"
        "from pipelines import uploads\n"
        "from tests.pipelines.handed_in import bomb\n"
        "data = bomb(5000, 5000)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**27, 2**27))\n"
        "try:\n    uploads.normalise(data)\n"
        "except uploads.Unfit as fault:\n    print(fault.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "error-upload-too-much-work", done.stderr


def test_where_it_may_have_less_than_it_asks_for_it_makes_do() -> None:
    """As where the operator limits the bot and all it starts."""
    less_kb = uploads.MEMORY_MAX_BYTES // 1024 - 1
    done = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -v {less_kb} && exec {sys.executable} -m pipelines.uploads"],
        cwd=ROOT,
        input=jpeg(),
        capture_output=True,
        check=True,
    )
    assert b'"width_px": 96' in done.stdout


def test_it_loads_neither_tensors_nor_what_the_bot_is_made_of() -> None:
    code = (
        "import pipelines.uploads, sys;"
        "print(sorted({'torch', 'numpy', 'pydantic', 'aiogram', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_struct_of_nothing_is_no_webp() -> None:
    short = b"RIFF" + struct.pack("<I", 4) + b"WEBPVP8X"
    with pytest.raises(Unfit):
        normalise(short)
