"""Between latents and pixels: Kandinsky 3's MoVQ, used without quantising."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, Final, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from pipelines.kandinsky3.levels import to_levels
from pipelines.kandinsky3.strips import decode_in_strips

PICTURES_AT_ONCE_PX: Final = 512 * 512
"""Decoding takes about 5.4 kB of memory per pixel, so larger batches go picture by picture."""


@torch.inference_mode()
def encode(movq: nn.Module, pixels: Tensor) -> Tensor:
    """Bring pixels to latents.

    Args:
        movq: a VQModel.
        pixels: (B, 3, H, W) in [-1, 1]; H and W are multiples of 8.

    Returns:
        (B, 4, H/8, W/8) float32.
    """
    model = cast("Any", movq)
    latents: Tensor = model.encode(pixels.to(model.dtype)).latents
    return latents.float()


@torch.inference_mode()
def decode(movq: nn.Module, latents: Tensor, *, tile_px: int | None = None) -> Tensor:
    """Bring latents to pixels.

    Args:
        movq: a VQModel.
        latents: (B, 4, h, w), any float dtype.
        tile_px: pictures of more pixels than a square of this side are decoded in strips, in
            about the memory that such a square takes, and to the same pixels. None is never.

    Returns:
        (B, 3, 8h, 8w) float32, about [-1, 1].
    """
    model = cast("Any", movq)
    pixels = 64 * latents.shape[-2] * latents.shape[-1]
    at_once = max(1, PICTURES_AT_ONCE_PX // pixels)
    how: AbstractContextManager[None] = nullcontext()
    if tile_px is not None and pixels > tile_px**2:
        at_once, how = 1, _in_strips(model.decoder, tile_px)
    with how:
        parts = [
            model.decode(part.to(model.dtype), force_not_quantize=True).sample.float()
            for part in torch.split(latents, at_once)
        ]
    return torch.cat(parts)


@contextmanager
def _in_strips(decoder: Any, tile_px: int) -> Iterator[None]:  # noqa: ANN401 - as above
    """Let the decoder compute in strips while it is called as ever.

    So whoever has hooked into its calls to bring its weights to the device does that still.
    """
    # A strip is normed in float32: it takes up to four times a whole decoding's memory by pixel.
    decoder.forward = partial(decode_in_strips, decoder, tile_px**2 // 4)
    try:
        yield
    finally:
        del decoder.forward


def to_images(pixels: Tensor) -> list[Image.Image]:
    """Round pixels to pictures of 8 bits.

    Args:
        pixels: (B, 3, H, W) float, [-1, 1]; what lies beyond is cut.
    """
    return [
        Image.fromarray(picture.permute(1, 2, 0).numpy()) for picture in to_levels(pixels).cpu()
    ]


def from_images(images: Sequence[Image.Image]) -> Tensor:
    """Bring pictures of one size to pixels as :func:`encode` takes them.

    Returns:
        (B, 3, H, W) float32 on the CPU, [-1, 1].
    """
    levels = np.stack([np.asarray(image.convert("RGB")) for image in images])
    return torch.from_numpy(levels).permute(0, 3, 1, 2).float() / 127.5 - 1
