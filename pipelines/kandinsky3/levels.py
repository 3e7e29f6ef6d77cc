"""From what models paint with to what files are made of."""

import torch
from torch import Tensor


def to_levels(values: Tensor) -> Tensor:
    """Round colours to 8 bits.

    Args:
        values: any shape, float, finite, [-1, 1]; what lies beyond is cut.

    Returns:
        The same shape, uint8, on the same device.
    """
    return ((values.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
