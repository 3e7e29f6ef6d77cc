"""A Kandinsky 3 of a few kilobytes with random weights: real classes, in a profile's layout."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final, cast

import torch
from diffusers import Kandinsky3UNet, VQModel
from safetensors.torch import save_file
from torch import nn
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from pipelines.kandinsky3 import controlnet_layout
from pipelines.kandinsky3.conditioning import Projection
from pipelines.kandinsky3.controlnet import ControlBranch, InputHint
from pipelines.kandinsky3.ip_adapter import IPAdapter, TextContext
from pipelines.memory import Working
from pipelines.profiles import (
    ImagePromptSettings,
    Profile,
    QualitySettings,
    ShapeSettings,
    Size,
)
from pipelines.weights import ComponentStore

NO_ROOM: Final = Working(row_bytes_per_px=0, decoder_bytes_per_px=0, reserve_bytes=0)
"""What is reserved for a full-size model's activations is many times these weights."""

WIDTH: Final = 16
EMBEDDING_DIM: Final = 24
IMAGE_PROMPTS: Final = ImagePromptSettings(steps=4)
SHAPES: Final = ShapeSettings(steps=4, edges="gradient")
HINT_CHANNELS: Final = (4, 4, 4, 4)
WORDS: Final = ("a", "red", "blue", "green", "circle", "square", "cat", "on", "hill", "and")


def make_weights(folder: Path) -> Path:
    """Write a whole set of weights, the same each time."""
    torch.manual_seed(0)
    _save_text(folder)
    movq = VQModel(
        block_out_channels=[32, 32, 32, 32],
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        norm_type="spatial",
        num_vq_embeddings=4,
    )
    movq.save_pretrained(folder / "movq")
    for suffix in ("", "_flash"):
        _save_unet(folder / f"unet{suffix}")
        projection = Projection(WIDTH, WIDTH)
        nn.init.normal_(projection.null_embedding)
        save_file(projection.state_dict(), folder / f"conditioning{suffix}.safetensors")
    save_image_encoder(folder)
    save_image_adapter(folder)
    save_controlnet(folder, ControlBranch.from_unet(_unet(folder), HINT_CHANNELS))
    latent_rgb = {"weight": torch.randn(3, 4) / 4, "bias": torch.zeros(3)}
    save_file(latent_rgb, folder / "latent_rgb.safetensors")
    write_manifest(folder)
    return folder


def write_manifest(folder: Path) -> None:
    """List the files as they are now."""
    files = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }
    (folder / "manifest.json").write_text(json.dumps({"licence": "none", "files": files}))


def make_profile(weights_dir: Path, **changes: object) -> Profile:
    """Describe the weights; four steps are enough for most of what is asked."""
    values: dict[str, Any] = {
        "weights_dir": weights_dir,
        "licence": "none",
        "sizes": {"1:1": Size(width_px=64, height_px=64), "2:3": Size(width_px=64, height_px=128)},
        "qualities": {
            "flash": None,
            "fast": QualitySettings(steps=4, cache_interval=2),
            "base": QualitySettings(steps=4),
            "refined": QualitySettings(steps=4),
        },
        "default_quality": "base",
        "batch_pictures": 8,
        "photo_scale": 2,
        "device": "cpu",
        "threads": 1,
    }
    return Profile.model_validate(values | changes)


def make_store(weights_dir: Path, **changes: object) -> ComponentStore:
    """Open the weights in this process."""
    return ComponentStore.open(make_profile(weights_dir, **changes))


def save_image_encoder(folder: Path) -> None:
    """Write a CLIP that sees little."""
    config = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
        projection_dim=EMBEDDING_DIM,
    )
    CLIPVisionModelWithProjection(config).save_pretrained(folder / "image_encoder")


def save_image_adapter(folder: Path, text_context: TextContext = "cut") -> None:
    """Write an adapter for the base UNet that is heard well."""
    adapter = IPAdapter.fresh(Kandinsky3UNet.from_pretrained(folder / "unet"), EMBEDDING_DIM)
    for weight in adapter.parameters():
        nn.init.normal_(weight, std=0.3)
    said = {"variant": "base", "text_context": text_context}
    save_file(adapter.state_dict(), folder / "image_adapter.safetensors", metadata=said)


def save_controlnet(folder: Path, control: ControlBranch | InputHint) -> None:
    """Write a ControlNet that is heard well."""
    for weight in control.parameters():
        nn.init.normal_(weight, std=0.3)
    made = folder / "controlnet"
    made.mkdir(exist_ok=True)
    controlnet_layout.write_config(control, made)
    save_file(control.state_dict(), made / controlnet_layout.WEIGHTS)


def _unet(folder: Path) -> nn.Module:
    unet = Kandinsky3UNet.from_pretrained(folder / "unet")
    unet.encoder_hid_proj = nn.Identity()
    return cast("nn.Module", unet)


def _save_text(folder: Path) -> None:
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0)]
    vocabulary += [(f"▁{word}", -2.0) for word in WORDS]
    T5Tokenizer(vocab=vocabulary, extra_ids=0).save_pretrained(folder / "tokenizer")
    config = T5Config(
        vocab_size=len(vocabulary), d_model=WIDTH, d_kv=8, d_ff=32, num_layers=1, num_heads=2
    )
    T5EncoderModel(config).save_pretrained(folder / "text_encoder")


def _save_unet(folder: Path) -> None:
    unet = Kandinsky3UNet(
        time_embedding_dim=WIDTH,
        groups=4,
        attention_head_dim=8,
        layers_per_block=2,
        block_out_channels=(16, 32),
        cross_attention_dim=WIDTH,
        encoder_hid_dim=WIDTH,
    )
    unet.encoder_hid_proj = nn.Identity()
    for weight in cast("nn.Module", unet).parameters():
        # The library starts the conditional norms at zero, which would hide the text.
        nn.init.normal_(weight, std=0.15)
    unet.save_pretrained(folder)
