"""Small models with the very weights of the recorded runs of the original implementations.

Each weight is drawn from the name it has in the original, so the names are translated here from
our library's. Random numbers of `numpy.random.RandomState` never change between versions.
"""

import re
import zlib
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
import torch
from diffusers import Kandinsky3UNet, VQModel
from torch import Tensor, nn

_RECORDED: Final = Path(__file__).parents[1] / "data" / "kandinsky3_original.npz"

_UNET_NAMES: Final = (
    (r"^time_embedding\.linear_1", "to_time_embed.1"),
    (r"^time_embedding\.linear_2", "to_time_embed.3"),
    (r"^conv_in", "in_layer"),
    (r"^conv_norm_out", "out_layer.0"),
    (r"^conv_out", "out_layer.2"),
    (r"^down_blocks", "down_samples"),
    (r"^up_blocks", "up_samples"),
    (r"^add_time_condition", "feature_pooling"),
    (r"attentions\.0\.", "self_attention_block."),
    (r"attentions\.(\d+)\.", lambda m: f"resnet_attn_blocks.{int(m[1]) - 1}.1."),
    (r"resnets_in\.(\d+)", r"resnet_attn_blocks.\1.0"),
    (r"resnets_out\.(\d+)", r"resnet_attn_blocks.\1.2"),
    (r"\.to_q\.", ".to_query."),
    (r"\.to_k\.", ".to_key."),
    (r"\.to_v\.", ".to_value."),
    (r"\.to_out\.0\.", ".output_layer."),
)
_MOVQ_NAMES: Final = (
    (r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}"),
    (r"mid_block\.attentions\.0", "mid.attn_1"),
    (r"encoder\.down_blocks\.(\d)", r"encoder.down.\1"),
    (r"decoder\.up_blocks\.(\d)", lambda m: f"decoder.up.{3 - int(m[1])}"),
    (r"\.resnets\.", ".block."),
    (r"\.attentions\.", ".attn."),
    (r"\.(down|up)samplers\.0\.", r".\1sample."),
    (r"conv_shortcut", "nin_shortcut"),
    (r"conv_norm_out", "norm_out"),
    (r"group_norm", "norm"),
    (r"spatial_norm", "norm"),
    (r"\.to_out\.0\.", ".proj_out."),
    (r"\.to_([qkv])\.", r".\1."),
    (r"(^encoder.*\.norm\w*)\.(weight|bias)$", r"\1.norm_layer.\2"),
)


def recorded(case: str) -> dict[str, Tensor]:
    """Read what went into and came out of the original."""
    with np.load(_RECORDED) as arrays:
        return {
            name.removeprefix(f"{case}/"): torch.from_numpy(arrays[name])
            for name in arrays.files
            if name.startswith(f"{case}/")
        }


def original_unet() -> nn.Module:
    """Build the recorded UNet; its projection lies outside."""
    return _filled(_unet(), _UNET_NAMES)


def original_movq() -> nn.Module:
    """Build the recorded MoVQ; it has no codebook, and ours is never used."""
    return _filled(_movq(), _MOVQ_NAMES)


def original_state(model: Literal["unet", "unet_inpaint", "movq"]) -> dict[str, Tensor]:
    """Return the recorded weights as the original saves them: its own names and shapes."""
    if model == "movq":
        state = {
            key: tensor for key, tensor in _movq().state_dict().items() if "quantize" not in key
        }
        return dict(_original_movq_tensor(key, tensor) for key, tensor in state.items())
    state = _unet().state_dict()
    if model == "unet_inpaint":
        state["conv_in.weight"] = torch.empty(16, 9, 3, 3)
    return {
        (name := _renamed(key, _UNET_NAMES)): drawn(name, tuple(tensor.shape))
        for key, tensor in state.items()
    }


def adapter_state(embedding_dim: int = 24, tokens: int = 4) -> dict[str, Tensor]:
    """Return the recorded image adapter's weights as the original's UNet holds them."""
    unet = _unet()
    shapes = {"image_proj.weight": (tokens * 32, embedding_dim), "image_proj.bias": (tokens * 32,)}
    shapes |= {"image_norm.weight": (32,), "image_norm.bias": (32,)}
    for key, tensor in unet.state_dict().items():
        name = _renamed(key, _UNET_NAMES)
        if re.search(r"\.resnet_attn_blocks\.\d\.1\.attention\.output_layer\.weight$", name):
            at, width = name.removesuffix("output_layer.weight") + "processor", len(tensor)
            for part, inputs in (("to_key_ip", 32), ("to_v_ip", 32), ("to_out_ip", width)):
                shapes |= {f"{at}.{part}.weight": (width, inputs), f"{at}.{part}.bias": (width,)}
    return {key: drawn(key, shape) for key, shape in shapes.items()}


def _original_movq_tensor(key: str, tensor: Tensor) -> tuple[str, Tensor]:
    name, shape = _renamed(key, _MOVQ_NAMES), tuple(tensor.shape)
    # The original's attention is made of 1x1 convolutions.
    is_map = "attentions" in key and ".to_" in key and key.endswith(".weight")
    return name, drawn(name, (*shape, 1, 1) if is_map else shape)


def _unet() -> nn.Module:
    unet = Kandinsky3UNet(
        time_embedding_dim=64,
        groups=8,
        attention_head_dim=8,
        layers_per_block=3,
        block_out_channels=(32, 64, 128, 256),
        cross_attention_dim=32,
        encoder_hid_dim=32,
    )
    unet.encoder_hid_proj = nn.Identity()
    return cast("nn.Module", unet)


def _movq() -> nn.Module:
    movq = VQModel(
        block_out_channels=[32, 64, 64, 128],
        down_block_types=["DownEncoderBlock2D"] * 3 + ["AttnDownEncoderBlock2D"],
        up_block_types=["AttnUpDecoderBlock2D"] + ["UpDecoderBlock2D"] * 3,
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=32,
        norm_type="spatial",
        num_vq_embeddings=4,
    )
    return cast("nn.Module", movq)


def _filled(module: Any, names: Any) -> nn.Module:
    state = {
        key: drawn(_renamed(key, names), tuple(tensor.shape))
        for key, tensor in module.state_dict().items()
    }
    module.load_state_dict(state)
    return cast("nn.Module", module.eval().requires_grad_(requires_grad=False))


def _renamed(key: str, names: Any) -> str:
    for pattern, original in names:
        key = re.sub(pattern, original, key)
    return key


def drawn(original_key: str, shape: tuple[int, ...]) -> Tensor:
    """Draw a weight from the name it has in the original."""
    random = np.random.RandomState(zlib.crc32(original_key.encode()) & 0x7FFFFFFF)
    values = random.standard_normal(shape)
    if len(shape) > 1:
        values /= np.sqrt(np.prod(shape[1:]))
    else:
        values = values / 10 + float(original_key.endswith(".weight"))
    return torch.from_numpy(values.astype(np.float32))
