"""The little world the micro model knows, drawn with Pillow.

One or two coloured shapes, or a cartoon face, on a plain ground or on one that fades from a
colour above to another below. A :class:`Scene` is what a picture shows in words; drawing adds the
rest (exact radius, spot, tilt, shade) at random. Captions live in ``captions``, recognition in
``judge``.
"""

import random
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Final, Literal, Self, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.faces import HAIRS, SKINS, Face, Rgb, draw_face, sample_face, shaded
from training.shapes import OVERSAMPLING, SHAPES, silhouette

Picture: TypeAlias = NDArray[np.uint8]  # (H, W, 3), RGB, 0..255

Kind: TypeAlias = Literal["one", "faded", "two", "face"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_SHARES: Final = (0.36, 0.12, 0.38, 0.14)  # of each kind in training

COLOURS: Final[dict[str, Rgb]] = {
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
SIZES: Final[dict[str, tuple[float, float]]] = {
    "small": (0.14, 0.19),
    "medium": (0.22, 0.28),
    "large": (0.32, 0.36),
}
REACH: Final[dict[str, float]] = {"small": 0.25, "medium": 0.19, "large": 0.12}

# Where there are two, so that they do not touch.
SIZES_OF_TWO: Final[dict[str, tuple[float, float]]] = {
    "small": (0.12, 0.14),
    "medium": (0.16, 0.185),
    "large": (0.2, 0.215),
}
REACH_OF_TWO: Final = 0.25

PLACES: Final[dict[str, tuple[int, int]]] = {
    "centre": (0, 0),
    "left": (-1, 0),
    "right": (1, 0),
    "top": (0, -1),
    "bottom": (0, 1),
}

# Width and height in pixels by aspect ratio, multiples of 64 as Kandinsky 3 needs.
RATIOS: Final[dict[str, tuple[int, int]]] = {
    "1:1": (128, 128),
    "3:2": (192, 128),
    "2:3": (128, 192),
    "16:9": (256, 128),
    "9:16": (128, 256),
}

_HELD_OUT_SHARE: Final = 10  # one combination in ten is never drawn for training
_APART: Final = 75  # RGB distance between what lies on a ground and the ground


@dataclass(frozen=True, slots=True)
class Thing:
    """A shape; every field is a key of the tables above."""

    shape: str
    colour: str
    size: str = "medium"
    place: str = "centre"


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shows.

    Attributes:
        things: one, or two (the left or the upper one first), or none where there is a face.
        background: its colour; where it fades, the upper one.
        fades_to: the lower colour of a ground that fades.
        face: a cartoon face.
    """

    things: tuple[Thing, ...]
    background: str
    fades_to: str | None = None
    face: Face | None = None

    @classmethod
    def of(
        cls, shape: str, colour: str, background: str, size: str = "medium", place: str = "centre"
    ) -> Self:
        """One shape on a plain ground."""
        return cls((Thing(shape, colour, size, place),), background)

    @property
    def kind(self) -> Kind:
        """Which of the kinds of scenes this is."""
        if self.face:
            return "face"
        if len(self.things) == 2:
            return "two"
        return "faded" if self.fades_to else "one"

    @property
    def is_held_out(self) -> bool:
        """Whether something in it is kept from training, to be scored on.

        That is a colour and shape on a ground, two things in one picture, or a face. A checksum
        decides, so the split is the same on every machine and in every version.
        """
        return any(zlib.crc32(key.encode()) % _HELD_OUT_SHARE == 0 for key in self._combinations())

    def _combinations(self) -> list[str]:
        if face := self.face:
            return [f"{face.skin} {face.hair} {face.eyes} {face.mouth}"]
        names = [f"{thing.colour} {thing.shape}" for thing in self.things]
        grounds = [ground for ground in (self.background, self.fades_to) if ground]
        pairs = [" and ".join(pair) for pair in pairwise(sorted(names))]
        return [f"{name} {ground}" for name in names for ground in grounds] + pairs

    def as_plain(self) -> dict[str, Any]:
        """Mappings, lists and words, for a file."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Read what :meth:`as_plain` made."""
        things = tuple(Thing(**thing) for thing in plain["things"])
        face = Face(**plain["face"]) if plain["face"] else None
        return cls(things, plain["background"], plain["fades_to"], face)


def sample_scene(
    rng: random.Random, *, held_out: bool = False, kinds: tuple[Kind, ...] = KINDS
) -> Scene:
    """Draw a scene of these kinds from the training split, or from the held-out one."""
    weights = [_SHARES[KINDS.index(kind)] for kind in kinds]
    (kind,) = rng.choices(kinds, weights)
    while True:
        scene = _SAMPLERS[kind](rng)
        if scene.is_held_out == held_out and is_clear(scene):
            return scene


def recoloured(scene: Scene, rng: random.Random, *, held_out: bool = False) -> Scene:
    """Choose other colours for the same things in the same places, or for a face, and the ground.

    One thing's ground may come to fade, or cease to.
    """
    while True:
        kind = rng.choice(_RECOLOURED_AS[scene.kind])
        colours = _SAMPLERS[kind](rng)
        pairs = zip(scene.things, colours.things, strict=True)
        things = tuple(replace(thing, colour=other.colour) for thing, other in pairs)
        face = colours.face and scene.face and replace(colours.face, mouth=scene.face.mouth)
        chosen = Scene(things, colours.background, colours.fades_to, face)
        if chosen.is_held_out == held_out and is_clear(chosen):
            return chosen


def _one(rng: random.Random) -> Scene:
    colour, background = rng.sample(list(COLOURS), 2)
    return Scene((_thing(rng, colour),), background)


def _faded(rng: random.Random) -> Scene:
    colour, background, fades_to = rng.sample(list(COLOURS), 3)
    return Scene((_thing(rng, colour),), background, fades_to)


def _two(rng: random.Random) -> Scene:
    first, second, background, below = rng.sample(list(COLOURS), 4)
    if rng.random() < 0.1:
        second = first
    places = rng.choice([("left", "right"), ("left", "right"), ("top", "bottom")])
    things = tuple(
        Thing(rng.choice(list(SHAPES)), colour, rng.choice(_SIZES_ASKED_OF_TWO), place)
        for colour, place in zip((first, second), places, strict=True)
    )
    return Scene(things, background, below if rng.random() < 0.12 else None)


def _face(rng: random.Random) -> Scene:
    return Scene((), rng.choice(list(COLOURS)), face=sample_face(rng))


_SAMPLERS: Final = {"one": _one, "faded": _faded, "two": _two, "face": _face}
_RECOLOURED_AS: Final[dict[Kind, tuple[Kind, ...]]] = {
    "one": ("one", "one", "one", "faded"),
    "faded": ("one", "one", "one", "faded"),
    "two": ("two",),
    "face": ("face",),
}
_SIZES_ASKED_OF_TWO: Final = ("medium", "medium", "medium", "medium", "small", "large")


def _thing(rng: random.Random, colour: str) -> Thing:
    return Thing(
        shape=rng.choice(list(SHAPES)),
        colour=colour,
        size=rng.choice(["small", "medium", "medium", "large"]),
        place=rng.choice(["centre", "centre", *list(PLACES)[1:]]),
    )


def is_clear(scene: Scene) -> bool:
    """Whether everything stands out against its ground, wherever on it."""
    shown = [COLOURS[thing.colour] for thing in scene.things]
    if face := scene.face:
        shown = [HAIRS[face.hair], SKINS[face.skin]]
    upper = np.asarray(COLOURS[scene.background], np.float32)
    lower = np.asarray(COLOURS[scene.fades_to or scene.background], np.float32)
    shades = [upper + share * (lower - upper) for share in (0, 0.25, 0.5, 0.75, 1)]
    return all(np.linalg.norm(shade - ink) >= _APART for shade in shades for ink in shown)


def draw(
    scene: Scene,
    rng: random.Random,
    width_px: int = 128,
    height_px: int = 128,
    *,
    shades: random.Random | None = None,
) -> Picture:
    """Draw the scene with random radii, spots, tilts and shades.

    Args:
        scene: what to draw.
        rng: chooses the geometry.
        width_px: of the picture.
        height_px: of the picture.
        shades: chooses the shades, so that one geometry can be drawn in several colourings;
            ``rng`` does if there is none.

    Returns:
        The picture, (height_px, width_px, 3) uint8 RGB, edges smoothed by oversampling.
    """
    shades = shades or rng
    pixels = _ground(scene, shades, width_px, height_px)
    if scene.face:
        canvas = Image.fromarray(np.round(pixels).astype(np.uint8)).resize(
            (width_px * OVERSAMPLING, height_px * OVERSAMPLING), Image.Resampling.BILINEAR
        )
        draw_face(canvas, scene.face, rng, shades)
        return np.asarray(canvas.reduce(OVERSAMPLING))
    for thing in scene.things:
        cover = _cover(thing, rng, (width_px, height_px), is_one_of_two=len(scene.things) == 2)
        ink = np.asarray(shaded(shades, COLOURS[thing.colour]), np.float32)
        pixels += cover[:, :, None] * (ink - pixels)
    return np.round(pixels).astype(np.uint8)


def _ground(
    scene: Scene, rng: random.Random, width_px: int, height_px: int
) -> NDArray[np.float32]:
    upper = np.asarray(shaded(rng, COLOURS[scene.background]), np.float32)
    lower = upper
    if scene.fades_to:
        lower = np.asarray(shaded(rng, COLOURS[scene.fades_to]), np.float32)
    down = np.linspace(0, 1, height_px, dtype=np.float32)[:, None, None]
    row = upper + down * (lower - upper)  # (H, 1, 3)
    return np.repeat(row, width_px, axis=1)


def _cover(
    thing: Thing, rng: random.Random, size_px: tuple[int, int], *, is_one_of_two: bool
) -> NDArray[np.float32]:
    width_px, height_px = size_px
    radius = rng.uniform(*(SIZES_OF_TWO if is_one_of_two else SIZES)[thing.size])
    reach = REACH_OF_TWO if is_one_of_two else REACH[thing.size]
    step_x, step_y = PLACES[thing.place]
    wobble = 0.015 if is_one_of_two else 0.025
    x = width_px * (0.5 + step_x * reach + rng.uniform(-wobble, wobble))
    y = height_px * (0.5 + step_y * reach + rng.uniform(-wobble, wobble))
    tilt = rng.uniform(-0.15, 0.15)
    return silhouette(thing.shape, (x, y), radius * min(size_px), tilt, size_px)
