"""MoVQ's decoder in strips: pictures larger than the device can decode at once, without a seam.

Tiles that are decoded each by itself do not fit together: every group norm sees the statistics of
its tile alone, every attention its tile's positions alone, and no overlap mends that (blended over
96 pixels, tiles of 256 pixels still miss the whole by a level of 255 on average, and by 68 at
worst). So the picture is cut inside each layer instead. Statistics are those of the whole picture,
a strip is convolved together with the row above and below it, and what is smallest, the middle of
the decoder with its attention, is computed whole. The result is the whole decoder's up to
rounding. Between layers the maps lie in main memory; the device holds one strip.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_CPU = torch.device("cpu")


class _Statistics:
    """Mean and variance of each group of channels, gathered strip by strip.

    Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances" (1979): a sum of squares would lose the variance of a nearly flat map.
    """

    def __init__(self, groups: int) -> None:
        self._groups = groups
        self._count = 0
        self._mean: Tensor | float = 0.0
        self._square: Tensor | float = 0.0

    def add(self, strip: Tensor) -> None:
        """Take a strip, (B, C, rows, W), into account."""
        values = strip.float().reshape(len(strip), self._groups, -1)
        count = values.shape[2]
        variance, mean = torch.var_mean(values, dim=2, correction=0)
        total = self._count + count
        delta = mean - self._mean
        self._square = self._square + variance * count
        self._square = self._square + delta.square() * (self._count * count / total)
        self._mean = self._mean + delta * (count / total)
        self._count = total

    def affine(self, norm: nn.GroupNorm) -> tuple[Tensor, Tensor]:
        """Return the norm as a factor and a summand, (B, C, 1, 1) float32 each."""
        scale = (torch.as_tensor(self._square) / self._count + norm.eps).rsqrt()
        per_group = norm.num_channels // self._groups
        factor = scale.repeat_interleave(per_group, 1) * norm.weight.float()
        mean = torch.as_tensor(self._mean).repeat_interleave(per_group, 1)
        return factor[:, :, None, None], (norm.bias.float() - mean * factor)[:, :, None, None]


class _Strips:
    """The layers of one decoding.

    Args:
        latents: (B, 4, h, w), to which every spatial norm looks.
        strip_px: most pixels of a strip.
    """

    def __init__(self, latents: Tensor, strip_px: int) -> None:
        self._latents = latents
        self._strip_px = strip_px

    def rows(self, height: int, width: int) -> Iterator[tuple[int, int]]:
        """Cut ``height`` rows into strips: first row, and the one after the last."""
        at_once = max(1, self._strip_px // width)
        return ((first, min(first + at_once, height)) for first in range(0, height, at_once))

    def resnet(self, block: Any, maps: Tensor) -> Tensor:  # noqa: ANN401 - a library class
        """Pass a `ResnetBlock2D` with spatial norms."""
        inner = self.normed(block.norm1, block.conv1, maps)
        shortcut = block.conv_shortcut or nn.Identity()
        return self.normed(block.norm2, block.conv2, inner, (shortcut, maps))

    def normed(
        self,
        norm: Any,  # noqa: ANN401 - a library class
        conv: nn.Conv2d,
        maps: Tensor,
        added: tuple[nn.Module, Tensor] | None = None,
    ) -> Tensor:
        """Pass a `SpatialNorm`, SiLU and a 3x3 convolution.

        Args:
            norm: its own norm and its two looks at the latents.
            conv: the convolution.
            maps: (B, C, H, W) in main memory.
            added: a shortcut of 1x1, and the maps it starts from.
        """
        device, dtype = self._latents.device, self._latents.dtype
        height, width = maps.shape[-2:]
        factor, summand = self._affine(norm, maps)
        out = torch.empty(len(maps), conv.out_channels, height, width, dtype=dtype, device=_CPU)
        for first, end in self.rows(height, width):
            low, high = max(0, first - 1), min(height, end + 1)
            factors, summands = (_enlarged(t, low, high, height) for t in (factor, summand))
            seen = torch.addcmul(summands, maps[:, :, low:high].to(device).float(), factors)
            seen = functional.silu(seen).to(dtype)
            strip = conv(seen)[:, :, first - low : first - low + end - first]
            if added is not None:
                shortcut, start = added
                strip = strip + shortcut(start[:, :, first:end].to(device))
            out[:, :, first:end] = strip
        return out

    def upsampled(self, conv: nn.Conv2d, maps: Tensor) -> Tensor:
        """Double both sides and convolve."""
        device, dtype = self._latents.device, self._latents.dtype
        height, width = 2 * maps.shape[-2], 2 * maps.shape[-1]
        out = torch.empty(len(maps), conv.out_channels, height, width, dtype=dtype, device=_CPU)
        for first, end in self.rows(maps.shape[-2], 2 * width):
            low, high = max(0, first - 1), min(maps.shape[-2], end + 1)
            seen = functional.interpolate(maps[:, :, low:high].to(device), scale_factor=2.0)
            top = 2 * (first - low)
            out[:, :, 2 * first : 2 * end] = conv(seen)[:, :, top : top + 2 * (end - first)]
        return out

    def _affine(self, norm: Any, maps: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
        """Fold a spatial norm into a factor and a summand, (B, C, h, w) float32 each."""
        statistics = _Statistics(norm.norm_layer.num_groups)
        for first, end in self.rows(*maps.shape[-2:]):
            statistics.add(maps[:, :, first:end].to(self._latents.device))
        factor, summand = statistics.affine(norm.norm_layer)
        scale, shift = norm.conv_y(self._latents).float(), norm.conv_b(self._latents).float()
        return factor * scale, summand * scale + shift


def decode_in_strips(
    decoder: Any,  # noqa: ANN401 - an untyped library class
    strip_px: int,
    states: Tensor,
    latents: Tensor,
) -> Tensor:
    """Do what a MoVQ decoder's ``forward`` does.

    Args:
        decoder: the `Decoder` of a VQModel with spatial norms.
        strip_px: most pixels that are computed at once.
        states: (B, 4, h, w), the latents behind the VQModel's own first convolution.
        latents: (B, 4, h, w), to which the spatial norms look.

    Returns:
        (B, 3, 8h, 8w) in main memory.
    """
    strips = _Strips(latents, strip_px)
    maps = decoder.mid_block(decoder.conv_in(states), latents).to(_CPU)
    for block in decoder.up_blocks:
        attentions = getattr(block, "attentions", None) or [None] * len(block.resnets)
        for resnet, attention in zip(block.resnets, attentions, strict=True):
            maps = strips.resnet(resnet, maps)
            if attention is not None:
                maps = attention(maps.to(latents.device), temb=latents).to(_CPU)
        for upsampler in block.upsamplers or ():
            maps = strips.upsampled(upsampler.conv, maps)
    return strips.normed(decoder.conv_norm_out, decoder.conv_out, maps)


def _enlarged(small: Tensor, first: int, end: int, height: int) -> Tensor:
    """Repeat each position as often as maps of ``height`` rows are larger.

    Args:
        small: (B, C, h, w).
        first: of the rows returned.
        end: the one behind the last of them.
        height: a multiple of h.
    """
    scale = height // small.shape[-2]
    top, bottom = first // scale, -(-end // scale)
    large = functional.interpolate(small[:, :, top:bottom], scale_factor=float(scale))
    return large[:, :, first - top * scale : end - top * scale]
