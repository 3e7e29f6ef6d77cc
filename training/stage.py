"""What every stage of training shares: a budget of time or steps, a log line, saved states."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn


@dataclass(slots=True)
class Budget:
    """How long a stage may run: wall seconds, or steps where a test wants them exact.

    The learning rate follows the share spent, so a stage ends well whatever the machine's speed.
    """

    seconds: float
    max_steps: int | None = None
    steps: int = 0
    started_s: float = field(default_factory=time.monotonic)

    @property
    def share(self) -> float:
        """The part spent, 0 to 1 and beyond."""
        if self.max_steps is not None:
            return self.steps / self.max_steps
        return (time.monotonic() - self.started_s) / self.seconds

    @property
    def is_spent(self) -> bool:
        """Whether to stop."""
        return self.share >= 1

    def step(self) -> None:
        """Count one step."""
        self.steps += 1

    def resume(self, share: float, steps: int) -> None:
        """Count this share and these steps as spent before."""
        self.steps = steps
        self.started_s = time.monotonic() - share * self.seconds

    def warm_cosine(self, warm: float = 0.03, floor: float = 0.04) -> float:
        """Learning-rate factor: a linear rise over ``warm``, then a half cosine to ``floor``."""
        share = min(1.0, self.share)
        wave = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * share))
        return min(1.0, share / warm + 1e-3) * wave


class Log:
    """Prints the running mean of named losses every so many steps."""

    def __init__(self, name: str, every: int = 50) -> None:
        self.name = name
        self.every = every
        self._sums: dict[str, Tensor] = {}

    def __call__(self, budget: Budget, **values: Tensor) -> None:
        """Add the step's values; print once in ``every`` steps."""
        for key, value in values.items():
            self._sums[key] = self._sums.get(key, torch.zeros(())) + value.detach().cpu()
        if budget.steps % self.every == 0:
            means = " ".join(f"{k} {v.item() / self.every:.4f}" for k, v in self._sums.items())
            spent_s = time.monotonic() - budget.started_s
            print(f"{self.name} step {budget.steps} {spent_s:.0f} s: {means}", flush=True)
            self._sums = {}


def descend(optimiser: torch.optim.Optimizer, loss: Tensor, budget: Budget) -> None:
    """Make one step down the loss, gradients clipped, at the rate this part of the budget has.

    Args:
        optimiser: its groups say under ``peak_lr`` how fast each may go at most.
        loss: a scalar.
        budget: one step of it is counted.
    """
    weights = []
    for group in optimiser.param_groups:
        group["lr"] = group["peak_lr"] * budget.warm_cosine()
        weights += group["params"]
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(weights, 1.0)
    optimiser.step()
    budget.step()


def adam(groups: Sequence[tuple[Iterable[nn.Parameter], float]]) -> torch.optim.Optimizer:
    """An optimiser of parameters and, for each lot of them, the highest learning rate."""
    return torch.optim.AdamW(
        [{"params": list(lot), "peak_lr": peak_lr} for lot, peak_lr in groups],
        lr=1e-3,  # replaced at every step
        betas=(0.9, 0.98),
        weight_decay=1e-4,
        fused=True,
    )


def save_state(module: nn.Module, path: Path) -> None:
    """Write a module's state whole or not at all: a stage that has its file is done."""
    save_tensors(module.state_dict(), path)


def save_tensors(tensors: Mapping[str, object], path: Path) -> None:
    """Write a mapping of tensors (and plain values) whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(dict(tensors), partial)
    partial.replace(path)


def load_state(module: nn.Module, path: Path, device: torch.device) -> None:
    """Read a state written by :func:`save_state` into the module."""
    module.load_state_dict(torch.load(path, map_location=device, weights_only=True))
