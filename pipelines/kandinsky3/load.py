"""Kandinsky 3's components: where each lies in a weights folder and how it is built.

The folder's layout, with ``_flash`` for the distilled variant::

    tokenizer/  text_encoder/  movq/  unet/  unet_flash/     as their libraries save them
    conditioning.safetensors  conditioning_flash.safetensors   projection and null embedding
    latent_rgb.safetensors                                     the preview's linear map
"""

from pathlib import Path
from typing import Any, Final, Literal, cast

import torch
from diffusers import Kandinsky3UNet, VQModel
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import T5EncoderModel, T5Tokenizer
from transformers.utils.logging import disable_progress_bar

from pipelines.kandinsky3.conditioning import Projection, Tokenizer
from pipelines.kandinsky3.preview import LatentToRGB
from pipelines.weights import Component

Variant = Literal["base", "flash"]
"""Each has a UNet and the projection trained with it; they never mix."""


def _tokenizer(path: Path, _dtype: torch.dtype, _device: torch.device) -> Tokenizer:
    return cast("Tokenizer", T5Tokenizer.from_pretrained(path, local_files_only=True))


def _text_encoder(path: Path, dtype: torch.dtype, device: torch.device) -> nn.Module:
    disable_progress_bar()  # a bar in a worker's log is noise
    model, report = T5EncoderModel.from_pretrained(
        path, dtype=dtype, local_files_only=True, output_loading_info=True
    )
    if missing := report["missing_keys"]:
        msg = f"no {sorted(missing)[0]} in it"
        raise ValueError(msg)
    return _settled(model, device)


def _movq(path: Path, dtype: torch.dtype, device: torch.device) -> nn.Module:
    return _filled(_empty(VQModel, path), _tensors(path, dtype), device)


def _unet(path: Path, dtype: torch.dtype, device: torch.device) -> nn.Module:
    unet = _empty(Kandinsky3UNet, path)
    # The projection comes before the mask is applied, so it lives outside (see conditioning.py).
    unet.encoder_hid_proj = nn.Identity()
    return _filled(unet, _tensors(path, dtype), device)


def _projection(path: Path, dtype: torch.dtype, device: torch.device) -> Projection:
    tensors = _tensors(path, dtype)
    context_dim, states_dim = tensors["linear.weight"].shape
    projection = Projection(states_dim, context_dim)
    return cast("Projection", _filled(projection, tensors, device))


def _latent_rgb(path: Path, _dtype: torch.dtype, _device: torch.device) -> LatentToRGB:
    # On the CPU in float32: it sees a few kilobytes on their way into a JPEG.
    tensors = _tensors(path, torch.float32)
    return LatentToRGB(tensors["weight"], tensors["bias"])


TOKENIZER: Final = Component("tokenizer", "tokenizer", _tokenizer)
TEXT_ENCODER: Final = Component("text encoder", "text_encoder", _text_encoder)
MOVQ: Final = Component("MoVQ", "movq", _movq)
LATENT_RGB: Final = Component("preview map", "latent_rgb.safetensors", _latent_rgb)
UNETS: Final[dict[Variant, Component[nn.Module]]] = {
    "base": Component("base UNet", "unet", _unet),
    "flash": Component("Flash UNet", "unet_flash", _unet),
}
PROJECTIONS: Final[dict[Variant, Component[Projection]]] = {
    "base": Component("base projection", "conditioning.safetensors", _projection),
    "flash": Component("Flash projection", "conditioning_flash.safetensors", _projection),
}


def _empty(kind: Any, path: Path) -> nn.Module:  # noqa: ANN401 - untyped library classes
    """Build a model of ``path``'s config without spending time or memory on its weights."""
    with torch.device("meta"):
        return cast("nn.Module", kind.from_config(kind.load_config(path, local_files_only=True)))


def _tensors(path: Path, dtype: torch.dtype) -> dict[str, Tensor]:
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    tensors = {key: tensor for file in files for key, tensor in load_file(file).items()}
    return {
        key: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for key, tensor in tensors.items()
    }


def _filled(module: nn.Module, tensors: dict[str, Tensor], device: torch.device) -> nn.Module:
    module.load_state_dict(tensors, strict=True, assign=True)
    return _settled(module, device)


def _settled(module: nn.Module, device: torch.device) -> nn.Module:
    return module.to(device).eval().requires_grad_(requires_grad=False)
