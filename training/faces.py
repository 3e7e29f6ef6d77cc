"""Faces of the little world: cartoons of skin, hair, eyes and mouth, seen from the front."""

import random
from dataclasses import dataclass
from typing import Final, TypeAlias

from PIL import Image, ImageDraw

Rgb: TypeAlias = tuple[int, int, int]

SKINS: Final[dict[str, Rgb]] = {
    "light": (250, 220, 195),
    "tan": (215, 165, 120),
    "dark": (140, 90, 60),
}
HAIRS: Final[dict[str, Rgb]] = {
    "black": (25, 20, 20),
    "brown": (90, 50, 20),
    "blonde": (240, 205, 100),
    "red": (200, 85, 35),
    "grey": (165, 165, 165),
}
EYES: Final[dict[str, Rgb]] = {
    "blue": (50, 110, 220),
    "green": (50, 160, 70),
    "brown": (110, 65, 30),
}
MOUTHS: Final = ("smiling", "sad", "surprised")

LIPS: Final[Rgb] = (185, 35, 50)
EYEBALL: Final[Rgb] = (250, 250, 250)

# Where the parts are, in units of the picture's shorter side from the middle of the head.
HEAD: Final = (0.27, 0.33)  # half width, half height
EYE_AT: Final = (0.11, -0.02)
EYE_RADIUS: Final = 0.075
IRIS_RADIUS: Final = 0.05
MOUTH_AT: Final = 0.18
_HAIR: Final = (0.32, 0.36, -0.06)  # half width, half height, how much higher it sits
_FRINGE: Final = -0.15  # the hair covers the head above this line


@dataclass(frozen=True, slots=True)
class Face:
    """What a face shows; every field is a key of the tables above."""

    skin: str
    hair: str
    eyes: str
    mouth: str


def sample_face(rng: random.Random) -> Face:
    """Any face."""
    return Face(
        skin=rng.choice(list(SKINS)),
        hair=rng.choice(list(HAIRS)),
        eyes=rng.choice(list(EYES)),
        mouth=rng.choice(MOUTHS),
    )


def draw_face(canvas: Image.Image, face: Face, rng: random.Random, shades: random.Random) -> None:
    """Paint the face over the middle of an RGB canvas, its size and spot a little at random."""
    short_px = min(canvas.size) * rng.uniform(0.94, 1.06)
    x, y = (side * (0.5 + rng.uniform(-0.02, 0.02)) for side in canvas.size)
    pen = _Pen(ImageDraw.Draw(canvas), x, y + 0.02 * short_px, short_px)
    skin, hair = shaded(shades, SKINS[face.skin]), shaded(shades, HAIRS[face.hair])
    pen.ellipse(0, _HAIR[2], _HAIR[0], _HAIR[1], hair)
    for side in (-1, 1):
        pen.ellipse(side * HEAD[0], 0.02, 0.045, 0.07, skin)
    pen.ellipse(0, 0, *HEAD, skin)
    pen.cap(_FRINGE, hair)
    iris = shaded(shades, EYES[face.eyes])
    for side in (-1, 1):
        at = (side * EYE_AT[0], EYE_AT[1])
        pen.ellipse(*at, EYE_RADIUS, EYE_RADIUS, EYEBALL)
        pen.ellipse(*at, IRIS_RADIUS, IRIS_RADIUS, iris)
    _MOUTH_PENS[face.mouth](pen)


def shaded(rng: random.Random, colour: Rgb) -> Rgb:
    """The colour, each channel moved a little."""
    red, green, blue = (round(min(255, max(0, c + rng.gauss(0, 5)))) for c in colour)
    return red, green, blue


@dataclass(frozen=True, slots=True)
class _Pen:
    """Draws in units of the shorter side around the middle of the head."""

    canvas: ImageDraw.ImageDraw
    x: float
    y: float
    unit: float

    def _box(self, x: float, y: float, half_x: float, half_y: float) -> list[float]:
        left, top = self.x + (x - half_x) * self.unit, self.y + (y - half_y) * self.unit
        return [left, top, left + 2 * half_x * self.unit, top + 2 * half_y * self.unit]

    def ellipse(self, x: float, y: float, half_x: float, half_y: float, ink: Rgb) -> None:
        self.canvas.ellipse(self._box(x, y, half_x, half_y), fill=ink)

    def cap(self, below: float, ink: Rgb) -> None:
        """Fill the top of the head down to a line."""
        half_x, half_y = HEAD[0] + 0.005, HEAD[1] + 0.005
        rise = (1 - (below / half_y) ** 2) ** 0.5 * half_x
        steps = [index / 24 * 2 - 1 for index in range(25)]
        rim = [(t * rise, -half_y * (1 - (t * rise / half_x) ** 2) ** 0.5) for t in steps]
        points = [(-rise, below), *rim, (rise, below)]
        self.canvas.polygon(
            [(self.x + a * self.unit, self.y + b * self.unit) for a, b in points], fill=ink
        )

    def arc(self, y: float, half_x: float, half_y: float, start: int, end: int) -> None:
        width = round(0.035 * self.unit)
        self.canvas.arc(self._box(0, y, half_x, half_y), start, end, fill=LIPS, width=width)


def _smile(pen: _Pen) -> None:
    pen.arc(MOUTH_AT - 0.06, 0.12, 0.09, 15, 165)


def _frown(pen: _Pen) -> None:
    pen.arc(MOUTH_AT + 0.06, 0.12, 0.09, 195, 345)


def _gape(pen: _Pen) -> None:
    pen.ellipse(0, MOUTH_AT, 0.055, 0.065, LIPS)


_MOUTH_PENS: Final = {"smiling": _smile, "sad": _frown, "surprised": _gape}
