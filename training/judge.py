"""Reads a picture of the little world back into words, from its pixels alone.

The judge shares no code with the models: it finds the ground from the border, takes what differs
from it apart into connected pieces, and compares each piece's outline with drawn templates; of a
face it looks at where the parts are. It must be right on at least 99 % of true pictures, or a
score means nothing; a test holds it to that.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training import faces
from training.faces import Face
from training.shapes import SHAPES, silhouette
from training.world import COLOURS, Picture, Scene, Thing

Mask: TypeAlias = NDArray[np.bool_]
Pixels: TypeAlias = NDArray[np.float32]

_BORDER_PX: Final = 3
_DIFFERENT: Final = 55.0  # RGB distance from the ground, of what lies on it
_SAME_GROUND: Final = 50.0  # RGB distance between the upper and the lower end of a plain ground
_PIECE_PX: Final = 40  # less is dirt
_CROP_PX: Final = 48
_PLACED: Final = 0.07  # a box this far from the middle, as a share of the side, is "placed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge saw: the ground, and the shapes on it, the left or the upper one first."""

    background: str
    fades_to: str | None
    things: tuple[Thing, ...]  # their sizes are not judged


def marks(picture: Picture, scene: Scene) -> dict[str, bool]:
    """Say of each aspect whether the picture is as the scene says.

    Args:
        picture: (H, W, 3) uint8 RGB.
        scene: of things or of a face.

    Returns:
        ``background``, and of things ``colour``, ``shape`` and ``place``, each true only if there
        are as many things as meant and all are right; of a face ``skin``, ``hair``, ``eyes`` and
        ``mouth``.
    """
    if scene.face:
        return _marks_of_face(picture, scene.background, scene.face)
    seen = judge(picture)
    ground = (seen.background, seen.fades_to) == (scene.background, scene.fades_to)
    fields = ("colour", "shape", "place")
    return {"background": ground} | {
        field: [getattr(t, field) for t in seen.things]
        == [getattr(t, field) for t in scene.things]
        for field in fields
    }


def _marks_of_face(picture: Picture, background: str, face: Face) -> dict[str, bool]:
    seen = judge_face(picture)
    parts = ("skin", "hair", "eyes", "mouth")
    if seen is None:
        return dict.fromkeys(("background", *parts), False)
    return {"background": seen[0] == background} | {
        part: getattr(seen[1], part) == getattr(face, part) for part in parts
    }


def figure(picture: Picture, scene: Scene) -> Mask:
    """Tell which pixels show the scene's things, or its face, and not the ground.

    Args:
        picture: (H, W, 3) uint8 RGB.
        scene: what it is to show; only whether it is a face matters.

    Returns:
        (H, W); a rim smoothed by drawing belongs to what it is nearer to in colour.
    """
    pixels = picture.astype(np.float32)
    ground = _ground(pixels)
    pieces = _pieces(np.linalg.norm(pixels - ground, axis=-1) > _DIFFERENT)
    shown = np.zeros(picture.shape[:2], np.bool_)
    for piece in pieces:
        # A face has many colours, and none of them is its ink.
        shown |= piece if scene.face else _outline(pixels, ground, piece, is_alone=False)[1]
    return shown


def judge(picture: Picture) -> Verdict:
    """Name the ground and the shapes on it.

    Args:
        picture: (H, W, 3) uint8 RGB.
    """
    pixels = picture.astype(np.float32)
    ground = _ground(pixels)
    upper, lower = _nearest(ground[0, 0], COLOURS), _nearest(ground[-1, 0], COLOURS)
    is_plain = upper == lower or float(np.linalg.norm(ground[0] - ground[-1])) < _SAME_GROUND
    pieces = _pieces(np.linalg.norm(pixels - ground, axis=-1) > _DIFFERENT)
    things = [_thing(pixels, ground, piece, is_alone=len(pieces) == 1) for piece in pieces]
    background = _nearest(ground.mean(axis=(0, 1)), COLOURS) if is_plain else upper
    return Verdict(background, None if is_plain else lower, _in_order(things))


def judge_face(picture: Picture) -> tuple[str, Face] | None:
    """Name the ground and the parts of a face.

    Returns:
        The ground's colour and the face, or None where nothing large stands in the middle.
    """
    pixels = picture.astype(np.float32)
    ground = np.median(_border(pixels), axis=0)
    mask = np.linalg.norm(pixels - ground, axis=-1) > _DIFFERENT
    unit = min(mask.shape)
    if mask.sum() < 0.1 * unit * unit:
        return None
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    # Hair reaches from half a unit above the chin; the chin is what the whole hangs from.
    chin, x = rows[-1] + 1, (columns[0] + columns[-1] + 1) / 2
    scale = (columns[-1] + 1 - columns[0]) / (2 * 0.32)
    look = _Look(pixels, x, chin - faces.HEAD[1] * scale, scale)
    side, height = faces.EYE_AT
    iris = np.median([look.at(sign * side, height, 0.025) for sign in (-1, 1)], axis=0)
    face = Face(
        skin=_nearest(look.at(0, 0.08, 0.03), faces.SKINS),
        hair=_nearest(look.at(0, -0.26, 0.05), faces.HAIRS),
        eyes=_nearest(iris, faces.EYES),
        mouth=_mouth(look),
    )
    return _nearest(ground, COLOURS), face


