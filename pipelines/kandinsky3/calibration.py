"""Pictures made by arithmetic, for measuring what a MoVQ makes of colours."""

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import interpolate

_COARSEST: Final = 2


def calibration_pictures(count: int, side_px: int, seed: int = 0) -> Tensor:
    """Draw smooth fields of random colours, coarse and fine by turns, always the same.

    A field is a few random colours spread over the picture and blended between; every other one
    is pulled towards its own mean, since most of what people draw is not of the brightest colours.

    Returns:
        (count, 3, side_px, side_px) float32, [-1, 1].
    """
    generator = torch.Generator().manual_seed(seed)
    pictures = []
    for number in range(count):
        cells = _COARSEST << (number % 4)  # 2, 4, 8, 16 colours a side
        colours = torch.rand(1, 3, cells, cells, generator=generator) * 2 - 1
        if number % 2:
            colours = (colours + colours.mean(dim=(2, 3), keepdim=True)) / 2
        size = (side_px, side_px)
        pictures.append(interpolate(colours, size, mode="bilinear", align_corners=True))
    return torch.cat(pictures)
