"""The little world the micro model knows: one coloured shape on a plain ground, drawn with Pillow.

A :class:`Scene` is what a picture shows in words; drawing adds the rest (exact radius, spot, tilt,
shade) at random. Captions live in ``captions``, recognition in ``judge``.
"""

import math
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Rgb: TypeAlias = tuple[int, int, int]
Picture: TypeAlias = NDArray[np.uint8]  # (H, W, 3), RGB, 0..255

COLOURS: dict[str, Rgb] = {
    "red": (220, 30, 30),
    "green": (30, 160, 50),
    "blue": (40, 70, 220),
    "yellow": (245, 220, 40),
    "purple": (140, 50, 170),
    "orange": (245, 140, 30),
    "pink": (250, 150, 190),
    "cyan": (60, 210, 220),
    "white": (245, 245, 245),
    "black": (20, 20, 20),
    "grey": (128, 128, 128),
    "brown": (120, 75, 40),
}

# Radius as a share of the shorter side, and how far a placed shape sits from the centre as a
# share of each side. The two are paired so that even the largest shape stays inside the picture.
SIZES: dict[str, tuple[float, float]] = {
    "small": (0.14, 0.19),
    "medium": (0.22, 0.28),
    "large": (0.32, 0.36),
}
REACH: dict[str, float] = {"small": 0.25, "medium": 0.19, "large": 0.12}

PLACES: dict[str, tuple[int, int]] = {
    "centre": (0, 0),
    "left": (-1, 0),
    "right": (1, 0),
    "top": (0, -1),
    "bottom": (0, 1),
}

# Width and height in pixels by aspect ratio, multiples of 64 as Kandinsky 3 needs.
RATIOS: dict[str, tuple[int, int]] = {
    "1:1": (128, 128),
    "3:2": (192, 128),
    "2:3": (128, 192),
    "16:9": (256, 128),
    "9:16": (128, 256),
}

