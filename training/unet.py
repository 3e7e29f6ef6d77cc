"""Stage four: the UNet, its projection and the text encoder, together, on noise prediction.

Training climbs from half-size pictures to square ones to all aspect ratios: what a colour or a
place means is learned where a step is cheap.
"""

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import Kandinsky3UNet
from torch import Tensor, nn
from transformers import T5EncoderModel, T5Tokenizer

from pipelines.kandinsky3.conditioning import Conditioning, Projection, tokenize
from pipelines.kandinsky3.sampler import alphas_cumprod
from training.captions import LANGUAGES, caption
from training.latents import Shelf
from training.stage import Budget, Log, adam, descend, save_state, save_tensors
from training.text import STATES_DIM, build_encoder, encode
from training.world import Scene

CONTEXT_DIM = 96
_CAPTION_DROP = 0.12
_SNR_CAP = 5.0
_LATENTS_STD = 0.5  # about; the signal-to-noise ratio is that of the latents, not of unit ones
# Until this share of the budget: which sizes, and how many pictures a step.
_CURRICULUM: tuple[tuple[float, tuple[str, ...], int], ...] = (
    (0.12, ("half",), 64),
    (0.7, ("1:1",), 24),
    (1.0, ("1:1", "1:1", "1:1", "3:2", "2:3", "16:9", "9:16"), 20),
)


