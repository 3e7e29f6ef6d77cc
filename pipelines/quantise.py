"""Linear layers whose weights are held in 8 or 4 bits, and made dense again for each use.

Weights only: activations keep their precision, for the one component this is for, FLAN-UL2's
encoder, reads a text once and what counts is its size. The formats are those of bitsandbytes,
LLM.int8's rows (arXiv 2208.07339) and QLoRA's NF4 in blocks of 64 (arXiv 2305.14314).

Why not a library: of bitsandbytes 0.50.2 (MIT) the NF4 kernel for CPUs gives wrong numbers for
matrices narrower than a block, and it adds 124 MB; torchao 0.18 has no 4 bits on a CPU; and each
keeps state beside the weights, which then cannot be counted, moved and streamed like any other.
Here all of it is plain buffers.
"""

import math
from statistics import NormalDist
from typing import Final, Literal

import torch
from torch import Tensor, nn

Bits = Literal[8, 4]
BLOCK: Final = 64
"""Weights that share one scale, in 4 bits."""


def quantised_bytes(rows: int, columns: int, bits: Bits) -> int:
    """Bytes that a matrix of this shape takes in 8 or 4 bits, its scales included."""
    count = rows * columns
    if bits == 8:
        return count + 4 * rows
    return math.ceil(count / BLOCK) * (BLOCK // 2 + 4)


def quantise(module: nn.Module, bits: Bits, device: torch.device) -> nn.Module:
    """Replace every Linear layer in ``module``, in place.

    Each weight visits ``device`` for the arithmetic, one at a time, and what it became goes back
    to where the weight was.

    Args:
        module: any; it is not itself a Linear.
        bits: 8 or 4.
        device: where to compute.
    """
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Linear):
                setattr(parent, name, _quantised(child, bits, device))
    return module


class QuantisedLinear(nn.Module):
    """A Linear layer without its matrix.

    Args:
        packed: 8 bits: (out, in) int8. 4 bits: (blocks, 32) uint8, two weights each, the first in
            the high half.
        scales: 8 bits: (out, 1) float32. 4 bits: (blocks, 1) float32.
        bias: (out,) or none.
        shape: (out, in).
        dtype: what the matrix is made dense in.
    """

    weight: None = None
    """None to see: T5 looks at its matrices' dtype before it uses them, if they are tensors."""

    def __init__(
        self,
        packed: Tensor,
        scales: Tensor,
        bias: Tensor | None,
        shape: tuple[int, int],
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.register_buffer("packed", packed)
        self.register_buffer("scales", scales)
        self.register_buffer("bias", bias)
        self.packed: Tensor
        self.scales: Tensor
        self.bias: Tensor | None
        self._shape = shape
        self._dtype = dtype

    def dense(self) -> Tensor:
        """Make the matrix: (out, in) in the layer's dtype."""
        if self.packed.dtype == torch.int8:
            # In float32: a scale in bfloat16 would be off by as much as the 8 bits are.
            return self.packed.float().mul_(self.scales).to(self._dtype)
        # One look-up gives both weights of a byte.
        pairs = _pairs().to(self.packed.device, self._dtype)
        levels = nn.functional.embedding(self.packed.int(), pairs).flatten(1)  # (blocks, 64)
        weights = levels * self.scales.to(self._dtype)
        rows, columns = self._shape
        return weights.flatten()[: rows * columns].view(rows, columns)

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., in) to (..., out), in the layer's dtype."""
        return nn.functional.linear(inputs.to(self._dtype), self.dense(), self.bias)


def nf4_levels() -> Tensor:
    """The 16 numbers that 4 bits stand for, in [-1, 1]: quantiles of a normal distribution.

    Zero is one of them; eight are above it and seven below.

    Source: arXiv 2305.14314, section 3 and appendix E.
    """
    quantile, edge = NormalDist().inv_cdf, 0.9677083
    above = [quantile(edge + (0.5 - edge) * step / 8) for step in range(8)]
    below = [-quantile(edge + (0.5 - edge) * step / 7) for step in range(7)]
    levels = torch.tensor(sorted([*above, 0.0, *below]))
    return levels / levels.abs().max()


def _pairs() -> Tensor:
    """(256, 2) float32: the two weights that a byte stands for."""
    levels = nf4_levels()
    return torch.stack([levels.repeat_interleave(16), levels.repeat(16)], dim=1)


def _quantised(linear: nn.Linear, bits: Bits, device: torch.device) -> QuantisedLinear:
    weight = linear.weight.detach()
    pack = _pack_8bit if bits == 8 else _pack_4bit
    packed, scales = (part.to(weight.device) for part in pack(weight.to(device).float()))
    bias = None if linear.bias is None else linear.bias.detach()
    shape = (linear.out_features, linear.in_features)
    return QuantisedLinear(packed, scales, bias, shape, weight.dtype)


def _pack_8bit(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A row's largest weight becomes 127."""
    scales = weight.abs().amax(dim=1, keepdim=True).clamp(min=1e-30) / 127
    return (weight / scales).round().to(torch.int8), scales


def _pack_4bit(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A block's largest weight becomes 1, and each the level nearest to it."""
    flat = weight.flatten()
    blocks = nn.functional.pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)
    scales = blocks.abs().amax(dim=1, keepdim=True).clamp(min=1e-30)
    levels = nf4_levels().to(weight.device)
    codes = torch.bucketize(blocks / scales, (levels[1:] + levels[:-1]) / 2).to(torch.uint8)
    return codes[:, ::2] << 4 | codes[:, 1::2], scales
