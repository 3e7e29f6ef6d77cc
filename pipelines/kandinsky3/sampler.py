"""From noise to latents: the base model's sampler, Flash, and the Refiner.

Pure arithmetic over rows. A row is one picture; it has its own generator on the CPU, from which
come its first latents and the noise of each of its steps, and nothing here mixes rows. So a
picture depends neither on who shares its batch nor on who leaves it, and not on the device.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, runtime_checkable

import torch
from diffusers import DDPMScheduler
from diffusers.schedulers.scheduling_ddpm import betas_for_alpha_bar
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from pipelines.kandinsky3.conditioning import Conditioning, stack
from pipelines.kandinsky3.timesteps import (
    FLASH_TIMESTEPS,
    REFINER_TIMESTEPS,
    TRAIN_STEPS,
)

LATENT_CHANNELS: Final = 4
LATENT_SCALE: Final = 8
"""Pixels per latent position, along each side."""


class UNet(Protocol):
    """The part of a Kandinsky3UNet used here, its own projection taken out."""

    def __call__(
        self,
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        encoder_attention_mask: Tensor,
        return_dict: bool,
    ) -> tuple[Tensor]:
        """Predict the noise in ``sample``, (B, 4, h, w)."""
        ...


@runtime_checkable
class FollowsRows(Protocol):
    """A UNet that knows something of each row it is asked about, and must forget with it."""

    def keep(self, positions: Sequence[int]) -> None:
        """Forget all rows but those at these positions; with guidance the negatives are rows."""
        ...


@dataclass(frozen=True, slots=True)
class Rows:
    """The pictures of a batch that are still wanted.

    Attributes:
        latents: (R, 4, H/8, W/8) float32 on the device; no scaling factor, no shift.
        generators: each row's own source of noise, on the CPU.
        indices: which of the first rows each of these is.
    """

    latents: Tensor
    generators: tuple[torch.Generator, ...]
    indices: tuple[int, ...]

    @classmethod
    def start(
        cls, seeds: Sequence[int], width_px: int, height_px: int, device: torch.device
    ) -> "Rows":
        """Draw the first latents of each row from its seed; both sides are multiples of 64."""
        shape = (len(seeds), LATENT_CHANNELS, height_px // LATENT_SCALE, width_px // LATENT_SCALE)
        empty = cls.over(torch.empty(shape, device=device), seeds)
        return replace(empty, latents=noise_like(empty.latents, empty.generators))

    @classmethod
    def over(cls, latents: Tensor, seeds: Sequence[int]) -> "Rows":
        """Begin with given latents instead of noise: encoded pictures, a row each."""
        generators = tuple(torch.Generator("cpu").manual_seed(seed) for seed in seeds)
        return cls(latents, generators, tuple(range(len(seeds))))

    def split(self, at_once: int) -> "list[Rows]":
        """Cut into parts of at most ``at_once`` rows, in their order."""
        count = len(self.indices)
        return [
            self.keep(range(first, min(first + at_once, count)))
            for first in range(0, count, at_once)
        ]

    def keep(self, positions: Sequence[int]) -> "Rows":
        """Leave only the rows at these positions."""
        return Rows(
            self.latents[list(positions)],
            tuple(self.generators[position] for position in positions),
            tuple(self.indices[position] for position in positions),
        )


Watch = Callable[[Rows, Tensor], Sequence[int]]
"""Called after each step with the rows and their predicted final latents, (R, 4, h, w) float32.