class Painter(nn.Module):
    """A text encoder, a projection and a UNet: everything from token ids to predicted noise."""

    def __init__(self, encoder: T5EncoderModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.projection = Projection(STATES_DIM, CONTEXT_DIM)
        nn.init.normal_(self.projection.null_embedding, std=0.5)
        self.unet = build()

    def read(self, tokenizer: T5Tokenizer, texts: list[str]) -> Conditioning:
        """Contexts of texts, each as it would be alone."""
        device = self.projection.null_embedding.device
        ids, mask = (tensor.to(device) for tensor in tokenize(tokenizer, texts))
        conditioning: Conditioning = self.projection(encode(self.encoder, ids, mask), mask)
        return conditioning

    def forward(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """Predicted noise (B, 4, h, w) of noisy latents at timesteps (B,)."""
        noise: Tensor = self.unet(
            latents,
            timesteps,
            encoder_hidden_states=conditioning.context,
            encoder_attention_mask=conditioning.mask,
            return_dict=False,
        )[0]
        return noise


def build() -> Kandinsky3UNet:
    """A Kandinsky 3 UNet of four levels; the projection lives outside, as in the original."""
    unet = Kandinsky3UNet(
        in_channels=4,
        time_embedding_dim=80,
        groups=8,
        attention_head_dim=16,
        layers_per_block=2,
        block_out_channels=(64, 64, 64, 96),
        cross_attention_dim=CONTEXT_DIM,
        encoder_hid_dim=CONTEXT_DIM,
    )
    unet.encoder_hid_proj = nn.Identity()
    return unet


def load_painter(path: Path, tokenizer: T5Tokenizer, device: torch.device) -> Painter:
    """Read a painter written by a stage, ready to sample."""
    painter = Painter(build_encoder(tokenizer)).to(device)
    painter.load_state_dict(torch.load(path, map_location=device, weights_only=True))
    return painter.eval().requires_grad_(requires_grad=False)


def train(
    out: Path,
    encoder: T5EncoderModel,
    tokenizer: T5Tokenizer,
    shelves: dict[str, Shelf],
    budget: Budget,
    seed: int,
) -> None:
    """Train until the budget is spent and write the averaged painter to ``out``.

    A sketch beside ``out`` is kept up to date; training interrupted goes on from there.
    """
    torch.manual_seed(seed)
    painter = Painter(encoder).to(encoder.device)
    average, optimiser = Average(painter), _optimiser(painter)
    sketch = Sketch(out.with_suffix(".sketch"), painter, average, optimiser)
    sketch.restore(budget)
    # Training that goes on draws other lots than it began with.
    torch.manual_seed(seed + budget.steps)
    rng = random.Random(seed + budget.steps)
    alphas, log = alphas_cumprod().to(encoder.device), Log("unet")
    while not budget.is_spent:
        sizes, count = lesson(_CURRICULUM, budget.share)
        latents, scenes = shelves[rng.choice(sizes)].take(rng, count, encoder.device)
        conditioning = with_drop(painter, painter.read(tokenizer, phrase(scenes, rng)))
        loss, error = noise_error(painter, alphas, latents, conditioning)
        descend(optimiser, loss, budget)
        average.follow(painter, budget.steps)
        log(budget, error=error)
        if budget.steps % 200 == 0:
            sketch.save(budget)
    save_state(average.module, out)
    sketch.path.unlink(missing_ok=True)


def lesson(
    curriculum: tuple[tuple[float, tuple[str, ...], int], ...], share: float
) -> tuple[tuple[str, ...], int]:
    """Sizes and pictures a step at this share of the budget."""
    return next((sizes, n) for until, sizes, n in curriculum if share < until or until == 1.0)


def phrase(scenes: list[Scene], rng: random.Random) -> list[str]:
    """A fresh caption of each scene, in either language."""
    return [caption(scene, rng.choice(LANGUAGES), rng).text for scene in scenes]


def with_drop(
    painter: Painter, conditioning: Conditioning, share: float = _CAPTION_DROP
) -> Conditioning:
    """Replace some rows by the unconditional branch: what guidance pushes away from."""
    nothing = painter.projection.unconditional_for(conditioning)
    dropped = torch.rand(len(conditioning), device=conditioning.mask.device) < share
    return Conditioning(
        torch.where(dropped[:, None, None], nothing.context, conditioning.context),
        torch.where(dropped[:, None], nothing.mask, conditioning.mask),
        conditioning.lengths,
    )


def _optimiser(painter: Painter) -> torch.optim.Optimizer:
    """The encoder, already taught, moves at a tenth of the others' rate."""
    fresh = [*painter.unet.parameters(), *painter.projection.parameters()]
    return adam([(fresh, 2.5e-3), (painter.encoder.parameters(), 3e-4)])


def noise_error(
    painter: Callable[[Tensor, Tensor, Conditioning], Tensor],
    alphas: Tensor,
    latents: Tensor,
    conditioning: Conditioning,
    weights_at: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Squared error of the predicted noise, weighted, and not.

    Args:
        painter: predicts the noise of noisy latents at timesteps, as :class:`Painter` does.
        alphas: of :func:`alphas_cumprod`.
        latents: of true pictures, (B, 4, h, w); their noise and timesteps are drawn here.
        conditioning: a context of each.
        weights_at: says how much errors count at signal-to-noise ratios, (B,); as min-SNR-5 does
            (arXiv:2303.09556) if left out.
    """
    noise = torch.randn_like(latents)
    timesteps = torch.randint(0, 1000, (len(latents),), device=latents.device)
    kept = alphas[timesteps]  # (B,), of the signal's variance
    noisy = kept.sqrt()[:, None, None, None] * latents
    noisy += (1 - kept).sqrt()[:, None, None, None] * noise
    errors = (painter(noisy, timesteps, conditioning) - noise).square().mean((1, 2, 3))
    snr = _LATENTS_STD**2 * kept / (1 - kept)
    weights = weights_at(snr) if weights_at else (_SNR_CAP / snr).clamp(max=1.0)
    return (errors * weights).mean(), errors.mean().detach()


class Average:
    """Keeps a running average of a module's weights, quick at first and slow later."""

    def __init__(self, module: nn.Module, decay: float = 0.998) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(requires_grad=False)
        self.decay = decay

    @torch.no_grad()
    def follow(self, module: nn.Module, steps: int) -> None:
        """Move a little towards the module's present weights."""
        decay = min(self.decay, (1 + steps) / (20 + steps))
        for mine, theirs in zip(self.module.parameters(), module.parameters(), strict=True):
            mine.lerp_(theirs, 1 - decay)


@dataclass(frozen=True, slots=True)
class Sketch:
    """An unfinished training on disk: the weights, their average and the optimiser's memory."""

    path: Path
    painter: nn.Module
    average: Average
    optimiser: torch.optim.Optimizer

    def save(self, budget: Budget) -> None:
        """Write the present state."""
        state = {
            "painter": self.painter.state_dict(),
            "average": self.average.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "share": budget.share,
            "steps": budget.steps,
        }
        save_tensors(state, self.path)

    def restore(self, budget: Budget) -> None:
        """Go back to the state on disk, if there is one, and count its time as spent."""
        if not self.path.exists():
            return
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        self.painter.load_state_dict(state["painter"])
        self.average.module.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        budget.resume(state["share"], state["steps"])
