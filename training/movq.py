"""Stage one: the MoVQ, trained to give drawn pictures back through 8x smaller latents.

Kandinsky 3 uses its MoVQ without quantising, has no scaling factor, and its sampler divides a
predicted end by its 99 % quantile wherever that exceeds 1. So after training the latents are
brought to mean 0 and within [-1, 1] by folding shift and scale into the neighbouring 1x1
convolutions, which is exact.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as fn
from diffusers import VQModel
from diffusers.models.attention_processor import SpatialNorm
from torch import Tensor

from training.stage import Budget, Log, adam, descend, load_state, save_state
from training.world import RATIOS, Kind, Picture, Scene, draw, sample_scene

Losses: TypeAlias = tuple[Tensor, Tensor]  # one to descend, one to show

# Until this share of the budget: side of the square cut from a picture, and cuts per step. Edges
# are local, so small cuts teach most of what there is at a fraction of the cost; the budget ends
# on whole pictures, as they will be decoded.
Curriculum: TypeAlias = tuple[tuple[float, int, int], ...]
_BOTH: Curriculum = ((0.4, 32, 12), (0.92, 64, 6))
_DECODER: Curriculum = ((0.5, 64, 6),)
_MODELS: tuple[Kind, ...] = ("one", "one", "faded", "two", "two", "face", "face")


def build() -> VQModel:
    """A MoVQ of 8x whose decoder has widths in multiples of its spatial norms' 32 groups."""
    return VQModel(
        block_out_channels=[32, 32, 64, 96],
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        layers_per_block=1,
        latent_channels=4,
        vq_embed_dim=4,
        norm_num_groups=8,
        norm_type="spatial",
        num_vq_embeddings=16,
    )


def to_tensor(pictures: list[Picture], device: torch.device) -> Tensor:
    """Stack pictures of one size to (B, 3, H, W) float32 in [-1, 1]."""
    stacked = torch.from_numpy(np.stack(pictures)).to(device)
    return stacked.permute(0, 3, 1, 2).float() / 127.5 - 1


def encode(movq: VQModel, pixels: Tensor) -> Tensor:
    """Latents (B, 4, H/8, W/8) of pixels (B, 3, H, W) in [-1, 1]."""
    latents: Tensor = movq.encode(pixels).latents
    return latents


def decode(movq: VQModel, latents: Tensor) -> Tensor:
    """Pixels (B, 3, 8h, 8w), about [-1, 1], of latents (B, 4, h, w), without quantising."""
    pixels: Tensor = movq.decode(latents, force_not_quantize=True).sample
    return pixels


