"""What could make drawing quicker, each against going without; scored where pictures change."""

import copy
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, cast

import torch
from torch import Tensor

from benchmarks.figures import Figure
from benchmarks.micro import PROMPTS, alternate, open_store, requests, said, unwatched
from pipelines.kandinsky3 import load, movq
from pipelines.kandinsky3.conditioning import Conditioning, stack
from pipelines.kandinsky3.model import Kandinsky3
from pipelines.kandinsky3.sampler import UNet, predict
from pipelines.profiles import Profile, QualitySettings
from pipelines.text_to_image import TextToImage
from pipelines.weights import ComponentStore

ROUNDS: Final = 4
SCORED: Final = 40
SCORE_SEED: Final = 1000
INTERVALS: Final = (2, 3, 5)
FAST_INTERVAL: Final = 3
FAST_PROMISE: Final = 1.5
POINTS_PROMISE: Final = 2.0
SIDE: Final = 16
"""Of the latents of 128x128 pixels."""


def _latents(rows: int, side: int = SIDE) -> Tensor:
    return torch.randn(rows, 4, side, side, generator=torch.Generator().manual_seed(0))


def _guidance(store: ComponentStore) -> Figure:
    """Both branches of guidance in one call of the UNet, or in two."""
    unet = cast("UNet", store.get(load.UNETS["base"]))
    prompt = Kandinsky3(store).context(PROMPTS[0], "base")
    nothing = store.get(load.PROJECTIONS["base"]).unconditional_for(prompt)
    both, latents, timestep = stack(prompt, nothing), _latents(1), torch.tensor(500)

    def twice() -> None:
        for context in (prompt, nothing):
            predict(unet, latents, timestep, context)

    seconds = alternate(
        2 * ROUNDS,
        twice,
        lambda: predict(unet, torch.cat([latents, latents]), timestep, both),
    )
    return Figure(
        "guidance: two calls / one of two rows", seconds[0] / seconds[1], f"on; {said(seconds)}"
    )


def _channels_last(store: ComponentStore) -> list[Figure]:
    """Colours beside each other in memory, as convolutions of some processors prefer."""
    unet, decoder = store.get(load.UNETS["base"]), store.get(load.MOVQ)
    rows = 2 * len(PROMPTS)
    given = Conditioning(
        torch.randn(rows, 10, store.get(load.PROJECTIONS["base"]).norm.normalized_shape[0]),
        torch.ones(rows, 10),
        torch.full((rows,), 10),
    )

    def call(model: object, latents: Tensor) -> None:
        predict(cast("UNet", model), latents, torch.tensor(500), given)

    figures = []
    for name, state, model, work, latents in (
        ("UNet", "off", unet, call, _latents(rows)),
        ("MoVQ decoding one", "on", decoder, movq.decode, _latents(1)),
        ("MoVQ decoding eight", "on", decoder, movq.decode, _latents(len(PROMPTS))),
    ):
        plain, there = (
            cast("Any", copy.deepcopy(model)).to(memory_format=layout)
            for layout in (torch.contiguous_format, torch.channels_last)
        )
        seconds = alternate(ROUNDS, partial(work, plain, latents), partial(work, there, latents))
        figures.append(
            Figure(
                f"{name}: plain / channels_last",
                seconds[0] / seconds[1],
                f"{state}; {said(seconds)}",
            )
        )
    return figures


def _with_interval(profile: Profile, interval: int) -> Profile:
    base = profile.qualities["base"]
    assert isinstance(base, QualitySettings)
    fast = base.model_copy(update={"cache_interval": interval})
    return profile.model_copy(update={"qualities": {**profile.qualities, "fast": fast}})


def _deep_cache(
    store: ComponentStore, count: int, intervals: Sequence[int] = INTERVALS
) -> list[Figure]:
    """Pictures with the deep levels computed at every N-th step alone; decoding is included."""
    plain = requests()[:count]
    hurried = [request.model_copy(update={"quality": "fast"}) for request in plain]
    model = Kandinsky3(store)
    recipes = {n: TextToImage(model, _with_interval(store.profile, n)) for n in intervals}
    seconds = alternate(
        1,
        lambda: TextToImage(model, store.profile)(plain, unwatched),
        *(partial(recipe, hurried, unwatched) for recipe in recipes.values()),
    )
    return [
        Figure(
            f"DeepCache, N = {interval}: base / with it, {count} at once",
            seconds[0] / spent,
            f'quality "fast" is N = {FAST_INTERVAL}; {said([seconds[0], spent])}',
            FAST_PROMISE if (interval, count) == (FAST_INTERVAL, 1) else None,
            ">=",
        )
        for interval, spent in zip(recipes, seconds[1:], strict=True)
    ]


def _points_lost(profile: Profile) -> Figure:
    """Score the quality "fast" and the base model on the same prompts and seeds."""
    from training import score  # noqa: PLC0415 - the judge is needed for this figure alone

    fast = _with_interval(profile, FAST_INTERVAL)
    base, hurried = (
        100 * score.share(score.run(fast, quality, SCORED, SCORE_SEED))
        for quality in ("base", "fast")
    )
    return Figure(
        f"DeepCache, N = {FAST_INTERVAL}: points of score lost",
        base - hurried,
        f"right pictures of {SCORED}: {base:.1f} % and {hurried:.1f} %",
        POINTS_PROMISE,
    )


def _decoding(store: ComponentStore) -> list[Figure]:
    """Eight small pictures at once or in turn, and a large one in strips or whole."""
    decoder = store.get(load.MOVQ)
    eight, large = _latents(len(PROMPTS)), _latents(1, 4 * SIDE)
    in_turn = alternate(
        1,
        lambda: movq.decode(decoder, eight),
        lambda: [movq.decode(decoder, one) for one in torch.split(eight, 1)],
    )
    in_strips = alternate(
        1,
        lambda: movq.decode(decoder, large),
        lambda: movq.decode(decoder, large, tile_px=256),
    )
    return [
        Figure(
            "decoding eight of 128 px: together / one by one",
            in_turn[0] / in_turn[1],
            f"one by one above 512x512; {said(in_turn)}",
        ),
        Figure(
            "decoding one of 512 px: whole / in strips",
            in_strips[0] / in_strips[1],
            f"where the memory plan says so; {said(in_strips)}",
        ),
    ]


def measure() -> list[Figure]:
    """Go through the levers."""
    store = open_store()
    return [
        _guidance(store),
        *_channels_last(store),
        *_deep_cache(store, 1),
        *_deep_cache(store, len(PROMPTS), [FAST_INTERVAL]),
        _points_lost(store.profile),
        *_decoding(store),
    ]
