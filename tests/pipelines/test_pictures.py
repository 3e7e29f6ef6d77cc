import io

import numpy as np
import pytest
from PIL import Image

from pipelines.contracts import GenerationError
from pipelines.pictures import decode, encode_picture
from tests.pipelines.handed_in import jpeg, saved


def image() -> Image.Image:
    levels = np.random.default_rng(0).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def test_the_png_holds_the_very_pixels() -> None:
    picture = encode_picture(image(), seed=5, photo_scale=4)
    opened = Image.open(io.BytesIO(picture.png))
    assert np.array_equal(np.asarray(opened), np.asarray(image()))
    assert (picture.width_px, picture.height_px, picture.seed) == (128, 64, 5)


def test_the_photo_is_enlarged_as_the_profile_says() -> None:
    for scale in (1, 4):
        photo = Image.open(io.BytesIO(encode_picture(image(), 0, scale).jpeg))
        assert photo.format == "JPEG"
        assert photo.size == (128 * scale, 64 * scale)


def test_what_was_encoded_is_decoded_to_the_same() -> None:
    picture = encode_picture(image(), seed=5, photo_scale=1)
    assert np.array_equal(np.asarray(decode(picture.png)), np.asarray(image()))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_whatever_is_decoded_has_three_channels(mode: str) -> None:
    assert decode(saved(image().convert(mode), "PNG")).mode == "RGB"


@pytest.mark.parametrize("data", [b"", b"no picture", jpeg()[:300]], ids=len)
def test_what_is_no_whole_picture_fails(data: bytes) -> None:
    with pytest.raises(GenerationError, match="cannot be read"):
        decode(data)
