"""What a ControlNet learns from: one geometry in two colourings.

The edges of the one are the hint, and the other is the picture to draw: were both the same, the
strength of an edge would betray the colours on its two sides. Targets are drawn once and kept as
latents; their counterparts are drawn anew each time, and some of them worn as uploads are. Some
outlines have no name, so that a picture of something unknown keeps its shapes too.
"""

import io
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers import VQModel
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

from training.captions import LANGUAGES, Caption, Language, caption
from training.faces import shaded
from training.movq import encode, to_tensor
from training.shapes import OVERSAMPLING, SHAPES
from training.stage import save_tensors
from training.world import COLOURS, RATIOS, Picture, Scene, draw, recoloured, sample_scene

_BATCH: Final = 32
_NAMELESS: Final = 0.15  # of the motifs that could be
_SHAPES_SAID: Final = 0.4
_SHAPES_MISTAKEN: Final = 0.1


@dataclass(frozen=True, slots=True)
class Motif:
    """A geometry, to be drawn in any colours.

    Attributes:
        scene: its things, in the colours of the target.
        seed: of radii, spots and tilts.
        is_nameless: the outline is of no shape that words know, whatever the scene says.
    """

    scene: Scene
    seed: int
    is_nameless: bool

    def draw(self, colouring: Scene, shades: random.Random, size_px: tuple[int, int]) -> Picture:
        """Draw it in the colours of a scene of the same things."""
        geometry = random.Random(self.seed)
        if not self.is_nameless:
            return draw(colouring, geometry, *size_px, shades=shades)
        ground = draw(replace(colouring, things=()), geometry, *size_px, shades=shades)
        ink = np.asarray(shaded(shades, COLOURS[colouring.things[0].colour]), np.float32)
        cover = nameless(geometry, size_px)[:, :, None]
        return np.round(ground + cover * (ink - ground)).astype(np.uint8)

    def counterpart(self, rng: random.Random, size_px: tuple[int, int]) -> Image.Image:
        """Draw it in other colours, worn as a picture that someone sends may be."""
        image = Image.fromarray(self.draw(recoloured(self.scene, rng), rng, size_px))
        return _WEARS[rng.choice(("not", "not", "sent", "blurred", "grainy"))](image, rng)

    def words(self, rng: random.Random) -> str:
        """Say the target's colours; the shapes, too, or not, or wrongly: the hint knows better."""
        scene, language, chance = self.scene, rng.choice(LANGUAGES), rng.random()
        if scene.face or (chance < _SHAPES_SAID and not self.is_nameless):
            return caption(scene, language, rng).text
        if chance > 1 - _SHAPES_MISTAKEN:
            things = tuple(replace(t, shape=rng.choice(list(SHAPES))) for t in scene.things)
            return caption(replace(scene, things=things), language, rng).text
        return in_colours(scene, language, rng).text


@dataclass(frozen=True, slots=True)
class Pairs:
    """Targets of one size: latents (N, 4, h, w) float16, and of what motif each is."""

    latents: Tensor
    motifs: list[Motif]
    size_px: tuple[int, int]

    def take(
        self, rng: random.Random, count: int, device: torch.device
    ) -> tuple[Tensor, list[Motif]]:
        """Pick at random: latents (count, 4, h, w) float32, and their motifs."""
        rows = [rng.randrange(len(self.motifs)) for _ in range(count)]
        return self.latents[rows].to(device).float(), [self.motifs[row] for row in rows]


@torch.no_grad()
def make(
    out: Path, movq: VQModel, counts: Mapping[str, int], seed: int, device: torch.device
) -> None:
    """Draw and encode so many targets of each size, and write them to ``out``."""
    pairs: dict[str, object] = {}
    for ratio, count in counts.items():
        rng = random.Random(f"{seed} pairs {ratio}")
        motifs = [_motif(rng) for _ in range(count)]
        encoded = []
        for at in range(0, count, _BATCH):
            batch = motifs[at : at + _BATCH]
            pictures = [motif.draw(motif.scene, rng, RATIOS[ratio]) for motif in batch]
            encoded.append(encode(movq, to_tensor(pictures, device)).half().cpu())
        pairs[ratio] = {
            "latents": torch.cat(encoded),
            "motifs": [(m.scene.as_plain(), m.seed, m.is_nameless) for m in motifs],
        }
    save_tensors(pairs, out)


