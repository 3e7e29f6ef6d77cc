"""How tests of recipes look at pictures and at what was drawn."""

import io
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from pipelines.contracts import ImageBlob, Picture, Step
from tests.pipelines.handed_in import saved

LATENTS_TOLERANCE = 2e-5


def blob(seed: int, width_px: int = 40, height_px: int = 32) -> ImageBlob:
    """A picture as a request carries it: noise, the same each time."""
    random = np.random.default_rng(seed)
    values = random.integers(0, 256, (height_px // 8, width_px // 8, 3), dtype=np.uint8)
    image = Image.fromarray(values).resize((width_px, height_px), Image.Resampling.NEAREST)
    return ImageBlob.of(saved(image, "PNG"))


def keep_all(step: Step) -> frozenset[int]:
    """Go on with everyone."""
    return frozenset()


def looks_like(one: Picture, other: Picture) -> bool:
    """Whether no pixel differs by more than one level."""
    return bool(np.abs(pixels(one) - pixels(other)).max() <= 1)


def apart(one: Tensor, other: Tensor) -> float:
    """The largest difference, as a share of the latents' own size if that is above 1."""
    return ((one - other).abs().max() / other.abs().max().clamp(min=1)).item()


def pixels(picture: Picture) -> np.ndarray[Any, Any]:
    """(H, W, 3) int, from its PNG."""
    return np.asarray(Image.open(io.BytesIO(picture.png))).astype(int)
