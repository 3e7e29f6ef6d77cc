"""Edges as a ControlNet's hint: where they are, by a filter, and what numbers say so.

The filter needs no weights. It stands in for HED (see ``hed.py``) where a profile has none, as the
micro profile: it finds what changes in colour and not, as HED does, what people call an outline,
so a hint of one is nothing for a network that was trained with the other.
"""

from typing import Final, Literal

import torch
from torch import Tensor, nn

STRONG: Final = 0.25
"""The gradient of an edge that counts whole: a quarter of the range of a channel, per pixel."""

_SMOOTH: Final = (1.0, 4.0, 6.0, 4.0, 1.0)
"""Binomial, the standard deviation is 1 pixel: what is finer, such as dither, is no edge."""


def gradient_edges(pixels: Tensor) -> Tensor:
    """Find edges by the gradient of the colours, without any weights.

    The pictures are smoothed by about a pixel and differentiated after Sobel; of the three
    channels the steepest counts, so that two colours of one brightness have an edge between them.

    Args:
        pixels: (B, 3, H, W) float, [0, 1].

    Returns:
        (B, 1, H, W) float, 0 where nothing changes to 1 from :data:`STRONG` on.
    """
    smoothed = _filtered(pixels, _SMOOTH, _SMOOTH)
    across = _filtered(smoothed, (-1.0, 0.0, 1.0), (1.0, 2.0, 1.0)) / 2
    along = _filtered(smoothed, (1.0, 2.0, 1.0), (-1.0, 0.0, 1.0)) / 2
    steepest = torch.hypot(across, along).amax(dim=1, keepdim=True)
    return (steepest / STRONG).clamp(0, 1)


def hint(
    edges: Tensor,
    hint_range: Literal["0..1", "-1..1"],
    polarity: Literal["white_edges", "black_edges"],
) -> Tensor:
    """Write edges the way a ControlNet was trained to read them.

    Args:
        edges: (B, 1, H, W) float, [0, 1].
        hint_range: the numbers of no edge and of the strongest.
        polarity: ``black_edges`` turns them about.

    Returns:
        (B, 3, H, W) float in that range, three times the same.
    """
    values = edges if polarity == "white_edges" else 1 - edges
    if hint_range == "-1..1":
        values = 2 * values - 1
    return values.repeat(1, 3, 1, 1)


def _filtered(pixels: Tensor, across: tuple[float, ...], along: tuple[float, ...]) -> Tensor:
    """Correlate every channel with ``along`` x ``across``; smoothing kernels are normed to 1."""
    row, column = _kernel(across, pixels), _kernel(along, pixels)
    channels = pixels.shape[1]
    margins = [len(across) // 2] * 2 + [len(along) // 2] * 2
    padded = nn.functional.pad(pixels, margins, mode="replicate")
    kernel = (column[:, None] * row[None, :]).expand(channels, 1, -1, -1)
    return nn.functional.conv2d(padded, kernel, groups=channels)


def _kernel(values: tuple[float, ...], like: Tensor) -> Tensor:
    kernel = like.new_tensor(values)
    total = float(sum(values))
    return kernel / total if total else kernel
