"""DeepCache: the UNet's deep levels change slowly from step to step, so most steps reuse them."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from pipelines.kandinsky3.sampler import UNet


class DeepCache:
    """A UNet of which only the outermost level is computed at every call.

    Every ``interval``-th call, the first included, computes it all and keeps what enters the
    outermost up block from below. The calls between join that to what the outermost down block
    makes of the present latents. The features are kept row by row, so that a row's prediction
    depends on its own calls alone and rows may leave between two calls. One instance serves one
    denoising loop.

    Args:
        unet: a `Kandinsky3UNet`, its own projection taken out.
        interval: calls per whole one; with 1 it is the UNet itself.

    Source: "DeepCache" (arXiv 2312.00858), section 3.2, with the first skip branch; the UNet's
    parts in the order of `Kandinsky3UNet.forward` of diffusers.
    """

    def __init__(self, unet: object, interval: int) -> None:
        self._unet = cast("Any", unet)
        self._interval = interval
        self._calls = 0
        self._deep = torch.empty(0)

    def keep(self, positions: Sequence[int]) -> None:
        """Forget the features of all rows but those at these positions."""
        self._deep = self._deep[list(positions)]

    def __call__(
        self,
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        encoder_attention_mask: Tensor,
        return_dict: bool,  # noqa: ARG002 - the UNet's own signature
    ) -> tuple[Tensor]:
        """Predict the noise in ``sample``, (B, 4, h, w), as the UNet does or nearly so."""
        unet = self._unet
        given = block_inputs(unet, sample, timestep, encoder_hidden_states, encoder_attention_mask)
        outer = unet.down_blocks[0](unet.conv_in(sample), *given)  # (B, C, h/2, w/2)
        if self._calls % self._interval == 0:
            self._deep = self._through_the_deep(outer, given)
        self._calls += 1
        joined = torch.cat([self._deep, outer], dim=1)
        last = unet.up_blocks[-1](joined, *given)
        return (unet.conv_out(unet.conv_act_out(unet.conv_norm_out(last))),)

    def _through_the_deep(self, outer: Tensor, given: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Go down and up again through all levels but the outermost; (B, C', h/2, w/2)."""
        skips = [outer]
        for block in self._unet.down_blocks[1:]:
            skips.append(block(skips[-1], *given))
        states = skips.pop()
        for level, block in enumerate(self._unet.up_blocks[:-1]):
            states = block(torch.cat([states, skips.pop()], dim=1) if level else states, *given)
        return states


def block_inputs(
    unet: Any,  # noqa: ANN401 - a Kandinsky3UNet, or what has its parts
    sample: Tensor,
    timestep: Tensor,
    context: Tensor,
    mask: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Prepare what each block gets beside the states: the time, the context, and its bias.

    Args:
        unet: whose time embedding, which heeds the context, it is.
        sample: noisy latents, (B, 4, h, w), for their precision.
        timestep: (B,), 0 to 999.
        context: (B, L, C).
        mask: (B, L), 1 where attention looks.

    Returns:
        (B, T), (B, L, C), and (B, 1, L), added to attention before its softmax.
    """
    bias = (1 - mask.to(sample.dtype))[:, None] * -10_000.0
    time = unet.time_embedding(unet.time_proj(timestep).to(sample.dtype))
    return unet.add_time_condition(time, context, bias), context, bias


def cached(unet: UNet, interval: int) -> UNet:
    """Put a UNet's cache around it for one denoising loop, unless it is asked whole each time."""
    return DeepCache(unet, interval) if interval > 1 else unet
