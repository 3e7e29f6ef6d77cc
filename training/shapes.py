"""The outlines of the little world: eight shapes, each drawn as how much of a pixel it covers."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

OVERSAMPLING = 3


def silhouette(
    shape: str,
    centre_px: tuple[float, float],
    radius_px: float,
    tilt_rad: float,
    size_px: tuple[int, int],
) -> NDArray[np.float32]:
    """Return how much of each pixel the shape covers, (H, W) float32 in 0..1."""
    width_px, height_px = size_px
    canvas = Image.new("L", (width_px * OVERSAMPLING, height_px * OVERSAMPLING), 0)
    pen = _Pen(
        ImageDraw.Draw(canvas),
        centre_px[0] * OVERSAMPLING,
        centre_px[1] * OVERSAMPLING,
        radius_px * OVERSAMPLING,
        tilt_rad,
    )
    SHAPES[shape](pen)
    return np.asarray(canvas.reduce(OVERSAMPLING), np.float32) / np.float32(255)


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