Answers with the positions of the rows to go on with. It stops the loop by raising.
"""


def noise_like(latents: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
    """Draw unit noise for each row from its own generator.

    Args:
        latents: (R, 4, h, w) float32, only its shape and device matter.
        generators: R generators on the CPU.
    """
    noise: Tensor = randn_tensor(latents.shape, list(generators), latents.device, latents.dtype)
    return noise


def alphas_cumprod() -> Tensor:
    """How much of the signal's variance is left at each timestep of training: the cosine schedule.

    Returns:
        (1000,) float32 on the CPU, falling from 1 to 0.

    Source: ai-forever/Kandinsky-3, `model/diffusion.py:55-65`.
    """
    betas: Tensor = betas_for_alpha_bar(TRAIN_STEPS)
    return (1 - betas).cumprod(dim=0)


def noised(rows: Rows, timestep: int) -> Rows:
    """Bury each row's latents in its own noise as deep as at a timestep of training.

    Args:
        rows: finished latents.
        timestep: 0 to 999.

    Source: ai-forever/Kandinsky-3, `model/diffusion.py`, `q_sample`.
    """
    kept = alphas_cumprod()[timestep]
    fresh = noise_like(rows.latents, rows.generators)
    return replace(rows, latents=kept.sqrt() * rows.latents + (1 - kept).sqrt() * fresh)


def scheduler(at: Sequence[int], threshold: float | None) -> DDPMScheduler:
    """Set up the base model's sampler: cosine betas, ancestral with eta 1, thresholded.

    Args:
        at: the timesteps, the noisiest first.
        threshold: percentile (0, 1] of dynamic thresholding of the predicted latents, whose
            floor is 1 and which has no cap; none leaves them alone. The reference uses 0.99, and
            0.95 for inpainting.

    Source: ai-forever/Kandinsky-3, `model/diffusion.py:55-65, 98-105, 145-168`. Its arithmetic is
    DDPM's with these settings, but for a root of a slightly negative number with few steps.
    """
    ddpm = DDPMScheduler(
        num_train_timesteps=TRAIN_STEPS,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="epsilon",
        variance_type="fixed_small",
        clip_sample=False,
        thresholding=threshold is not None,
        dynamic_thresholding_ratio=threshold or 1.0,
        sample_max_value=1e6,
        timestep_spacing="trailing",
    )
    ddpm.set_timesteps(timesteps=list(at))
    return ddpm


def guide(noise: Tensor, noise_uncond: Tensor, guidance: float) -> Tensor:
    """Push the prediction away from the unconditional one.

    Args:
        noise: predicted with the prompt, (R, 4, h, w) float32.
        noise_uncond: predicted with the negative prompt or with none, likewise.
        guidance: *beyond* the conditional prediction; 0 is none. It equals the usual scale less 1.

    Source: ai-forever/Kandinsky-3, `model/diffusion.py:132`.
    """
    return (guidance + 1) * noise - guidance * noise_uncond


def ancestral(
    unet: UNet,
    rows: Rows,
    prompts: Conditioning,
    negatives: Conditioning,
    *,
    at: Sequence[int],
    guidance: float,
    threshold: float | None,
    watch: Watch,
) -> Rows:
    """Denoise with the base model, from noise to latents.

    Args:
        unet: the base UNet, or one of :class:`FollowsRows` around it; that is used up.
        rows: as noisy as the first timestep is: fresh rows for 999, else those of :func:`noised`.
        prompts: each row's context, by position.
        negatives: what each row steers away from, likewise.
        at: the timesteps, the noisiest first; one step is made at each.
        guidance: as in :func:`guide`; 0 halves the work.
        threshold: as in :func:`scheduler`.
        watch: sees each step and says who stays.
    """
    ddpm = scheduler(at, threshold)
    contexts = stack(prompts, negatives) if guidance else prompts
    for timestep in ddpm.timesteps:
        noise = _guided(unet, rows.latents, timestep, contexts, guidance)
        step = ddpm.step(noise, timestep, rows.latents, generator=list(rows.generators))
        rows = replace(rows, latents=step.prev_sample)
        kept = watch(rows, step.pred_original_sample)
        if (count := len(rows.indices)) > len(kept):
            both = [*kept, *(count + position for position in kept)] if guidance else kept
            rows, contexts = rows.keep(kept), contexts.keep(both)
            if isinstance(unet, FollowsRows):
                unet.keep(both)
    return rows


def flash(
    unet: UNet,
    rows: Rows,
    prompts: Conditioning,
    *,
    watch: Watch,
    at: Sequence[int] = FLASH_TIMESTEPS,
) -> Rows:
    """Denoise with the distilled model in four steps, without guidance.

    Each step noises the latents anew to its timestep and takes the model's guess of the end.

    Args:
        unet: the Flash UNet.
        rows: fresh rows; to draw finished ones anew, leave out the first of the timesteps.
        prompts: each row's context, by the Flash projection.
        watch: sees each step and says who stays.
        at: the timesteps.

    Source: ai-forever/Kandinsky-3, `t2i_pipeline.py:56-57`, `model/diffusion.py:177-186`. The end
    is computed in float32: at 979 it divides by 0.031.
    """
    alphas = alphas_cumprod()
    for timestep in at:
        signal, noise_share = alphas[timestep].sqrt(), (1 - alphas[timestep]).sqrt()
        rows = noised(rows, timestep)
        noise = predict(unet, rows.latents, torch.tensor(timestep), prompts)
        rows = replace(rows, latents=(rows.latents - noise_share * noise) / signal)
        kept = watch(rows, rows.latents)
        if len(kept) < len(rows.indices):
            rows, prompts = rows.keep(kept), prompts.keep(kept)
    return rows


def refine(unet: UNet, rows: Rows, prompts: Conditioning, *, watch: Watch) -> Rows:
    """Redraw the base model's latents with the last two Flash steps; no decoding between.

    Args:
        unet: the Flash UNet.
        rows: finished rows of :func:`ancestral`.
        prompts: each row's context, by the Flash projection.
        watch: sees each step and says who stays.

    Source: arXiv 2312.03511 (the Refiner); ai-forever/KandiSuperRes,
    `model/diffusion_refine.py:57-65`.
    """
    return flash(unet, rows, prompts, watch=watch, at=REFINER_TIMESTEPS)


def predict(unet: UNet, latents: Tensor, timestep: Tensor, contexts: Conditioning) -> Tensor:
    """Ask the UNet once for the noise in each row.

    Args:
        unet: a UNet of the precision of the contexts.
        latents: (R, 4, h, w) float32.
        timestep: a scalar, 0 to 999, the same for all rows.
        contexts: R contexts.

    Returns:
        (R, 4, h, w) float32.
    """
    # Asked for its dtype, a library's model walks through all its modules, for a tenth of a call.
    (noise,) = unet(
        latents.to(contexts.context.dtype),
        timestep.to(latents.device).expand(len(latents)),
        encoder_hidden_states=contexts.context,
        encoder_attention_mask=contexts.mask,
        return_dict=False,
    )
    return noise.float()


def _guided(
    unet: UNet, latents: Tensor, timestep: Tensor, contexts: Conditioning, guidance: float
) -> Tensor:
    """Predict the noise, both branches in one batch: a third faster than two calls.

    Args:
        unet: the base UNet.
        latents: (R, 4, h, w) float32.
        timestep: as in :func:`predict`.
        contexts: R prompts and under them R negatives; without guidance the prompts alone.
        guidance: as in :func:`guide`.
    """
    if not guidance:
        return predict(unet, latents, timestep, contexts)
    noise, noise_uncond = predict(unet, torch.cat([latents, latents]), timestep, contexts).chunk(2)
    return guide(noise, noise_uncond, guidance)