_OVERSAMPLING = 3
_HELD_OUT_SHARE = 10  # one combination in ten is never drawn for training


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shows; every field is a key of the tables above."""

    shape: str
    colour: str
    background: str
    size: str = "medium"
    place: str = "centre"

    @property
    def is_held_out(self) -> bool:
        """Whether this colour, shape and ground are kept from training, to be scored on.

        A checksum decides, so the split is the same on every machine and in every version.
        """
        key = f"{self.colour} {self.shape} {self.background}".encode()
        return zlib.crc32(key) % _HELD_OUT_SHARE == 0


def sample_scene(rng: random.Random, *, held_out: bool = False) -> Scene:
    """Draw a scene from the training split, or from the held-out one."""
    while True:
        colour, background = rng.sample(list(COLOURS), 2)
        scene = Scene(
            shape=rng.choice(list(SHAPES)),
            colour=colour,
            background=background,
            size=rng.choice(["small", "medium", "medium", "large"]),
            place=rng.choice(["centre", "centre", *list(PLACES)[1:]]),
        )
        if scene.is_held_out == held_out:
            return scene


def draw(scene: Scene, rng: random.Random, width_px: int = 128, height_px: int = 128) -> Picture:
    """Draw the scene with a random radius, spot, tilt and shade.

    Returns:
        The picture, (height_px, width_px, 3) uint8 RGB, edges smoothed by oversampling.
    """
    short_px = min(width_px, height_px)
    radius = rng.uniform(*SIZES[scene.size])
    reach = REACH[scene.size]
    step_x, step_y = PLACES[scene.place]
    x = width_px * (0.5 + step_x * reach + rng.uniform(-0.025, 0.025))
    y = height_px * (0.5 + step_y * reach + rng.uniform(-0.025, 0.025))
    tilt = rng.uniform(-0.15, 0.15)
    cover = silhouette(scene.shape, (x, y), radius * short_px, tilt, (width_px, height_px))
    ink = np.asarray(_shade(rng, COLOURS[scene.colour]), np.float32)
    ground = np.asarray(_shade(rng, COLOURS[scene.background]), np.float32)
    mixed = ground + cover[:, :, None] * (ink - ground)
    return np.round(mixed).astype(np.uint8)


def silhouette(
    shape: str,
    centre_px: tuple[float, float],
    radius_px: float,
    tilt_rad: float,
    size_px: tuple[int, int],
) -> NDArray[np.float32]:
    """Return how much of each pixel the shape covers, (H, W) float32 in 0..1."""
    width_px, height_px = size_px
    canvas = Image.new("L", (width_px * _OVERSAMPLING, height_px * _OVERSAMPLING), 0)
    pen = _Pen(
        ImageDraw.Draw(canvas),
        centre_px[0] * _OVERSAMPLING,
        centre_px[1] * _OVERSAMPLING,
        radius_px * _OVERSAMPLING,
        tilt_rad,
    )
    SHAPES[shape](pen)
    return np.asarray(canvas.reduce(_OVERSAMPLING), np.float32) / np.float32(255)


@dataclass(frozen=True, slots=True)
class _Pen:
    """Draws in units of the radius around the centre, x to the right, y down, tilted."""

    canvas: ImageDraw.ImageDraw
    x: float
    y: float
    radius: float
    tilt: float

    def _at(self, x: float, y: float) -> tuple[float, float]:
        cos, sin = math.cos(self.tilt) * self.radius, math.sin(self.tilt) * self.radius
        return self.x + x * cos - y * sin, self.y + x * sin + y * cos

    def polygon(self, points: list[tuple[float, float]]) -> None:
        self.canvas.polygon([self._at(x, y) for x, y in points], fill=255)

    def disc(self, radius: float, x: float = 0.0, *, ink: int = 255) -> None:
        cx, cy = self._at(x, 0.0)
        r = radius * self.radius
        self.canvas.ellipse((cx - r, cy - r, cx + r, cy + r), fill=ink)


def _corners(count: int, radius: float, inner: float | None = None) -> list[tuple[float, float]]:
    """Points of a regular polygon, first one up; with ``inner``, every second point lies there."""
    points = []
    for index in range(count):
        angle = -math.pi / 2 + index * 2 * math.pi / count
        reach = radius if inner is None or index % 2 == 0 else inner
        points.append((reach * math.cos(angle), reach * math.sin(angle)))
    return points


def _circle(pen: _Pen) -> None:
    pen.disc(1.0)


def _ring(pen: _Pen) -> None:
    pen.disc(1.0)
    pen.disc(0.52, ink=0)


def _square(pen: _Pen) -> None:
    pen.polygon([(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)])


def _triangle(pen: _Pen) -> None:
    pen.polygon([(x, y + 0.25) for x, y in _corners(3, 1.15)])


def _star(pen: _Pen) -> None:
    pen.polygon(_corners(10, 1.15, inner=0.46))


def _cross(pen: _Pen) -> None:
    arm, half = 1.0, 0.34
    pen.polygon([(-arm, -half), (arm, -half), (arm, half), (-arm, half)])
    pen.polygon([(-half, -arm), (half, -arm), (half, arm), (-half, arm)])


def _heart(pen: _Pen) -> None:
    turns = [index * 2 * math.pi / 60 for index in range(60)]
    pen.polygon(
        [
            (
                math.sin(t) ** 3,
                -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t))
                / 16
                - 0.15,
            )
            for t in turns
        ]
    )


def _moon(pen: _Pen) -> None:
    pen.disc(1.0, x=0.2)
    pen.disc(0.85, x=0.7, ink=0)


SHAPES: dict[str, Callable[[_Pen], None]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "ring": _ring,
    "cross": _cross,
    "heart": _heart,
    "moon": _moon,
}


def _shade(rng: random.Random, colour: Rgb) -> tuple[float, ...]:
    return tuple(min(255.0, max(0.0, channel + rng.gauss(0, 6))) for channel in colour)
