"""Stage six: a ControlNet for the finished base model, so that a picture's shapes can be kept.

The side branch learns beside the frozen UNet, from pairs of one geometry: the edges of the one
colouring in, the other drawn. Captions are dropped more often than in the base model's own
training: where the style is a picture there may be no words, and guidance always asks without.
"""

import random
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers import Kandinsky3UNet
from PIL import Image
from torch import Tensor, nn
from transformers import T5Tokenizer

from pipelines.kandinsky3.conditioning import Conditioning
from pipelines.kandinsky3.controlnet import ControlBranch, predict_with
from pipelines.kandinsky3.edges import gradient_edges, hint
from pipelines.kandinsky3.sampler import alphas_cumprod
from training.pairs import Pairs
from training.stage import Budget, Log, adam, descend, save_state
from training.unet import Average, Painter, Sketch, lesson, noise_error, with_drop

HINT_CHANNELS: Final = (8, 16, 48, 96)
"""Half of the published widths and less, as the micro UNet is narrower: a third of each step."""

_CAPTION_DROP: Final = 0.25
_WEIGHT_CAP: Final = 4.0
_CURRICULUM: tuple[tuple[float, tuple[str, ...], int], ...] = (
    (0.65, ("1:1",), 16),
    (1.0, ("1:1", "1:1", "3:2", "2:3", "16:9", "9:16"), 12),
)


def train(
    out: Path,
    painter: Painter,
    tokenizer: T5Tokenizer,
    pairs: dict[str, Pairs],
    budget: Budget,
    seed: int,
) -> None:
    """Train until the budget is spent and write the averaged branch to ``out``.

    A sketch beside ``out`` is kept up to date; training interrupted goes on from there.
    """
    torch.manual_seed(seed)
    device = painter.projection.null_embedding.device
    branch = build(painter.unet)
    average, optimiser = Average(branch), _optimiser(branch)
    sketch = Sketch(out.with_suffix(".sketch"), branch, average, optimiser)
    sketch.restore(budget)
    # Training that goes on draws other lots than it began with.
    torch.manual_seed(seed + budget.steps)
    rng = random.Random(seed + budget.steps)
    alphas, log = alphas_cumprod().to(device), Log("control", every=25)
    while not budget.is_spent:
        ratios, count = lesson(_CURRICULUM, budget.share)
        shelf = pairs[rng.choice(ratios)]
        latents, motifs = shelf.take(rng, count, device)
        hints = edges_of([m.counterpart(rng, shelf.size_px) for m in motifs]).to(device)
        with torch.no_grad():
            told = painter.read(tokenizer, [motif.words(rng) for motif in motifs])
            told = with_drop(painter, told, _CAPTION_DROP)
        paint = partial(predict, painter.unet, branch, hints)
        loss, error = noise_error(paint, alphas, latents, told, _weights)
        descend(optimiser, loss, budget)
        average.follow(branch, budget.steps)
        log(budget, error=error)
        if budget.steps % 100 == 0:
            sketch.save(budget)
    save_state(average.module, out)
    sketch.path.unlink(missing_ok=True)


def build(unet: Kandinsky3UNet) -> ControlBranch:
    """A branch of the UNet's own way down; it changes nothing until it has learnt to.

    Its own convolutions see to that. The hint encoder need not be silent as well, and with
    torch's initial weights its eight layers would let a five-hundredth of the hint through.
    """
    branch = ControlBranch.from_unet(unet, HINT_CHANNELS)
    for name, weight in branch.hint.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(weight)
        else:
            nn.init.kaiming_normal_(weight, nonlinearity="relu")
    return branch


def load_branch(path: Path, painter: Painter, device: torch.device) -> ControlBranch:
    """Read a branch written by :func:`train`."""
    branch = build(painter.unet).to(device)
    branch.load_state_dict(torch.load(path, map_location=device, weights_only=True))
    return branch.eval().requires_grad_(requires_grad=False)


def edges_of(images: list[Image.Image]) -> Tensor:
    """Hints of RGB pictures of one size, as the micro profile reads them, (B, 3, H, W)."""
    stacked = torch.from_numpy(np.stack([np.asarray(image) for image in images]))
    pixels = stacked.permute(0, 3, 1, 2).float() / 255
    return hint(gradient_edges(pixels), "0..1", "white_edges")


def predict(
    unet: Kandinsky3UNet,
    branch: ControlBranch,
    hints: Tensor,
    latents: Tensor,
    timesteps: Tensor,
    contexts: Conditioning,
) -> Tensor:
    """Predict the noise (B, 4, h, w) in latents at timesteps (B,), heeding the hints in full."""
    asked = (latents, timesteps, contexts.context, contexts.mask)
    return predict_with(unet, *asked, residuals=branch(*asked, hints))


def _weights(snr: Tensor) -> Tensor:
    """Of errors at signal-to-noise ratios (B,): shapes are settled where there is most noise."""
    return snr.rsqrt().clamp(max=_WEIGHT_CAP)


def _optimiser(branch: ControlBranch) -> torch.optim.Optimizer:
    """What starts from the UNet moves at less than half the rate of what starts from nothing."""
    fresh = [*branch.hint.parameters(), *branch.zero_convs.parameters()]
    known = {id(weight) for weight in fresh}
    copied = [weight for weight in branch.parameters() if id(weight) not in known]
    return adam([(fresh, 2.5e-3), (copied, 1e-3)])
