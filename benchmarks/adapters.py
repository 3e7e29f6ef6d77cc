"""What pictures as prompts and kept shapes cost, beside the plain base model.

Arithmetic and bytes are counted at full size, of models without weights; times are taken on the
micro model with untrained additions, which cost what trained ones do.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Final, cast

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.figures import Figure
from benchmarks.micro import alternate, open_store, requests, said, unwatched
from pipelines.contracts import ImageBlob
from pipelines.image_variations import ImageVariations, ImageVariationsRequest
from pipelines.kandinsky3 import load
from pipelines.kandinsky3.controlnet import ControlBranch, Controlled, Span
from pipelines.kandinsky3.convert import empty_unet
from pipelines.kandinsky3.image_prompts import ImagePrompts
from pipelines.kandinsky3.ip_adapter import IMAGE_TOKENS, IPAdapter
from pipelines.kandinsky3.model import Kandinsky3
from pipelines.kandinsky3.sampler import UNet
from pipelines.profiles import UNetShape
from pipelines.text_to_image import TextToImage
from pipelines.weights import ComponentStore

ROUNDS: Final = 4
CALLS: Final = 5
FULL_PX: Final = 1024
MICRO_PX: Final = 128
POSITIONS: Final = 77
EMBEDDING_DIM: Final = 768
USERS: Final = 4
BYTES_EACH: Final = 2
ADAPTER_PROMISE: Final = 1.05
BYTES_PROMISE: Final = 2.0


Way = Callable[[], AbstractContextManager[UNet]]


class Ways:
    """The base UNet asked in three ways: alone, seeing a picture, keeping shapes.

    Each is asked for both rows of a guided step.

    Args:
        unet: a Kandinsky3UNet, its own projection taken out; the additions are made for it.
        side_px: of the picture.
    """

    def __init__(self, unet: nn.Module, side_px: int) -> None:
        self.unet = unet
        self.adapter = IPAdapter.fresh(unet, EMBEDDING_DIM).requires_grad_(requires_grad=False)
        self.branch = ControlBranch.from_unet(unet).requires_grad_(requires_grad=False)
        width = cast("nn.Linear", cast("Any", unet).add_time_condition.attention.to_k).in_features
        side = side_px // 8
        self._asked = (
            torch.randn(2, 4, side, side),
            torch.full((2,), 500.0),
            torch.randn(2, POSITIONS, width),
            torch.ones(2, POSITIONS),
        )
        self._tokens = torch.randn(2, IMAGE_TOKENS, width)
        self._hints = torch.rand(2, 3, side_px, side_px)

    @contextmanager
    def plain(self) -> Iterator[UNet]:
        """The UNet alone."""
        yield cast("UNet", self.unet)

    @contextmanager
    def seeing(self) -> Iterator[UNet]:
        """With a picture in each row."""
        with self.adapter.attached(self.unet):
            yield self.adapter.seeing(cast("UNet", self.unet), self._tokens, torch.ones(2))

    @contextmanager
    def controlled(self) -> Iterator[UNet]:
        """With the side branch beside it."""
        yield Controlled(self.unet, self.branch, self._hints, torch.ones(2), Span(CALLS))

    def ask(self, unet: UNet) -> None:
        """Make a guided step's one call."""
        unet(*self._asked, return_dict=False)

    def loop(self, way: Way) -> None:
        """Prepare and ask as a picture does."""
        with way() as unet:
            for _ in range(CALLS):
                self.ask(unet)


def _arithmetic() -> list[Figure]:
    """Count the operations of a guided step of full size; nothing is computed."""
    with torch.device("meta"), torch.inference_mode():
        ways = Ways(empty_unet(UNetShape(), "base"), FULL_PX)
        counts = []
        for way in (ways.plain, ways.seeing, ways.controlled):
            with way() as unet, FlopCounterMode(display=False) as counter:
                ways.ask(unet)
            counts.append(counter.get_total_flops())
    plain, seeing, controlled = counts
    return [
        Figure(
            f"operations of a step at {FULL_PX} px: with {what} / without",
            with_it / plain,
            f"{with_it / 1e12:.2f} / {plain / 1e12:.2f} TFLOP, both rows, counted at full size",
            promise,
        )
        for what, with_it, promise in (
            ("the image adapter", seeing, ADAPTER_PROMISE),
            ("the ControlNet's side branch", controlled, None),
        )
    ]


def _times(store: ComponentStore) -> list[Figure]:
    """Time the same on the micro model."""
    ways = Ways(store.get(load.UNETS["base"]), MICRO_PX)
    works = [partial(ways.loop, way) for way in (ways.plain, ways.seeing, ways.controlled)]
    plain, seeing, controlled = (spent / CALLS for spent in alternate(ROUNDS, *works))
    return [
        Figure(
            f"a step of the micro model: with {what} / without",
            with_it / plain,
            said([with_it, plain]),
        )
        for what, with_it in (
            ("the image adapter", seeing),
            ("the ControlNet's side branch", controlled),
        )
    ]


def _bytes() -> Figure:
    """Count what serves words, pictures and shapes on one UNet, and on one for each mode."""
    with torch.device("meta"):
        ways = Ways(empty_unet(UNetShape(), "base"), FULL_PX)
    unet, adapter, branch = (
        BYTES_EACH * sum(weight.numel() for weight in module.parameters())
        for module in (ways.unet, ways.adapter, ways.branch)
    )
    ours, theirs = unet + adapter + branch, 3 * unet + adapter + branch
    return Figure(
        "bytes of three modes: a UNet for each / one and additions",
        theirs / ours,
        f"{theirs / 1e9:.2f} / {ours / 1e9:.2f} GB in 16 bits, counted at full size",
        BYTES_PROMISE,
        ">=",
    )


def _drawn(store: ComponentStore) -> list[ImageBlob]:
    """Let the model draw what others then start from."""
    outputs = TextToImage(Kandinsky3.of(store), store.profile)(requests()[:USERS], unwatched)
    return [ImageBlob.of(outputs[index].pictures[0].png) for index in range(USERS)]


def _users(store: ComponentStore) -> Figure:
    """Let four people ask for variations, each of a picture of their own."""
    size = {"width_px": MICRO_PX, "height_px": MICRO_PX}
    asked = [
        ImageVariationsRequest.model_validate({**size, "images": (image,), "seed": seed})
        for seed, image in enumerate(_drawn(store))
    ]
    variations = ImageVariations(ImagePrompts.of(store))

    def one_by_one() -> None:
        for request in asked:
            variations([request], unwatched)

    seconds = alternate(1, one_by_one, lambda: variations(asked, unwatched))
    return Figure(
        f"variations for {USERS} people: one by one / in one batch",
        seconds[0] / seconds[1],
        said(seconds),
        1.0,
        ">=",
    )


def measure() -> list[Figure]:
    """Go through arithmetic, times and bytes."""
    store = open_store()
    return [*_arithmetic(), *_times(store), _users(store), _bytes()]