def load(path: Path) -> dict[str, Pairs]:
    """Read what :func:`make` wrote, by aspect ratio."""
    return {
        ratio: Pairs(
            stored["latents"],
            [Motif(Scene.from_plain(plain), *rest) for plain, *rest in stored["motifs"]],
            RATIOS[ratio],
        )
        for ratio, stored in torch.load(path, weights_only=True).items()
    }


def in_colours(
    scene: Scene, language: Language, rng: random.Random, *, with_filler: bool = True
) -> Caption:
    """Say a scene's colours, and neither shapes nor sizes; of two things, which is which."""
    things = tuple(replace(thing, size="medium") for thing in scene.things)
    plain, unsaid = replace(scene, things=things), frozenset({"shape", "place"})
    return caption(plain, language, rng, with_filler=with_filler, unsaid=unsaid)


def nameless(rng: random.Random, size_px: tuple[int, int]) -> NDArray[np.float32]:
    """Return how much of each pixel an outline covers that no word is for, (H, W) in 0..1.

    It goes once round a middle, smoothly or from corner to corner.
    """
    width_px, height_px = (side * OVERSAMPLING for side in size_px)
    short_px = min(width_px, height_px)
    x, y = (side * rng.uniform(0.36, 0.64) for side in (width_px, height_px))
    radius_px = short_px * rng.uniform(0.16, 0.32)
    waves = [(k, rng.uniform(0, 0.5 / k), rng.uniform(0, math.tau)) for k in (1, 2, 3, 4, 5)]
    turns = [index * math.tau / 72 for index in range(72)]
    if rng.random() < 0.5:
        turns = sorted(rng.uniform(0, math.tau) for _ in range(rng.randint(4, 9)))
    points = []
    for turn in turns:
        swell = sum(depth * math.sin(k * turn + phase) for k, depth, phase in waves)
        reach_px = radius_px * max(0.25, 1 + swell)
        points.append((x + reach_px * math.cos(turn), y + reach_px * math.sin(turn)))
    canvas = Image.new("L", (width_px, height_px), 0)
    ImageDraw.Draw(canvas).polygon(points, fill=255)
    return np.asarray(canvas.reduce(OVERSAMPLING), np.float32) / np.float32(255)


def _motif(rng: random.Random) -> Motif:
    scene = sample_scene(rng)
    is_nameless = len(scene.things) == 1 and rng.random() < _NAMELESS
    return Motif(scene, rng.getrandbits(32), is_nameless)


def _not(image: Image.Image, _rng: random.Random) -> Image.Image:
    """The picture as it was drawn."""
    return image


def _sent(image: Image.Image, rng: random.Random) -> Image.Image:
    """Enlarged and made a JPEG, as a chat shows it, and then brought back to its size."""
    scale, jpeg = rng.choice((1, 2, 4, 4)), io.BytesIO()
    large = image.resize((image.width * scale, image.height * scale), Image.Resampling.LANCZOS)
    large.save(jpeg, "JPEG", quality=rng.randint(60, 95))
    with Image.open(jpeg) as photo:
        return photo.convert("RGB").resize(image.size, Image.Resampling.LANCZOS)


def _blurred(image: Image.Image, rng: random.Random) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2)))


def _grainy(image: Image.Image, rng: random.Random) -> Image.Image:
    grain = np.random.default_rng(rng.getrandbits(32)).normal(
        0, rng.uniform(2, 9), (*image.size[::-1], 3)
    )
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))


_WEARS: Final = {"not": _not, "sent": _sent, "blurred": _blurred, "grainy": _grainy}
