"""ControlNet: a picture's shapes are kept, as its hint says, beside whatever the words ask for.

Two generations were published and both are here. In the newer a *side branch* reads the hint and
adds to the UNet's skip states (:class:`ControlBranch`); the base UNet stays as it is. In the older
a *hint encoder* adds to what enters a UNet that was trained on with it (:class:`InputHint`).

A hint is a picture of what is to be kept, for example of edges: (B, 3, H, W) at the size of the
picture in pixels, in the range and polarity the network was trained with (see ``ShapeSettings``).

Source: ai-forever/kandinsky3-diffusers, `unet_kandi3.py:978-1227` (main) and `:1230-1332` (branch
`depreciated`); the UNet's own parts in the order of `Kandinsky3UNet.forward` of diffusers.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Self, cast

import torch
from torch import Tensor, nn

from pipelines.kandinsky3.deepcache import block_inputs

HINT_CHANNELS: Final = (16, 32, 96, 256)
"""Widths of the published hint encoders, at 1, 1/2, 1/4 and 1/8 of the picture's size."""


class InputHint(nn.Module):
    """Brings a hint from the picture's size to that of the latents, to join the first convolution.

    Untrained it makes zeros.

    Args:
        out_channels: of the UNet's first convolution.
        channels: at each of four sizes, the picture's and three halvings.
    """

    def __init__(self, out_channels: int, channels: Sequence[int] = HINT_CHANNELS) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(3, channels[0], 3, padding=1)])
        for wide, wider in pairwise(channels):
            self.convs.append(nn.Conv2d(wide, wide, 3, padding=1))
            self.convs.append(nn.Conv2d(wide, wider, 3, stride=2, padding=1))
        self.convs.append(_zero(nn.Conv2d(channels[-1], out_channels, 3, padding=1)))

    def forward(self, hint: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, C, H/8, W/8)."""
        *inner, last = self.convs
        states = hint.to(cast("Tensor", last.weight).dtype)
        for conv in inner:
            states = nn.functional.silu(conv(states))
        features: Tensor = last(states)
        return features


class ControlBranch(nn.Module):
    """A copy of the UNet's way down that reads a hint as well and answers with residuals.

    There is one residual for each of the UNet's skip states. Untrained all of them are zeros.

    A level's 1x1 convolution does not only make its residual: its *output* is what the next level
    goes on from. That is how the published weights were trained, so it stays.

    Args:
        unet: a Kandinsky3UNet, its own projection taken out, whose parts become the branch's own.
        hint_channels: as in :class:`InputHint`.
    """

    def __init__(self, unet: nn.Module, hint_channels: Sequence[int] = HINT_CHANNELS) -> None:
        super().__init__()
        parts = cast("Any", unet)
        self.unet_config: Final[Mapping[str, object]] = {
            name: value for name, value in parts.config.items() if not name.startswith("_")
        }
        self.time_proj = parts.time_proj
        self.time_embedding = parts.time_embedding
        self.add_time_condition = parts.add_time_condition
        self.conv_in = parts.conv_in
        self.down_blocks = parts.down_blocks[:-1]  # the last has no skip state
        self.hint = InputHint(parts.conv_in.out_channels, hint_channels)
        widths = parts.config.block_out_channels[:-1]
        self.zero_convs = nn.ModuleList([_zero(nn.Conv2d(width, width, 1)) for width in widths])

    @classmethod
    def from_unet(cls, unet: nn.Module, hint_channels: Sequence[int] = HINT_CHANNELS) -> Self:
        """Start a new branch from a trained UNet, which it shares nothing with.

        All of it can learn, also where the UNet is frozen.
        """
        branch = cls(deepcopy(unet), hint_channels)
        return branch.to(next(unet.parameters())).requires_grad_(requires_grad=True)

    def forward(
        self, sample: Tensor, timestep: Tensor, context: Tensor, mask: Tensor, hint: Tensor
    ) -> list[Tensor]:
        """Answer with a residual for each of the UNet's skip states, the outermost first.

        Args:
            sample: noisy latents, (B, 4, h, w).
            timestep: (B,), 0 to 999.
            context: as the UNet gets it, (B, L, C).
            mask: likewise, (B, L), 1 where attention looks.
            hint: (B, 3, 8h, 8w).

        Returns:
            (B, C0, h/2, w/2), (B, C1, h/4, w/4) and so on; the last level has none.
        """
        return self.residuals(sample, timestep, context, mask, self.hint(hint))

    def residuals(
        self, sample: Tensor, timestep: Tensor, context: Tensor, mask: Tensor, features: Tensor
    ) -> list[Tensor]:
        """Do what :meth:`forward` does, from the hint's features, (B, C, h, w)."""
        given = block_inputs(self, sample, timestep, context, mask)
        states = self.conv_in(sample) + features
        found = []
        for block, conv in zip(self.down_blocks, self.zero_convs, strict=True):
            states = conv(block(states, *given))
            found.append(states)
        return found


