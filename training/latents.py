"""Stage three: the pictures the UNet learns from, drawn once and kept as latents.

Scenes are kept beside them, not captions: a caption is phrased anew each time a latent is shown.
"""

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as fn
from diffusers import VQModel
from torch import Tensor

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
        shelves[name] = {"latents": torch.cat(encoded), "scenes": [asdict(s) for s in scenes]}
    save_tensors(shelves, out)


def load(path: Path) -> dict[str, Shelf]:
    """Read what :func:`make` wrote, by size name."""
    stored = torch.load(path, weights_only=True)
    return {
        name: Shelf(shelf["latents"], [Scene(**fields) for fields in shelf["scenes"]])
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
    colours = fn.avg_pool2d(pixels, pixels.shape[-1] // latents.shape[-1])
    known = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])  # (positions, 4)
    known = torch.cat([known, torch.ones_like(known[:, :1])], dim=1)
    wanted = colours.permute(0, 2, 3, 1).reshape(-1, 3)
    solution = torch.linalg.lstsq(known, wanted).solution.T.cpu()  # (3, 5)
    return solution[:, :-1].contiguous(), solution[:, -1].contiguous()