@dataclass(frozen=True, slots=True)
class _Look:
    """Looks at places of a face, in units of its size from the middle of the head."""

    pixels: Pixels
    x: float
    y: float
    unit: float

    def at(self, x: float, y: float, reach: float) -> Pixels:
        """The median colour around a place."""
        patch: Pixels = np.median(self.patch(x, y, reach, reach).reshape(-1, 3), axis=0)
        return patch

    def patch(self, x: float, y: float, half_x: float, half_y: float) -> Pixels:
        top, left = self.y + (y - half_y) * self.unit, self.x + (x - half_x) * self.unit
        bottom, right = top + 2 * half_y * self.unit, left + 2 * half_x * self.unit
        rows = slice(max(0, round(top)), max(1, round(bottom)))
        return self.pixels[rows, max(0, round(left)) : max(1, round(right))]


def _mouth(look: _Look) -> str:
    """Tell the mouths apart by where the lips are: at the corners, higher or lower, or not."""
    patch = look.patch(0, faces.MOUTH_AT, 0.135, 0.08)
    skin = look.at(0, 0.08, 0.03)
    lips = np.linalg.norm(patch - np.asarray(faces.LIPS), axis=-1)
    mask = lips < np.linalg.norm(patch - skin, axis=-1)
    rows, columns = np.nonzero(mask)
    if len(rows) < 4:
        return "none"
    if columns.max() - columns.min() < 0.55 * patch.shape[1]:
        return "surprised"
    outer = np.abs(columns - (patch.shape[1] - 1) / 2) > 0.26 * patch.shape[1]
    corners, middle = rows[outer].mean() if outer.any() else rows.mean(), rows[~outer].mean()
    return "smiling" if corners < middle else "sad"


def _ground(pixels: Pixels) -> Pixels:
    """The ground behind everything, (H, 1, 3): the border's, straight from top to bottom."""
    n = _BORDER_PX
    upper, lower = np.median(pixels[:n], axis=(0, 1)), np.median(pixels[-n:], axis=(0, 1))
    sides = np.concatenate([pixels[:, :n], pixels[:, -n:]], axis=1)
    rows = np.median(sides, axis=1)
    down = np.linspace(0, 1, len(rows), dtype=np.float32)[:, None]
    straight = upper + down * (lower - upper)
    # A shape may reach the border; where the sides agree with the straight line they are better.
    close = np.linalg.norm(rows - straight, axis=-1, keepdims=True) < _DIFFERENT / 2
    ground: Pixels = np.where(close, rows, straight)[:, None]
    return ground


def _border(pixels: Pixels) -> Pixels:
    n = _BORDER_PX
    sides = (pixels[:n], pixels[-n:], pixels[:, :n], pixels[:, -n:])
    return np.concatenate([side.reshape(-1, 3) for side in sides])


def _pieces(mask: Mask) -> list[Mask]:
    """Split into connected pieces, without those too small beside the largest."""
    left = mask.copy()
    pieces = []
    while left.any():
        piece = _flooded(left, int(left.argmax()))
        left &= ~piece
        pieces.append(piece)
    least = max(_PIECE_PX, 0.12 * max((piece.sum() for piece in pieces), default=0))
    return [piece for piece in pieces if piece.sum() >= least]


def _flooded(mask: Mask, start: int) -> Mask:
    """What hangs together, side by side, with one pixel of the mask (its flat index)."""
    width = mask.shape[1]
    free, piece = np.pad(mask, 1).ravel(), np.zeros(mask.size + 2 * sum(mask.shape) + 4, np.bool_)
    step = width + 2
    heads = np.array([(start // width + 1) * step + start % width + 1])
    while len(heads):
        piece[heads] = True
        beside = np.concatenate([heads - 1, heads + 1, heads - step, heads + step])
        heads = np.unique(beside[free[beside] & ~piece[beside]])
    return piece.reshape(-1, step)[1:-1, 1:-1]


def _thing(pixels: Pixels, ground: Pixels, piece: Mask, *, is_alone: bool) -> Thing:
    ink, mask = _outline(pixels, ground, piece, is_alone=is_alone)
    return Thing(_shape(mask), _nearest(ink, COLOURS), place=_place(mask))


def _outline(
    pixels: Pixels, ground: Pixels, piece: Mask, *, is_alone: bool
) -> tuple[Pixels, Mask]:
    """A piece's colour, and the pixels nearer to it than to the ground."""
    core = _eroded(piece)
    ink = np.median(pixels[core if core.sum() > 8 else piece], axis=0)
    to_ink, to_ground = (np.linalg.norm(pixels - colour, axis=-1) for colour in (ink, ground))
    mask = (to_ink < to_ground) & (_grown(piece) if not is_alone else True)
    return ink, mask if mask.any() else piece


def _in_order(things: list[Thing]) -> tuple[Thing, ...]:
    """Put the left or the upper of two first; of more than two the order means nothing."""
    ranks = {"left": 0, "top": 0, "centre": 1, "right": 2, "bottom": 2}
    return tuple(sorted(things, key=lambda thing: ranks[thing.place]))


def _eroded(mask: Mask) -> Mask:
    """Drop the rim, where smoothing mixes ink and ground."""
    core = mask.copy()
    core[1:] &= mask[:-1]
    core[:-1] &= mask[1:]
    core[:, 1:] &= mask[:, :-1]
    core[:, :-1] &= mask[:, 1:]
    return core


def _grown(mask: Mask) -> Mask:
    """Add the rim around."""
    return ~_eroded(~mask)


def _nearest(rgb: Pixels, table: dict[str, faces.Rgb]) -> str:
    return min(table, key=lambda name: float(np.linalg.norm(np.asarray(table[name]) - rgb)))


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
