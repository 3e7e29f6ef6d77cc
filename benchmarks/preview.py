"""What previews cost, and how soon they show the picture."""

import time
from typing import Final

import torch
from torch import Tensor

from benchmarks.figures import Figure
from benchmarks.micro import PROMPTS, open_model, open_store, unwatched
from pipelines.kandinsky3 import load
from pipelines.kandinsky3.preview import Previews
from pipelines.kandinsky3.progress import Progress
from pipelines.kandinsky3.sampler import Rows
from pipelines.kandinsky3.timesteps import timesteps
from pipelines.profiles import QualitySettings

STEPS: Final = 25
EARLY: Final = 3
COST_PROMISE: Final = 0.02
READABLE: Final = 0.6
"""Correlation with the finished picture's colours from which on one sees what it will be."""

SIDE_PX: Final = 128


class _Timed(Previews):
    """Knows how long it took."""

    seconds = 0.0

    def render(self, latents: Tensor) -> bytes:
        began = time.perf_counter()
        jpeg = super().render(latents)
        self.seconds += time.perf_counter() - began
        return jpeg


class _Seen:
    """Keeps what a preview could show at each step: the predicted end, and the noisy present."""

    def __init__(self) -> None:
        self.guesses: list[Tensor] = []
        self.noisy: list[Tensor] = []

    def __call__(self, rows: Rows, guess: Tensor) -> range:
        self.guesses.append(guess.clone())
        self.noisy.append(rows.latents.clone())
        return range(len(rows.indices))


def likeness(one: Tensor, other: Tensor) -> float:
    """Correlate two guesses of colours, (B, h, w, 3) uint8; the mean over pictures, -1 to 1."""
    pairs = zip(one.float().flatten(1), other.float().flatten(1), strict=True)
    return float(torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs]).mean())


def _cost(pictures: int) -> Figure:
    store, model = open_store(), open_model()
    previews = _Timed(store.get(load.LATENT_RGB), store.profile.preview_interval_s)
    owners, texts = list(range(pictures)), list(PROMPTS[:pictures])

    def draw() -> float:
        watch = Progress(owners, STEPS, 1, unwatched, previews)
        rows = model.start(owners, SIDE_PX, SIDE_PX)
        began = time.perf_counter()
        model.draw(rows, texts, [""] * pictures, QualitySettings(steps=STEPS), watch)
        return time.perf_counter() - began

    draw()
    previews.seconds = 0.0
    drawn_s = draw()
    return Figure(
        f"previews / all of denoising, {pictures} at once",
        previews.seconds / drawn_s,
        f"{1000 * previews.seconds:.1f} ms / {1000 * drawn_s:.0f} ms",
        COST_PROMISE,
    )


def _readable() -> list[Figure]:
    store, model, seen = open_store(), open_model(), _Seen()
    colours = store.get(load.LATENT_RGB)
    count = len(PROMPTS)
    rows = model.start(range(count), SIDE_PX, SIDE_PX)
    settings = QualitySettings(steps=STEPS)
    final = colours(model.draw(rows, PROMPTS, [""] * count, settings, seen).latents)
    guessed, noisy = (
        [likeness(colours(latents), final) for latents in steps]
        for steps in (seen.guesses, seen.noisy)
    )
    first_noisy = next(i for i, value in enumerate(noisy, start=1) if value >= READABLE)
    return [
        Figure(
            f"likeness of the preview at step {EARLY} of {STEPS} to the picture",
            guessed[EARLY - 1],
            f"correlation of colours, t = {timesteps(STEPS)[EARLY - 1]}; "
            f"of x_t itself {noisy[EARLY - 1]:.2f}, which gets as far at step {first_noisy}",
            READABLE,
            ">=",
        )
    ]


def measure() -> list[Figure]:
    """One person's picture, eight people's, and what is to be seen."""
    return [_cost(1), _cost(len(PROMPTS)), *_readable()]
