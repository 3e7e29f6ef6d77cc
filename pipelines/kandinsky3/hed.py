"""HED: outlines as people draw them, found by a network; a ControlNet's usual hint.

The weights are `ControlNetHED.pth` of `lllyasviel/Annotators` on the hub, trained anew for
ControlNet on pictures in RGB. Their author's code puts model and code under Apache-2.0; the hub's
page says `other`.

Source: "Holistically-Nested Edge Detection" (arXiv 1504.06375); huggingface/controlnet_aux,
`hed/__init__.py` (names of the tensors, widths, order). The reference finds edges at 512 pixels a
side, enlarges them and rounds to 8 bits twice; here they are found at the picture's own size and
not rounded.
"""

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

_WIDTHS: Final = (3, 64, 128, 256, 512, 512)
_CONVS: Final = (2, 2, 3, 3, 3)
"""Of each block: those of VGG-16, of which it is made."""


class _Block(nn.Module):
    """Convolutions of one scale, and what edges they see there."""

    def __init__(self, in_channels: int, out_channels: int, count: int) -> None:
        super().__init__()
        widths = [in_channels] + [out_channels] * count
        self.convs = nn.ModuleList(
            [nn.Conv2d(wide, wider, 3, padding=1) for wide, wider in pairwise(widths)]
        )
        self.projection = nn.Conv2d(out_channels, 1, 1)

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        for conv in self.convs:
            states = nn.functional.relu(conv(states))
        return states, self.projection(states)


class HED(nn.Module):
    """Five scales of edges, averaged. Its state dict has the published file's names."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.Parameter(torch.zeros(1, 3, 1, 1))
        for number, (shape, count) in enumerate(zip(pairwise(_WIDTHS), _CONVS, strict=True), 1):
            self.add_module(f"block{number}", _Block(*shape, count))

    def forward(self, pixels: Tensor) -> Tensor:
        """Find the edges of pictures.

        Args:
            pixels: (B, 3, H, W) float, RGB, [0, 1]; both sides are at least 16.

        Returns:
            (B, 1, H, W), 0 for no edge to 1 for a certain one, in the precision of the weights.
        """
        size = pixels.shape[-2:]
        states = (pixels * 255).to(self.norm.dtype) - self.norm
        total = states.new_zeros(())
        for number in range(1, len(_CONVS) + 1):
            if number > 1:
                states = nn.functional.max_pool2d(states, 2)
            states, edges = self.get_submodule(f"block{number}")(states)
            total = total + nn.functional.interpolate(edges, size, mode="bilinear")
        return (total / len(_CONVS)).sigmoid()
