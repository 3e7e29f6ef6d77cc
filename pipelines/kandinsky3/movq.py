"""Between latents and pixels: Kandinsky 3's MoVQ, used without quantising."""

from typing import Any, Final, cast

import torch
from PIL import Image
from torch import Tensor, nn

from pipelines.kandinsky3.levels import to_levels

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
def decode(movq: nn.Module, latents: Tensor) -> Tensor:
    """Bring latents to pixels.

    Args:
        movq: a VQModel.
        latents: (B, 4, h, w), any float dtype.

    Returns:
        (B, 3, 8h, 8w) float32, about [-1, 1].
    """
    model = cast("Any", movq)
    at_once = max(1, PICTURES_AT_ONCE_PX // (64 * latents.shape[-2] * latents.shape[-1]))
    parts = [
        model.decode(part.to(model.dtype), force_not_quantize=True).sample.float()
        for part in torch.split(latents, at_once)
    ]
    return torch.cat(parts)


def to_images(pixels: Tensor) -> list[Image.Image]:
    """Round pixels to pictures of 8 bits.

    Args:
        pixels: (B, 3, H, W) float, [-1, 1]; what lies beyond is cut.
    """
    return [
        Image.fromarray(picture.permute(1, 2, 0).numpy()) for picture in to_levels(pixels).cpu()
    ]
