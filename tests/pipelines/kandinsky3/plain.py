"""Kandinsky 3's UNet, its ControlNets and image adapter, written out over plain tensors.

Nothing of the library's or of ours is in here: a state dict by the original's names is all there
is, and what a tensor is for is read off its name. It says what the models should come to.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

State = Mapping[str, Tensor]
HEAD_DIM: Final = 8
GROUPS: Final = 8


@dataclass(frozen=True)
class Given:
    """What each block is told: the text, and of pictures what the image adapter sees."""

    context: Tensor
    mask: Tensor
    image: Tensor | None = None
    image_weights: Tensor | None = None


def unet(
    state: State,
    sample: Tensor,
    timestep: Tensor,
    given: Given,
    *,
    features: Tensor | None = None,
    residuals: Sequence[Tensor] = (),
) -> Tensor:
    """Predict the noise; ``features`` join the first convolution, ``residuals`` the skips."""
    time = _time(state, timestep, given)
    states = _conv(state, "in_layer", sample, padding=1)
    states = states if features is None else states + features
    skips: list[Tensor] = []
    for level in range(_levels(state, "down")):
        states = _down(state, f"down_samples.{level}", states, time, given)
        skips.append(states)
    skips.pop()
    control = list(residuals)
    for level in range(_levels(state, "up")):
        if level:
            skip = skips.pop()
            states = torch.cat([states, skip + control.pop() if control else skip], dim=1)
        states = _up(state, f"up_samples.{level}", states, time, given)
    affine = (state["out_layer.0.weight"], state["out_layer.0.bias"])
    states = functional.silu(functional.group_norm(states, GROUPS, *affine))
    return _conv(state, "out_layer.2", states, padding=1)


def branch(
    state: State, sample: Tensor, timestep: Tensor, given: Given, hint: Tensor
) -> list[Tensor]:
    """The side branch's residuals, the outermost first."""
    time = _time(state, timestep, given)
    states = _conv(state, "in_layer", sample, padding=1) + hint_features(state, hint)
    residuals = []
    for level in range(_levels(state, "down")):
        states = _down(state, f"down_samples.{level}", states, time, given)
        states = _conv(state, f"convs.{level}", states)
        residuals.append(states)
    return residuals


def hint_features(state: State, hint: Tensor) -> Tensor:
    """What the hint encoder adds: every second convolution from the third on halves the size."""
    for number in range(1, 8):
        stride = 2 if number in {3, 5, 7} else 1
        name = f"input_hint_block.conv{number}"
        hint = functional.silu(_conv(state, name, hint, padding=1, stride=stride))
    return _conv(state, "input_hint_block.out", hint, padding=1)


def _levels(state: State, side: str) -> int:
    return len({name.split(".")[1] for name in state if name.startswith(f"{side}_samples.")})


def _time(state: State, timestep: Tensor, given: Given) -> Tensor:
    half = state["to_time_embed.1.weight"].shape[1] // 2
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half) / (half - 1))
    angles = timestep.float()[:, None] * frequencies
    embedded = torch.cat([angles.sin(), angles.cos()], dim=1)
    time = functional.silu(_linear(state, "to_time_embed.1", embedded))
    time = _linear(state, "to_time_embed.3", time)
    query = given.context.mean(dim=1, keepdim=True)
    pooled = _attention(state, "feature_pooling.attention", query, given.context, given.mask)
    return time + pooled[:, 0]


def _down(state: State, name: str, states: Tensor, time: Tensor, given: Given) -> Tensor:
    if f"{name}.self_attention_block.attention.to_query.weight" in state:
        states = _attend(state, f"{name}.self_attention_block", states, time, None)
    return _blocks(state, name, states, time, given)


def _up(state: State, name: str, states: Tensor, time: Tensor, given: Given) -> Tensor:
    states = _blocks(state, name, states, time, given)
    if f"{name}.self_attention_block.attention.to_query.weight" in state:
        states = _attend(state, f"{name}.self_attention_block", states, time, None)
    return states


def _blocks(state: State, name: str, states: Tensor, time: Tensor, given: Given) -> Tensor:
    prefix = f"{name}.resnet_attn_blocks."
    numbers = {key.removeprefix(prefix)[0] for key in state if key.startswith(prefix)}
    for block in (f"{prefix}{number}" for number in sorted(numbers)):
        states = _resnet(state, f"{block}.0", states, time)
        if f"{block}.1.attention.to_query.weight" in state:
            states = _attend(state, f"{block}.1", states, time, given)
        states = _resnet(state, f"{block}.2", states, time)
    return states