def predict_with(
    unet: nn.Module,
    sample: Tensor,
    timestep: Tensor,
    context: Tensor,
    mask: Tensor,
    *,
    features: Tensor | None = None,
    residuals: Sequence[Tensor] = (),
) -> Tensor:
    """Ask a UNet for the noise in ``sample`` while a ControlNet has its say.

    Args:
        unet: a Kandinsky3UNet, its own projection taken out.
        sample: as in :meth:`ControlBranch.forward`, and so are the next three.
        timestep: there.
        context: there.
        mask: there.
        features: added behind the first convolution, (B, C, h, w).
        residuals: added to the skip states where these are joined, as :class:`ControlBranch`
            answers; none are no change.

    Returns:
        (B, 4, h, w).
    """
    parts = cast("Any", unet)
    given = block_inputs(parts, sample, timestep, context, mask)
    states = parts.conv_in(sample)
    states = states if features is None else states + features
    skips = []
    for block in parts.down_blocks:
        states = block(states, *given)
        skips.append(states)
    states = skips.pop()
    if residuals:
        skips = [skip + residual for skip, residual in zip(skips, residuals, strict=True)]
    for level, block in enumerate(parts.up_blocks):
        states = block(torch.cat([states, skips.pop()], dim=1) if level else states, *given)
    noise: Tensor = parts.conv_out(parts.conv_act_out(parts.conv_norm_out(states)))
    return noise


@dataclass(frozen=True, slots=True)
class Span:
    """The steps at which control is held, as shares of all of them.

    Attributes:
        steps: how many there are.
        start: share of them, the first ones, without control.
        end: share after which there is none.
    """

    steps: int
    start: float = 0.0
    end: float = 1.0

    def holds(self, step: int) -> bool:
        """Whether a step, from 0, begins and ends inside."""
        return self.start <= step / self.steps and (step + 1) / self.steps <= self.end


class Controlled:
    """A UNet whose rows each keep to a hint of their own. It serves one denoising loop.

    Of a hint what does not depend on the step is computed once. Outside the span it is the UNet
    itself.

    Args:
        unet: a Kandinsky3UNet, its own projection taken out: the base's beside a
            :class:`ControlBranch`, else the one trained with this :class:`InputHint`.
        control: of either generation.
        hints: (R, 3, 8h, 8w); with guidance those of the prompts and under them of the negatives.
        strengths: (R,), how much each row heeds its hint: 1 is as trained and 0 not at all. It
            scales the residuals, or what the hint encoder adds.
        span: at which of the calls, one a step.
    """

    def __init__(
        self,
        unet: nn.Module,
        control: ControlBranch | InputHint,
        hints: Tensor,
        strengths: Tensor,
        span: Span,
    ) -> None:
        self._unet = unet
        self._control = control
        encoder = control.hint if isinstance(control, ControlBranch) else control
        # One by one: the first layers work at the picture's size, the rest of a loop does not.
        self._features = torch.cat([encoder(hint) for hint in torch.split(hints, 1)])
        self._strengths = strengths.to(self._features)[:, None, None, None]
        self._span = span
        self._calls = 0

    def keep(self, positions: Sequence[int]) -> None:
        """Forget the hints of all rows but those at these positions."""
        rows = list(positions)
        self._features, self._strengths = self._features[rows], self._strengths[rows]

    def __call__(
        self,
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        encoder_attention_mask: Tensor,
        return_dict: bool,  # noqa: ARG002 - the UNet's own signature
    ) -> tuple[Tensor]:
        """Predict the noise in ``sample``, (R, 4, h, w), as the UNet does."""
        is_held = self._span.holds(self._calls)
        self._calls += 1
        asked = (sample, timestep, encoder_hidden_states, encoder_attention_mask)
        if not is_held:
            return (predict_with(self._unet, *asked),)
        if isinstance(self._control, InputHint):
            added = self._strengths * self._features
            return (predict_with(self._unet, *asked, features=added),)
        found = self._control.residuals(*asked, self._features)
        residuals = [self._strengths * residual for residual in found]
        return (predict_with(self._unet, *asked, residuals=residuals),)


def _zero(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(cast("Tensor", conv.bias))
    return conv
