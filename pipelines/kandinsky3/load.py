"""Kandinsky 3's components: where each lies in a weights folder and how it is built.

The folder's layout, with ``_flash`` and ``_inpainting`` for those variants::

    tokenizer/  text_encoder/  movq/  unet/  unet_flash/     as their libraries save them
    conditioning.safetensors  conditioning_flash.safetensors   projection and null embedding
    latent_rgb.safetensors                                     the preview's linear map

A variant's files say ``variant`` in their safetensors metadata, so that one that was put in
another's place is refused: with the wrong projection a UNet paints, but not what it is told.
"""

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, cast

import torch
from diffusers import Kandinsky3UNet, VQModel
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import T5EncoderModel, T5Tokenizer
from transformers.utils.logging import disable_progress_bar

from pipelines.kandinsky3.conditioning import Projection, Tokenizer
from pipelines.kandinsky3.preview import LatentToRGB
from pipelines.profiles import Quality
from pipelines.weights import Component

Variant = Literal["base", "flash", "inpainting"]
"""Each has a UNet and the projection trained with it; they never mix."""

INPAINTING_CHANNELS: Final = 9
"""Noisy latents, the latents of what is kept, and where that is: 4 + 4 + 1."""


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


def adapted(unet: nn.Module, variant: Variant) -> nn.Module:
    """Make a library's UNet the one Kandinsky 3 has; still without weights.

    Args:
        unet: a Kandinsky3UNet of 4 channels in and out.
        variant: that for inpainting sees more than it predicts.
    """
    # The projection comes before the mask is applied, so it lives outside (see conditioning.py).
    unet.encoder_hid_proj = nn.Identity()
    if variant == "inpainting":
        width = cast("nn.Conv2d", unet.conv_in).out_channels
        unet.conv_in = nn.Conv2d(INPAINTING_CHANNELS, width, kernel_size=3, padding=1)
    return unet


def _unet(variant: Variant, path: Path, dtype: torch.dtype, device: torch.device) -> nn.Module:
    with torch.device("meta"):
        unet = adapted(_empty(Kandinsky3UNet, path), variant)
    _check_variant(path, variant)
    return _filled(unet, _tensors(path, dtype), device)


def _projection(
    variant: Variant, path: Path, dtype: torch.dtype, device: torch.device
) -> Projection:
    _check_variant(path, variant)
    tensors = _tensors(path, dtype)
    context_dim, states_dim = tensors["linear.weight"].shape
    projection = Projection(states_dim, context_dim)
    return cast("Projection", _filled(projection, tensors, device))


def _latent_rgb(path: Path, _dtype: torch.dtype, _device: torch.device) -> LatentToRGB:
    # On the CPU in float32: it sees a few kilobytes on their way into a JPEG.
    tensors = _tensors(path, torch.float32)
    return LatentToRGB(tensors["weight"], tensors["bias"])


TOKENIZER: Final = Component("tokenizer", "tokenizer", _tokenizer, "host")
TEXT_ENCODER: Final = Component("text encoder", "text_encoder", _text_encoder, "encoder")
MOVQ: Final = Component("MoVQ", "movq", _movq, "decoder")
LATENT_RGB: Final = Component("preview map", "latent_rgb.safetensors", _latent_rgb, "host")
UNETS: Final[dict[Variant, Component[nn.Module]]] = {
    "base": Component("base UNet", "unet", partial(_unet, "base"), "denoiser"),
    "flash": Component("Flash UNet", "unet_flash", partial(_unet, "flash"), "denoiser"),
    "inpainting": Component(
        "inpainting UNet", "unet_inpainting", partial(_unet, "inpainting"), "denoiser"
    ),
}
PROJECTIONS: Final[dict[Variant, Component[Projection]]] = {
    "base": Component("base projection", "conditioning.safetensors", partial(_projection, "base")),
    "flash": Component(
        "Flash projection", "conditioning_flash.safetensors", partial(_projection, "flash")
    ),
    "inpainting": Component(
        "inpainting projection",
        "conditioning_inpainting.safetensors",
        partial(_projection, "inpainting"),
    ),
}


def weighty(qualities: Collection[Quality]) -> list[Component[Any]]:
    """List the components that a profile with these qualities puts on the device."""
    asked = set(qualities)
    variants: list[Variant] = ["base"] if asked & {"fast", "base", "refined"} else []
    variants += ["flash"] if asked & {"flash", "refined"} else []
    pairs = [(PROJECTIONS[variant], UNETS[variant]) for variant in variants]
    return [TEXT_ENCODER, *(component for pair in pairs for component in pair), MOVQ]


def _empty(kind: Any, path: Path) -> nn.Module:  # noqa: ANN401 - untyped library classes
    """Build a model of ``path``'s config without spending time or memory on its weights."""
    with torch.device("meta"):
        return cast("nn.Module", kind.from_config(kind.load_config(path, local_files_only=True)))


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.safetensors")) if path.is_dir() else [path]


def _check_variant(path: Path, variant: Variant) -> None:
    """Refuse the weights of another variant; files that say nothing are believed."""
    for file in _files(path):
        with safe_open(file, framework="pt") as contents:
            said = (contents.metadata() or {}).get("variant", variant)
        if said != variant:
            msg = f"{file.name} holds that of the {said} variant"
            raise ValueError(msg)


def _tensors(path: Path, dtype: torch.dtype) -> dict[str, Tensor]:
    tensors = {key: tensor for file in _files(path) for key, tensor in load_file(file).items()}
    return {
        key: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for key, tensor in tensors.items()
    }


def _filled(module: nn.Module, tensors: dict[str, Tensor], device: torch.device) -> nn.Module:
    module.load_state_dict(tensors, strict=True, assign=True)
    return _settled(module, device)


def _settled(module: nn.Module, device: torch.device) -> nn.Module:
    return module.to(device).eval().requires_grad_(requires_grad=False)
