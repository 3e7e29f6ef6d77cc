"""Reads a picture of the little world back into words, from its pixels alone.

The judge shares no code with the models: it finds the ground from the border, the shape as what
differs from it, and compares the shape's outline with drawn templates. It must be right on at
least 99 % of true pictures, or a score means nothing; a test holds it to that.
"""

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.world import COLOURS, SHAPES, Picture, Scene, silhouette

Mask: TypeAlias = NDArray[np.bool_]

_BORDER_PX = 3
_DIFFERENT = 60.0  # RGB distance; the two closest colours of the world are 80 apart
_CROP_PX = 48
_PLACED = 0.07  # a box this far from the middle, as a share of the side, is "placed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge saw. ``shape``, ``colour`` and ``place`` are None on an empty picture."""

    background: str
    colour: str | None
    shape: str | None
    place: str | None

    def agrees(self, scene: Scene) -> bool:
        """Whether everything but the size is as the scene says."""
        return (self.background, self.colour, self.shape, self.place) == (
            scene.background,
            scene.colour,
            scene.shape,
            scene.place,
        )


def judge(picture: Picture) -> Verdict:
    """Name the ground, the shape's colour, the shape and its place.

    Args:
        picture: (H, W, 3) uint8 RGB.
    """
    pixels = picture.astype(np.float32)
    ground = np.median(_border(pixels), axis=0)
    rough = np.linalg.norm(pixels - ground, axis=-1) > _DIFFERENT
    if rough.sum() < 24:
        return Verdict(_nearest_colour(ground), None, None, None)
    core = _eroded(rough)
    ink = np.median(pixels[core if core.sum() > 8 else rough], axis=0)
    mask = np.linalg.norm(pixels - ink, axis=-1) < np.linalg.norm(pixels - ground, axis=-1)
    return Verdict(_nearest_colour(ground), _nearest_colour(ink), _shape(mask), _place(mask))


def _border(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    n = _BORDER_PX
    sides = (pixels[:n], pixels[-n:], pixels[:, :n], pixels[:, -n:])
    return np.concatenate([side.reshape(-1, 3) for side in sides])


def _eroded(mask: Mask) -> Mask:
    """Drop the rim, where smoothing mixes ink and ground."""
    core = mask.copy()
    core[1:] &= mask[:-1]
    core[:-1] &= mask[1:]
    core[:, 1:] &= mask[:, :-1]
    core[:, :-1] &= mask[:, 1:]
    return core


def _nearest_colour(rgb: NDArray[np.float32]) -> str:
    return min(COLOURS, key=lambda name: float(np.linalg.norm(np.asarray(COLOURS[name]) - rgb)))


def _cropped(mask: Mask) -> Mask:
    """Cut the mask to its bounding box and bring it to one size."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scaled = Image.fromarray(box.astype(np.uint8) * 255).resize((_CROP_PX, _CROP_PX))
    return np.asarray(scaled) > 127


@cache
def _templates() -> tuple[tuple[str, Mask], ...]:
    return tuple(
        (shape, _cropped(silhouette(shape, (64, 64), 45, tilt, (128, 128)) > 0.5))
        for shape in SHAPES
        for tilt in (-0.12, 0.0, 0.12)
    )


def _shape(mask: Mask) -> str:
    crop = _cropped(mask)
    overlaps = {
        (shape, index): (crop & template).sum() / max(1, (crop | template).sum())
        for index, (shape, template) in enumerate(_templates())
    }
    return max(overlaps, key=lambda key: overlaps[key])[0]


def _place(mask: Mask) -> str:
    """Name where the bounding box sits; its middle is steadier than a moon's centre of gravity."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    x = (columns[0] + columns[-1] + 1) / (2 * mask.shape[1]) - 0.5
    y = (rows[0] + rows[-1] + 1) / (2 * mask.shape[0]) - 0.5
    if max(abs(x), abs(y)) < _PLACED:
        return "centre"
    if abs(x) > abs(y):
        return "left" if x < 0 else "right"
    return "top" if y < 0 else "bottom"