def train(out: Path, budget: Budget, seed: int, device: torch.device) -> None:
    """Train encoder and decoder until the budget is spent; write the folded state to ``out``."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    movq = build().to(device)

    def loss_of(pixels: Tensor) -> Losses:
        latents = encode(movq, pixels)
        mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
        away_from_unit = mean.square().sum() + (deviation - 1).square().sum()
        restoring, error = _restoring(movq, latents, pixels, noise=0.08)
        return restoring + 0.01 * away_from_unit, error

    _train("movq", movq, loss_of, _BOTH, 2.5e-3, budget, rng)
    fold(movq, *statistics(movq, rng, device))
    save_state(movq, out)


def sharpen(out: Path, source: Path, budget: Budget, seed: int, device: torch.device) -> None:
    """Train the decoder of ``source`` further on fixed latents, and write the state to ``out``.

    The latents stay what they were, so the UNet can be trained at the same time.
    """
    torch.manual_seed(seed + 1)
    rng = random.Random(seed + 1)
    movq = build().to(device)
    load_state(movq, source, device)
    movq.encoder.requires_grad_(requires_grad=False)
    movq.quant_conv.requires_grad_(requires_grad=False)

    def loss_of(pixels: Tensor) -> Losses:
        with torch.no_grad():
            latents = encode(movq, pixels)
        return _restoring(movq, latents, pixels, noise=0.04)

    _train("decoder", movq, loss_of, _DECODER, 8e-4, budget, rng)
    save_state(movq, out)


def _train(
    name: str,
    movq: VQModel,
    loss_of: Callable[[Tensor], Losses],
    curriculum: Curriculum,
    peak_lr: float,
    budget: Budget,
    rng: random.Random,
) -> None:
    """Minimise the loss over drawn pictures until the budget is spent."""
    weights = [weight for weight in movq.parameters() if weight.requires_grad]
    optimiser, device, log = adam([(weights, peak_lr)]), weights[0].device, Log(name)
    while not budget.is_spent:
        loss, error = loss_of(to_tensor(_lesson(rng, curriculum, budget.share), device))
        descend(optimiser, loss, budget)
        log(budget, l1=error)
    movq.eval().requires_grad_(requires_grad=False)


def _restoring(movq: VQModel, latents: Tensor, pixels: Tensor, noise: float) -> Losses:
    """Absolute, squared and edge error of the decoded pixels, and the first alone.

    Noise on the latents makes the decoder forgive what the UNet gets slightly wrong.
    """
    restored = decode(movq, latents + noise * torch.randn_like(latents))
    error = (restored - pixels).abs().mean()
    rows, columns = (restored.diff(dim=axis) - pixels.diff(dim=axis) for axis in (2, 3))
    edges = rows.abs().mean() + columns.abs().mean()
    return error + fn.mse_loss(restored, pixels) + edges, error.detach()


def _lesson(rng: random.Random, curriculum: Curriculum, share: float) -> list[Picture]:
    """Pick the step's pictures by how much of the budget is spent."""
    for until, side_px, count in curriculum:
        if share < until:
            return [_crop(rng, side_px) for _ in range(count)]
    size = rng.choice([(128, 128), *RATIOS.values()])
    return [draw(_model(rng), rng, *size) for _ in range(3)]


def _model(rng: random.Random) -> Scene:
    """A scene to copy: faces and stars have the finest parts, so they come more often."""
    kind = rng.choice(_MODELS)
    scenes = [sample_scene(rng, kinds=(kind,)) for _ in range(rng.choice([1, 1, 4]))]
    starry = (scene for scene in scenes if any(t.shape == "star" for t in scene.things))
    return next(starry, scenes[0])


def _crop(rng: random.Random, side_px: int, attempts: int = 6) -> Picture:
    """Cut a square from a picture: of some places the one with the most edges in it."""
    picture = draw(_model(rng), rng)
    places = [[rng.randrange(0, 128 - side_px + 1, 8) for _ in range(2)] for _ in range(attempts)]
    crops = [picture[top : top + side_px, left : left + side_px] for top, left in places]
    return max(crops, key=lambda crop: float(np.abs(np.diff(crop.astype(np.int16), axis=0)).sum()))


@torch.no_grad()
def statistics(
    movq: VQModel, rng: random.Random, device: torch.device, batches: int = 8
) -> tuple[Tensor, Tensor]:
    """Mean of each latent channel, and the reach around it that 99.5 % stay within, (4,) each."""
    latents = torch.cat(
        [
            encode(movq, to_tensor([draw(sample_scene(rng), rng) for _ in range(16)], device))
            for _ in range(batches)
        ]
    )
    values = latents.transpose(0, 1).flatten(1)  # (4, all positions)
    mean = values.mean(dim=1)
    rank = int(0.995 * values.shape[1])  # quantile() refuses inputs this large
    reach = (values - mean[:, None]).abs().kthvalue(rank, dim=1).values
    return mean, reach


@torch.no_grad()
def fold(movq: VQModel, mean: Tensor, reach: Tensor) -> None:
    """Make the encoder give, and the decoder take, ``(latents - mean) / reach``."""
    last = movq.quant_conv
    last.weight.div_(reach[:, None, None, None])
    last.bias.sub_(mean).div_(reach)
    spatial = [module for module in movq.decoder.modules() if isinstance(module, SpatialNorm)]
    inputs = [movq.post_quant_conv, *(c for norm in spatial for c in (norm.conv_y, norm.conv_b))]
    for conv in inputs:
        conv.bias.add_(conv.weight[:, :, 0, 0] @ mean)
        conv.weight.mul_(reach[None, :, None, None])