def _resnet(state: State, name: str, states: Tensor, time: Tensor) -> Tensor:
    out = states
    for number in range(4):
        part = f"{name}.resnet_blocks.{number}"
        out = functional.silu(_normed(state, f"{part}.group_norm", out, time))
        out = _scaled(state, part, "up_sample", out)
        size = state[f"{part}.projection.weight"].shape[-1]
        out = _conv(state, f"{part}.projection", out, padding=size // 2)
        out = _scaled(state, part, "down_sample", out)
    states = _scaled(state, name, "shortcut_up_sample", states)
    if f"{name}.shortcut_projection.weight" in state:
        states = _conv(state, f"{name}.shortcut_projection", states)
    return _scaled(state, name, "shortcut_down_sample", states) + out


def _scaled(state: State, name: str, part: str, states: Tensor) -> Tensor:
    weight, bias = state.get(f"{name}.{part}.weight"), state.get(f"{name}.{part}.bias")
    if weight is None:
        return states
    if part.endswith("up_sample"):
        return functional.conv_transpose2d(states, weight, bias, stride=2)
    return functional.conv2d(states, weight, bias, stride=2)


def _attend(state: State, name: str, states: Tensor, time: Tensor, given: Given | None) -> Tensor:
    rows, channels, height, width = states.shape
    normed = _normed(state, f"{name}.in_norm", states, time)
    flat = normed.reshape(rows, channels, -1).transpose(1, 2)
    if given is None:
        mask = torch.ones(rows, flat.shape[1])
        out = _attention(state, f"{name}.attention", flat, flat, mask)
    else:
        out = _attention(state, f"{name}.attention", flat, given.context, given.mask)
        out = out + _image(state, f"{name}.attention", flat, given)
    states = states + out.transpose(1, 2).reshape(rows, channels, height, width)
    out = _normed(state, f"{name}.out_norm", states, time)
    out = functional.silu(functional.conv2d(out, state[f"{name}.feed_forward.0.weight"]))
    return states + functional.conv2d(out, state[f"{name}.feed_forward.2.weight"])


def _attention(state: State, name: str, query: Tensor, context: Tensor, mask: Tensor) -> Tensor:
    queries = query @ state[f"{name}.to_query.weight"].T
    keys = context @ state[f"{name}.to_key.weight"].T
    values = context @ state[f"{name}.to_value.weight"].T
    out = _heads(queries, keys, values, (1 - mask.float()) * -10_000.0)
    return out @ state[f"{name}.output_layer.weight"].T


def _image(state: State, name: str, query: Tensor, given: Given) -> Tensor:
    """What an image adapter adds: the text's queries, its own keys, values and output."""
    if given.image is None or given.image_weights is None:
        return torch.zeros(())
    queries = query @ state[f"{name}.to_query.weight"].T
    keys = _linear(state, f"{name}.processor.to_key_ip", given.image)
    values = _linear(state, f"{name}.processor.to_v_ip", given.image)
    out = _heads(queries, keys, values, torch.zeros(keys.shape[:2]))
    return given.image_weights[:, None, None] * _linear(state, f"{name}.processor.to_out_ip", out)


def _heads(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    parts = []
    for first in range(0, queries.shape[-1], HEAD_DIM):
        head = slice(first, first + HEAD_DIM)
        scores = queries[..., head] @ keys[..., head].transpose(1, 2) / HEAD_DIM**0.5
        parts.append((scores + bias[:, None]).softmax(dim=-1) @ values[..., head])
    return torch.cat(parts, dim=-1)


def _normed(state: State, name: str, states: Tensor, time: Tensor) -> Tensor:
    both = _linear(state, f"{name}.context_mlp.1", functional.silu(time))
    scale, shift = both[:, :, None, None].chunk(2, dim=1)
    return functional.group_norm(states, GROUPS) * (1 + scale) + shift


def _linear(state: State, name: str, states: Tensor) -> Tensor:
    return functional.linear(states, state[f"{name}.weight"], state[f"{name}.bias"])


def _conv(state: State, name: str, states: Tensor, *, padding: int = 0, stride: int = 1) -> Tensor:
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return functional.conv2d(states, weight, bias, stride=stride, padding=padding)
