"""Stage three: the pictures the UNet learns from, drawn once and kept as latents.

Scenes are kept beside them, not captions: a caption is phrased anew each time a latent is shown.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import VQModel
from torch import Tensor

from pipelines.kandinsky3.preview import fit_latent_rgb
from training.movq import encode, to_tensor
from training.stage import save_tensors
from training.world import RATIOS, Scene, draw, sample_scene

# "half" pictures are where training starts: a quarter of the pixels, the same world.
SIZES_PX: dict[str, tuple[int, int]] = {"half": (64, 64), **RATIOS}
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Shelf:
    """Pictures of one size: latents (N, 4, h, w) float16 and what each shows."""

    latents: Tensor
    scenes: list[Scene]

    def take(
        self, rng: random.Random, count: int, device: torch.device
    ) -> tuple[Tensor, list[Scene]]:
        """Pick at random: latents (count, 4, h, w) float32, and their scenes."""
        rows = [rng.randrange(len(self.scenes)) for _ in range(count)]
        return self.latents[rows].to(device).float(), [self.scenes[row] for row in rows]


@torch.no_grad()
def make(
    out: Path, movq: VQModel, counts: Mapping[str, int], seed: int, device: torch.device
) -> None:
    """Draw and encode so many training pictures of each size, and write them to ``out``."""
    shelves: dict[str, object] = {}
    for name, count in counts.items():
        rng = random.Random(f"{seed} {name}")
        scenes = [sample_scene(rng) for _ in range(count)]
        encoded = [
            encode(
                movq,
                to_tensor(
                    [draw(s, rng, *SIZES_PX[name]) for s in scenes[at : at + _BATCH]], device
                ),
            )
            .half()
            .cpu()
            for at in range(0, count, _BATCH)
        ]
        shelves[name] = {"latents": torch.cat(encoded), "scenes": [s.as_plain() for s in scenes]}
    save_tensors(shelves, out)


def load(path: Path) -> dict[str, Shelf]:
    """Read what :func:`make` wrote, by size name."""
    stored = torch.load(path, weights_only=True)
    return {
        name: Shelf(shelf["latents"], [Scene.from_plain(plain) for plain in shelf["scenes"]])
        for name, shelf in stored.items()
    }


@torch.no_grad()
def fit_rgb(
    movq: VQModel, seed: int, device: torch.device, count: int = 96
) -> tuple[Tensor, Tensor]:
    """Fit the linear map from a latent to the mean colour of its 8x8 pixels, by least squares.

    Returns:
        weight (3, 4) and bias (3,) float32; colours are in [-1, 1].
    """
    rng = random.Random(f"{seed} rgb")
    pixels = to_tensor([draw(sample_scene(rng), rng) for _ in range(count)], device)
    latents = torch.cat([encode(movq, part) for part in torch.split(pixels, _BATCH)])
    return fit_latent_rgb(latents, pixels)
