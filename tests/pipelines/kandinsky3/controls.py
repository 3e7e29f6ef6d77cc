"""The published ControlNets and their edge detector, small: original names, drawn weights."""

import hashlib
from collections.abc import Mapping
from functools import cache
from itertools import pairwise

from torch import Tensor

from tests.pipelines.kandinsky3.original import drawn, original_state

_HINT_WIDTHS = (3, 16, 16, 32, 32, 96, 96, 256)
_OUT_WIDTH = 16
_LEVEL_WIDTHS = (32, 64, 128)
_OF_THE_BRANCH = (
    *("to_time_embed.", "feature_pooling.", "in_layer."),
    *("down_samples.0.", "down_samples.1.", "down_samples.2."),
)


@cache
def base_state() -> Mapping[str, Tensor]:
    """Make the base UNet that both generations start from."""
    return original_state("unet")


@cache
def branch_state() -> Mapping[str, Tensor]:
    """Make the side branch of the second generation."""
    shared = {
        name: tensor for name, tensor in base_state().items() if name.startswith(_OF_THE_BRANCH)
    }
    convs = {f"convs.{level}": (width, width, 1, 1) for level, width in enumerate(_LEVEL_WIDTHS)}
    return shared | _hint_state() | _convolutions(convs)


@cache
def hint_unet_state() -> Mapping[str, Tensor]:
    """Make the UNet of the first generation, its projection and hint encoder in it."""
    names = {
        "projection_lin.weight": (32, 32),
        "projection_ln.weight": (32,),
        "projection_ln.bias": (32,),
    }
    projection = {name: drawn(name, shape) for name, shape in names.items()}
    return {**base_state(), **projection, **_hint_state()}


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """Digest names, shapes and bytes, as it was done for the original's small models."""
    digest = hashlib.sha256()
    for name in sorted(state):
        array = state[name].numpy()
        digest.update(name.encode() + str(array.shape).encode() + array.tobytes())
    return digest.hexdigest()


def _hint_state() -> dict[str, Tensor]:
    shapes = {
        f"input_hint_block.conv{number}": (wider, wide, 3, 3)
        for number, (wide, wider) in enumerate(pairwise(_HINT_WIDTHS), 1)
    }
    shapes["input_hint_block.out"] = (_OUT_WIDTH, _HINT_WIDTHS[-1], 3, 3)
    return _convolutions(shapes)


def _convolutions(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    weights = {f"{name}.weight": shape for name, shape in shapes.items()}
    biases = {f"{name}.bias": shape[:1] for name, shape in shapes.items()}
    return {name: drawn(name, shape) for name, shape in (weights | biases).items()}
