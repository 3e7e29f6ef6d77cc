"""What a picture looks like while it forms: a linear guess of its colours, blurred."""

import io
import math
import time
from collections.abc import Callable, Sequence
from typing import Final

import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn.functional import avg_pool2d

from pipelines.kandinsky3.levels import to_levels

PREVIEW_MAX_PX: Final = 256
EARLY_STEPS: Final = 3


class LatentToRGB:
    """A linear map from a latent's four channels to colour, fitted to what the MoVQ decodes.

    Args:
        weight: (3, 4) float32.
        bias: (3,) float32.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight = weight
        self.bias = bias

    def __call__(self, latents: Tensor) -> Tensor:
        """Guess the colours of latents.

        Args:
            latents: (B, 4, h, w), a prediction of the finished latents, any float dtype.

        Returns:
            (B, h, w, 3) uint8 on the CPU, an eighth of the picture's size.
        """
        channels_last = latents.float().cpu().permute(0, 2, 3, 1)  # (B, h, w, 4)
        colours = channels_last @ self.weight.T + self.bias  # (B, h, w, 3), about [-1, 1]
        return to_levels(colours)


def fit_latent_rgb(latents: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Fit the map from a latent to the mean colour of its 8x8 pixels, by least squares.

    Args:
        latents: (B, 4, h, w) float32, what the MoVQ encodes the pictures to.
        pixels: (B, 3, 8h, 8w) float32, the pictures, [-1, 1].

    Returns:
        weight (3, 4) and bias (3,), float32, on the CPU.
    """
    colours = avg_pool2d(pixels, pixels.shape[-1] // latents.shape[-1])
    known = latents.permute(0, 2, 3, 1).flatten(0, 2)  # (positions, 4)
    known = torch.cat([known, torch.ones_like(known[:, :1])], dim=1)
    wanted = colours.permute(0, 2, 3, 1).flatten(0, 2)  # (positions, 3)
    solution = torch.linalg.lstsq(known, wanted).solution.T.cpu()  # (3, 5)
    return solution[:, :-1].contiguous(), solution[:, -1].contiguous()


class Previews:
    """Small JPEGs of one batch, when one is due.

    Due are the first steps, in which the picture appears, and then one every ``interval_s``; never
    the last step, which the picture itself follows.
    """

    def __init__(
        self,
        latent_to_rgb: LatentToRGB,
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._latent_to_rgb = latent_to_rgb
        self._interval_s = interval_s
        self._clock = clock
        self._last_s = -math.inf

    def is_due(self, index: int, total: int) -> bool:
        """Say whether the 1-based step ``index`` of ``total`` should be shown."""
        now_s = self._clock()
        if index >= total or (index > EARLY_STEPS and now_s - self._last_s < self._interval_s):
            return False
        self._last_s = now_s
        return True

    def render(self, latents: Tensor) -> bytes:
        """Show one request's pictures side by side.

        Args:
            latents: (B, 4, h, w), predictions of the finished latents.

        Returns:
            A JPEG, ``PREVIEW_MAX_PX`` on its longest side.
        """
        tiles = [Image.fromarray(tile.numpy()) for tile in self._latent_to_rgb(latents)]
        sheet = _sheet(tiles)
        scale = PREVIEW_MAX_PX / max(sheet.size)
        size = (max(1, round(sheet.width * scale)), max(1, round(sheet.height * scale)))
        # The map knows one colour per 8x8 pixels; blurred, that reads as out of focus, not broken.
        # It is blurred while it is small: enlarged first, that would be most of a preview's cost.
        shown = sheet.filter(ImageFilter.GaussianBlur(0.5)).resize(size, Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        shown.save(buffer, "JPEG", quality=80)
        return buffer.getvalue()


def _sheet(tiles: Sequence[Image.Image]) -> Image.Image:
    """Lay tiles of one size out in a grid about as wide as it is high."""
    columns = math.ceil(math.sqrt(len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    width, height = tiles[0].size
    sheet = Image.new("RGB", (columns * width, rows * height), "black")
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (index % columns * width, index // columns * height))
    return sheet
