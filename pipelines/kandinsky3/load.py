"""Kandinsky 3's components: where each lies in a weights folder and how it is built.

The folder's layout, with ``_flash`` and ``_inpainting`` for those variants::

    tokenizer/  text_encoder/  movq/  unet/  unet_flash/     as their libraries save them
    conditioning.safetensors  conditioning_flash.safetensors   projection and null embedding
    latent_rgb.safetensors                                     the preview's linear map
    image_encoder/  image_adapter.safetensors  unet_ip/        pictures as prompts
    controlnet/  unet_controlnet/  hed.safetensors             shapes that are kept

A variant's files say ``variant`` in their safetensors metadata, so that one that was put in
another's place is refused: with the wrong projection a UNet paints, but not what it is told.
"""

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

import torch
from diffusers import Kandinsky3UNet, VQModel
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection, T5EncoderModel, T5Tokenizer
from transformers.utils.logging import disable_progress_bar

from pipelines.kandinsky3 import controlnet_layout
from pipelines.kandinsky3.conditioning import Projection, Tokenizer
from pipelines.kandinsky3.controlnet import ControlBranch, InputHint
from pipelines.kandinsky3.hed import HED
from pipelines.kandinsky3.ip_adapter import IPAdapter, TextContext
from pipelines.kandinsky3.preview import LatentToRGB
from pipelines.profiles import Quality, ShapeSettings
from pipelines.weights import Component

Variant = Literal["base", "flash", "inpainting", "ip", "controlnet"]
"""Each has a UNet and the projection trained with it; they never mix."""

INPAINTING_CHANNELS: Final = 9
"""Noisy latents, the latents of what is kept, and where that is: 4 + 4 + 1."""


def _tokenizer(path: Path, _dtype: torch.dtype, _device: torch.device) -> Tokenizer:
    return cast("Tokenizer", T5Tokenizer.from_pretrained(path, local_files_only=True))


def _text_encoder(path: Path, dtype: torch.dtype, device: torch.device) -> nn.Module:
    return _pretrained(T5EncoderModel, path, dtype, device)


def _image_encoder(
    path: Path, dtype: torch.dtype, device: torch.device
) -> CLIPVisionModelWithProjection:
    model = _pretrained(CLIPVisionModelWithProjection, path, dtype, device)
    return cast("CLIPVisionModelWithProjection", model)


def _image_adapter(path: Path, dtype: torch.dtype, device: torch.device) -> IPAdapter:
    with safe_open(path, framework="pt") as contents:
        said = contents.metadata() or {}
    text_context = said.get("text_context", "cut")
    has_own = (path.parent / UNETS["ip"].path).exists()
    _check_variant(path, "ip" if has_own else "base")
    if text_context not in get_args(TextContext):
        msg = f"text_context must be one of {get_args(TextContext)}, not {text_context!r}"
        raise ValueError(msg)
    tensors = _tensors(path, dtype)
    with torch.device("meta"):
        adapter = IPAdapter.shaped_like(tensors, cast("TextContext", text_context))
    return cast("IPAdapter", _filled(adapter, tensors, device))


def _pretrained(kind: Any, path: Path, dtype: torch.dtype, device: torch.device) -> nn.Module:  # noqa: ANN401 - untyped library classes
    disable_progress_bar()  # a bar in a worker's log is noise
    model, report = kind.from_pretrained(
        path, dtype=dtype, local_files_only=True, output_loading_info=True
    )
    if missing := report["missing_keys"]:
        msg = f"no {sorted(missing)[0]} in it"
        raise ValueError(msg)
    return _settled(model, device)


def _movq(path: Path, dtype: torch.dtype, device: torch.device) -> nn.Module:
    movq = _filled(_empty(VQModel, path), _tensors(path, dtype), device)
    # Laid out so, a CPU decodes several pictures a little sooner, and one in the same time.
    laid_out: nn.Module = cast("Any", movq).to(memory_format=torch.channels_last)
    return laid_out


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


def _controlnet(path: Path, dtype: torch.dtype, device: torch.device) -> ControlBranch | InputHint:
    has_own = (path.parent / UNETS["controlnet"].path).exists()
    _check_variant(path, "controlnet" if has_own else "base")
    control = controlnet_layout.empty(path)
    return cast("ControlBranch | InputHint", _filled(control, _tensors(path, dtype), device))


def _hed(path: Path, dtype: torch.dtype, device: torch.device) -> HED:
    with torch.device("meta"):
        model = HED()
    return cast("HED", _filled(model, _tensors(path, dtype), device))


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
    "ip": Component("image adapter's UNet", "unet_ip", partial(_unet, "ip"), "denoiser"),
    "controlnet": Component(
        "ControlNet's UNet", "unet_controlnet", partial(_unet, "controlnet"), "denoiser"
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
    "ip": Component(
        "image adapter's projection", "conditioning_ip.safetensors", partial(_projection, "ip")
    ),
    "controlnet": Component(
        "ControlNet's projection",
        "conditioning_controlnet.safetensors",
        partial(_projection, "controlnet"),
    ),
}


IMAGE_ENCODER: Final = Component("image encoder", "image_encoder", _image_encoder)
IMAGE_ADAPTER: Final = Component(
    "image adapter", "image_adapter.safetensors", _image_adapter, "companion"
)
IMAGE_PROMPTS: Final[tuple[Component[Any], ...]] = (IMAGE_ENCODER, IMAGE_ADAPTER)
"""What the base model needs beside its own to take pictures as prompts."""
CONTROLNET: Final = Component("ControlNet", "controlnet", _controlnet, "companion")
EDGES: Final = Component("HED", "hed.safetensors", _hed, "decoder")
"""It works on whole pictures as the decoder does, with less room than that."""


def weighty(
    qualities: Collection[Quality],
    *,
    image_prompts: bool = False,
    shapes: ShapeSettings | None = None,
) -> list[Component[Any]]:
    """List the components that a profile with these qualities puts on the device.

    Args:
        qualities: what can be asked.
        image_prompts: whether pictures are taken as prompts.
        shapes: how a picture's shapes are kept, if they can be.
    """
    asked = set(qualities)
    is_base = bool(asked & {"fast", "base", "refined"} or image_prompts or shapes)
    variants: list[Variant] = ["base"] if is_base else []
    variants += ["flash"] if asked & {"flash", "refined"} else []
    variants += ["ip"] if image_prompts else []
    variants += ["controlnet"] if shapes else []
    pairs = [(PROJECTIONS[variant], UNETS[variant]) for variant in variants]
    extras: list[Component[Any]] = list(IMAGE_PROMPTS) if image_prompts else []
    extras += [CONTROLNET] if shapes else []
    extras += [EDGES] if shapes and shapes.edges == "hed" else []
    return [TEXT_ENCODER, *(component for pair in pairs for component in pair), *extras, MOVQ]


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
