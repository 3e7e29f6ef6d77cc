"""Stage five: the Flash variant, distilled from the base model with guidance.

The original was trained against a discriminator on a hundred thousand pictures; a model this
small has neither the pictures nor the hours. But a base model of this little world, guided, draws
decently in Flash's four timesteps already, so what is left to teach is to do it without guidance.
At each timestep the student regresses the end of a short guided path of the teacher (DDIM, one
or two steps) from the same noisy latents: a function of those latents, so that unlike regression
to data it does not blur between possible pictures. Half of the noisy latents come from the
student's own chain, as in sampling, so it learns from the states it will really meet; half from
true pictures.
"""

import copy
import itertools
import random
from pathlib import Path

import torch
from torch import Tensor
from transformers import T5Tokenizer

from pipelines.kandinsky3.conditioning import Conditioning, stack
from pipelines.kandinsky3.sampler import alphas_cumprod, guide
from pipelines.kandinsky3.timesteps import FLASH_TIMESTEPS
from training.latents import Shelf
from training.stage import Budget, Log, adam, descend, save_state
from training.unet import Average, Painter, phrase

_GUIDANCE = 2.0
_TEACHER_STEPS = {979: 2, 729: 1, 479: 1, 229: 1}
_REACH = 1.0  # training latents lie within; guidance overshoots
_SIZES = ("1:1", "1:1", "1:1", "3:2", "2:3", "16:9", "9:16")
_PICTURES = 12  # a step


def train(
    out: Path,
    teacher: Painter,
    tokenizer: T5Tokenizer,
    shelves: dict[str, Shelf],
    budget: Budget,
    seed: int,
) -> None:
    """Distil the teacher until the budget is spent and write the averaged student to ``out``."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    device = teacher.projection.null_embedding.device
    student = copy.deepcopy(teacher).train()
    student.unet.requires_grad_()
    student.projection.linear.requires_grad_()
    student.projection.norm.requires_grad_()
    weights = [weight for weight in student.parameters() if weight.requires_grad]
    optimiser = adam([(weights, 6e-4)])
    average, log, alphas = Average(student, 0.99), Log("flash", every=10), Alphas(device)
    while not budget.is_spent:
        truth, scenes = shelves[rng.choice(_SIZES)].take(rng, _PICTURES, device)
        texts = phrase(scenes, rng)
        asked = student.read(tokenizer, texts)
        with torch.no_grad():
            taught = teacher.read(tokenizer, texts)
        own, errors = torch.randn_like(truth), {}
        for timestep in FLASH_TIMESTEPS:
            half = _PICTURES // 2
            start = torch.cat([own[:half], truth[half:]])
            noisy = alphas.noised(start, torch.randn_like(start), timestep)
            target = _guided_end(teacher, alphas, noisy, timestep, taught)
            noise = student(noisy, alphas.batch(timestep, _PICTURES), asked)
            end = alphas.end(noisy, noise, timestep)
            own, errors[f"at_{timestep}"] = end.detach(), (end - target).square().mean()
        descend(optimiser, torch.stack(list(errors.values())).sum(), budget)
        average.follow(student, budget.steps)
        log(budget, **errors)
    save_state(average.module, out)


class Alphas:
    """The noise schedule's arithmetic at single timesteps."""

    def __init__(self, device: torch.device) -> None:
        self.kept: Tensor = alphas_cumprod().to(device)

    def batch(self, timestep: int, count: int) -> Tensor:
        """The timestep for each of ``count`` rows."""
        return torch.full((count,), timestep, device=self.kept.device)

    def noised(self, latents: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """Latents with as much noise as the timestep has."""
        kept = self.kept[timestep]
        return kept.sqrt() * latents + (1 - kept).sqrt() * noise

    def end(self, noisy: Tensor, noise: Tensor, timestep: int) -> Tensor:
        """What is left of noisy latents without the predicted noise."""
        kept = self.kept[timestep]
        return (noisy - (1 - kept).sqrt() * noise) / kept.sqrt()


@torch.no_grad()
def _guided_end(
    teacher: Painter, alphas: Alphas, noisy: Tensor, timestep: int, taught: Conditioning
) -> Tensor:
    """Follow the guided teacher's deterministic path to its end in a few steps."""
    count = len(noisy)
    both = stack(taught, teacher.projection.unconditional_for(taught))
    stops = torch.linspace(timestep, 0, _TEACHER_STEPS[timestep] + 1).round().int().tolist()
    end = noisy
    for now, then in itertools.pairwise(stops):
        pair = teacher(torch.cat([noisy, noisy]), alphas.batch(now, 2 * count), both)
        noise, noise_uncond = pair.chunk(2)
        noise = guide(noise, noise_uncond, _GUIDANCE)
        end = alphas.end(noisy, noise, now).clamp(-_REACH, _REACH)
        noise = (noisy - alphas.kept[now].sqrt() * end) / (1 - alphas.kept[now]).sqrt()
        noisy = alphas.noised(end, noise, then)
    return end
