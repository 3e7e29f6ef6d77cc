import io

import numpy as np
from PIL import Image

from pipelines.pictures import encode_picture


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
