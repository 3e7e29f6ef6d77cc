"""Eight people at once: one batch, against one by one, against diffusers' own pipeline."""

import os
from functools import partial
from typing import Any, Final, cast

import torch
from diffusers import DDPMScheduler, Kandinsky3Pipeline
from torch import nn

from benchmarks.figures import Figure
from benchmarks.micro import (
    PROMPTS,
    alternate,
    open_model,
    open_store,
    requests,
    said,
    threads,
    unwatched,
)
from pipelines.contracts import Step
from pipelines.kandinsky3 import load, sampler
from pipelines.kandinsky3.conditioning import stack
from pipelines.kandinsky3.model import Kandinsky3
from pipelines.kandinsky3.progress import Progress
from pipelines.kandinsky3.timesteps import timesteps
from pipelines.text_to_image import TextToImage
from pipelines.weights import ComponentStore

ROUNDS: Final = 4
STEPS: Final = 25
PROMISE: Final = 2.5
STEP_PROMISE: Final = 1.05
SIDE_PX: Final = 128


def stock_pipeline(store: ComponentStore) -> Any:  # noqa: ANN401 - an untyped library class
    """Give the very same weights to `Kandinsky3Pipeline`, with the published scheduler."""
    unet = load.UNETS["base"].build(
        store.profile.weights_dir / "unet", torch.float32, store.device
    )
    projection = store.get(load.PROJECTIONS["base"])
    unet.encoder_hid_proj = nn.Sequential(projection.linear, projection.norm)
    pipeline = Kandinsky3Pipeline(
        tokenizer=store.get(load.TOKENIZER),
        unet=unet,
        scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2", steps_offset=1),
        text_encoder=store.get(load.TEXT_ENCODER),
        movq=store.get(load.MOVQ),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _batching(cores: int, promise: float | None) -> list[Figure]:
    """Draw in three ways, each on so many threads; each way has one turn, of seconds."""
    store = open_store()
    stock, asked = stock_pipeline(store), requests()

    def recipe() -> TextToImage:
        return TextToImage(Kandinsky3(store), store.profile)  # with nothing in its text cache

    def one_by_one() -> None:
        drawing = recipe()
        for request in asked:
            drawing([request], unwatched)

    def stock_one_by_one(count: int = len(PROMPTS)) -> None:
        for seed, prompt in enumerate(PROMPTS[:count]):
            stock(
                prompt,
                num_inference_steps=STEPS,
                guidance_scale=3.0,
                height=SIDE_PX,
                width=SIDE_PX,
                generator=torch.Generator().manual_seed(seed),
            )

    with threads(cores):
        recipe()(asked[:1], unwatched)
        stock_one_by_one(1)
        together_s, alone_s, stock_s = alternate(
            1, lambda: recipe()(asked, unwatched), one_by_one, stock_one_by_one, is_warm=True
        )
    return [
        Figure(
            f"{len(asked)} requests, {what} / in one batch",
            seconds / together_s,
            f"{seconds:.2f} s / {together_s:.2f} s, each on {cores} of torch's threads",
            promise,
            ">=",
        )
        for what, seconds in (("one by one", alone_s), ("diffusers' pipeline one by one", stock_s))
    ]


def _step() -> Figure:
    """Compare the whole denoising loop with as many bare calls of the UNet."""
    store = open_store()
    model = open_model()
    unet = cast("Any", store.get(load.UNETS["base"]))
    prompt = model.context(PROMPTS[0], "base")
    nothing = store.get(load.PROJECTIONS["base"]).unconditional_for(prompt)
    both = stack(prompt, nothing)
    rows = model.start([0], SIDE_PX, SIDE_PX)
    twice = torch.cat([rows.latents] * 2)

    def bare() -> None:
        for timestep in timesteps(STEPS):
            unet(
                twice,
                torch.full((2,), timestep),
                encoder_hidden_states=both.context,
                encoder_attention_mask=both.mask,
                return_dict=False,
            )

    quiet = partial(_told, model)
    loop = partial(
        sampler.ancestral,
        unet,
        prompts=prompt,
        negatives=nothing,
        at=timesteps(STEPS),
        guidance=3.0,
        threshold=0.99,
    )
    ours, plain = alternate(
        ROUNDS, lambda: loop(model.start([0], SIDE_PX, SIDE_PX), watch=quiet()), bare
    )
    per_step = [ours / STEPS, plain / STEPS]
    return Figure("a step / a bare call of the UNet", ours / plain, said(per_step), STEP_PROMISE)


def _told(model: Kandinsky3) -> Progress:
    """Tell of the steps as a recipe does, previews included."""

    def on_step(_: Step) -> frozenset[int]:
        return frozenset()

    return model.watch([0], STEPS, 1, on_step)


def measure() -> list[Figure]:
    """Batches on all cores, as a server of one task draws them, and on one; a step's own cost."""
    cores = os.cpu_count() or 1
    on_one = _batching(1, None) if cores > 1 else []
    return [*_batching(cores, PROMISE), *on_one, _step()]
