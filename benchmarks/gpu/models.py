"""Kandinsky 3's models as the reference configures them, with random weights or with none."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

import torch
from diffusers import Kandinsky3UNet, VQModel
from torch import nn
from transformers import T5Config, T5EncoderModel

from pipelines.headers import HeaderTensor, weigh
from pipelines.kandinsky3.conditioning import Projection
from pipelines.kandinsky3.load import MOVQ, PROJECTIONS, TEXT_ENCODER, UNETS, adapted
from pipelines.memory import Weights
from pipelines.weights import Component, ComponentStore

MICRO: Final = Path(__file__).parents[2] / "weights" / "micro"

Models = Mapping[str, Callable[[], nn.Module]]
"""How to build each component, by its name."""


def full_size() -> Models:
    """Kandinsky 3.1: FLAN-UL2's encoder, a UNet for each variant, MoVQ."""
    flan_ul2 = {"d_model": 4096, "d_kv": 256, "d_ff": 16384, "num_layers": 32, "num_heads": 16}
    movq = {
        "block_out_channels": (256, 512, 512, 1024),
        "down_block_types": ["DownEncoderBlock2D"] * 3 + ["AttnDownEncoderBlock2D"],
        "up_block_types": ["AttnUpDecoderBlock2D"] + ["UpDecoderBlock2D"] * 3,
        "layers_per_block": 2,
        "num_vq_embeddings": 16384,
    }
    return _models({"vocab_size": 32128, **flan_ul2}, {}, movq, width=4096)


def small() -> Models:
    """The same classes in a few kilobytes, to see that everything runs."""
    text = {"vocab_size": 4096, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_heads": 2}
    unet = {
        "time_embedding_dim": 16,
        "groups": 4,
        "attention_head_dim": 8,
        "layers_per_block": 2,
        "block_out_channels": (16, 32),
        "cross_attention_dim": 16,
        "encoder_hid_dim": 16,
    }
    movq = {
        "block_out_channels": [32] * 4,
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "num_vq_embeddings": 4,
    }
    return _models({"num_layers": 1, **text}, unet, movq, width=16)


def _models(
    text: Mapping[str, Any], unet: Mapping[str, Any], movq: Mapping[str, Any], width: int
) -> Models:
    def build_unet() -> nn.Module:
        return adapted(cast("nn.Module", Kandinsky3UNet(**unet)), "base")

    def build_text() -> nn.Module:
        config = T5Config(feed_forward_proj="gated-silu", **text)
        return cast("nn.Module", T5EncoderModel(config))

    def build_movq() -> nn.Module:
        return cast("nn.Module", VQModel(latent_channels=4, norm_type="spatial", **movq))

    models: dict[str, Callable[[], nn.Module]] = {
        TEXT_ENCODER.name: build_text,
        MOVQ.name: build_movq,
    }
    models |= {component.name: build_unet for component in UNETS.values()}
    models |= {c.name: lambda: Projection(width, width) for c in PROJECTIONS.values()}
    return MappingProxyType(models)


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """Build a model that has shapes and takes no memory."""
    with torch.device("meta"):
        return build()


def weights_of(component: Component[Any], models: Models, floating_bytes: int) -> Weights:
    """Sum a component up for the memory plan, by its shapes alone."""
    tensors = on_meta(models[component.name]).named_parameters()
    header = (HeaderTensor(k, tuple(t.shape), floating_bytes * t.numel()) for k, t in tensors)
    return weigh(component.name, component.role, header)


def fill(
    module: nn.Module, dtype: torch.dtype, device: torch.device, by: torch.device
) -> nn.Module:
    """Give a model from :func:`on_meta` random weights that keep activations about as they are.

    Args:
        module: on meta.
        dtype: of the weights.
        device: where they are to be.
        by: where the numbers are drawn; a GPU draws billions in seconds, a CPU in minutes.
    """
    made: dict[int, nn.Parameter] = {}
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            if id(parameter) not in made:
                values = torch.empty(parameter.shape, dtype=dtype, device=by)
                fan_in = math.prod(parameter.shape[1:])
                is_matrix = parameter.ndim > 1
                values = values.normal_(std=fan_in**-0.5) if is_matrix else values.zero_()
                values = values if is_matrix or name != "weight" else values + 1
                made[id(parameter)] = nn.Parameter(values.to(device), requires_grad=False)
            setattr(part, name, made[id(parameter)])
    return module.eval()


class RandomStore(ComponentStore):
    """A store that makes the weights up; the tokenizer and the preview's map are real."""

    models: Models

    def _weights(self, component: Component[Any]) -> Weights:
        if component.name not in self.models:
            return super()._weights(component)
        return weights_of(component, self.models, self.dtype.itemsize)

    def _path(self, component: Component[Any]) -> Path:
        return Path() if component.name in self.models else super()._path(component)

    def _build(self, component: Component[Any], device: torch.device) -> Any:  # noqa: ANN401
        if component.name not in self.models:
            return super()._build(component, device)
        module = on_meta(self.models[component.name])
        return fill(module, self.dtype, device, self.device)
