"""What is published beside Kandinsky 3, small: original names, key order, pickles."""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from pipelines.kandinsky3.hed import HED
from tests.pipelines.kandinsky3.original import original_state
from tests.pipelines.kandinsky3.published import UNET_SHAPE, WIDTH, projection

IP_REPOSITORY: Final = "someone/pictures"
IP_UNET: Final = "unet/diffusion_pytorch_model.bin"
IP_CLIP: Final = "image_encoder/model.safetensors"
IP_CLIP_CONFIG: Final = "image_encoder/config.json"
CONTROL_REPOSITORY: Final = "someone/outlines"
HINT_UNET: Final = "unet/diffusion_pytorch_model.bin"
BRANCH: Final = "unet_controlnet/diffusion_pytorch_model.bin"
HED_REPOSITORY: Final = "someone/edges"
HED_FILE: Final = "ControlNetHED.pth"
EMBEDDING_DIM: Final = 24
TOKENS: Final = 4
_HINT_WIDTHS: Final = (3, 16, 16, 32, 32, 96, 96, 256)


def addons() -> dict[str, Any]:
    """Describe all of them as a profile does."""
    hint, branch = {"controlnet": HINT_UNET}, {"controlnet": BRANCH, "controlnet_unet": HINT_UNET}
    shapes = {"serves": "shapes"}
    return {
        "ip": ip_section(),
        "controlnet": section(CONTROL_REPOSITORY, hint, "none stated") | shapes,
        "controlnet-v2": section(CONTROL_REPOSITORY, branch, "none stated") | shapes,
        "controlnet-alone": section(CONTROL_REPOSITORY, {"controlnet": BRANCH}, "none") | shapes,
        "hed": section(HED_REPOSITORY, {"hed": HED_FILE}, "other") | shapes,
    }


def ip_section() -> dict[str, Any]:
    """Describe the image adapter's repository as a profile does."""
    paths = {
        "image_adapter": IP_UNET,
        "image_encoder": IP_CLIP,
        "image_encoder_config": IP_CLIP_CONFIG,
    }
    return section(IP_REPOSITORY, paths, "Apache-2.0") | {"serves": "image_prompts"}


def section(repository: str, paths: Mapping[str, str], licence: str) -> dict[str, Any]:
    """Describe a repository."""
    files = {
        item: {"path": path, "licence": licence, "about_bytes": 1} for item, path in paths.items()
    }
    return {"repository": repository, "files": files}


def write_ip_repository(folder: Path, changes: Mapping[str, Tensor] | None = None) -> Path:
    """Write what the hub has of the image adapter, and things that are of no concern."""
    for name in ("unet", "text_encoder"):
        (folder / name).mkdir(parents=True)
    torch.save({**ip_state(), **(changes or {})}, folder / IP_UNET)
    (folder / "unet" / "config.json").write_text("{}")
    (folder / "text_encoder" / "pytorch_model.bin").write_bytes(b"never asked for")
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
        projection_dim=EMBEDDING_DIM,
    )
    cast("Any", CLIPVisionModelWithProjection(config)).save_pretrained(folder / "image_encoder")
    return folder


def ip_state() -> dict[str, Tensor]:
    """Make the published UNet with the adapter in it, on the base UNet of the other repository."""
    torch.manual_seed(11)
    state = {
        **_parameters("image_proj.", nn.Linear(EMBEDDING_DIM, TOKENS * WIDTH)),
        **_parameters("image_norm.", nn.LayerNorm(WIDTH)),
        **own_projection(),
    }
    for name, tensor in in_original_order(original_state("unet")).items():
        state[name] = tensor
        if re.search(r"\.resnet_attn_blocks\.\d\.1\.attention\.output_layer\.weight$", name):
            prefix = name.removesuffix("output_layer.weight") + "processor."
            channels = len(tensor)
            state |= _parameters(f"{prefix}to_key_ip.", nn.Linear(WIDTH, channels))
            state |= _parameters(f"{prefix}to_v_ip.", nn.Linear(WIDTH, channels))
            state |= _parameters(f"{prefix}to_out_ip.", nn.Linear(channels, channels))
    return state


def write_hint_repository(folder: Path, changes: Mapping[str, Tensor] | None = None) -> Path:
    """Write the older generation: one UNet with a hint encoder in it."""
    (folder / "unet").mkdir(parents=True)
    torch.save({**hint_state(), **(changes or {})}, folder / HINT_UNET)
    return folder


def write_branch_repository(folder: Path, changes: Mapping[str, Tensor] | None = None) -> Path:
    """Write the newer generation: a side branch and its UNet, both in bfloat16."""
    for path, state in ((HINT_UNET, fork_state() | dict(changes or {})), (BRANCH, branch_state())):
        (folder / path).parent.mkdir(parents=True)
        torch.save({name: tensor.bfloat16() for name, tensor in state.items()}, folder / path)
    return folder


def write_hed_repository(folder: Path) -> Path:
    """Write the network that finds edges, in float16; there is no smaller one."""
    folder.mkdir(parents=True)
    torch.manual_seed(12)
    torch.save(HED().half().state_dict(), folder / HED_FILE)
    return folder


def fork_state() -> dict[str, Tensor]:
    """Make the UNet of the other repository as that fork's models are, its projection inside."""
    return {**own_projection(), **in_original_order(original_state("unet"))}


def hint_state() -> dict[str, Tensor]:
    """Make the published UNet with the hint encoder in it, on the same UNet."""
    return {**_hint_encoder(), **fork_state()}


def branch_state() -> dict[str, Tensor]:
    """Make the published side branch: the first half of the same UNet, and what was added."""
    copied = re.compile(r"(to_time_embed|feature_pooling|in_layer|down_samples\.[0-2])\.")
    unet = in_original_order(original_state("unet"))
    state = _hint_encoder() | {name: unet[name] for name in unet if copied.match(name)}
    for level, width in enumerate(UNET_SHAPE["block_out_channels"][:3]):
        state |= _parameters(f"convs.{level}.", nn.Conv2d(width, width, 1))
    return state


def _hint_encoder() -> dict[str, Tensor]:
    torch.manual_seed(13)
    state: dict[str, Tensor] = {}
    for number, (wide, wider) in enumerate(pairwise(_HINT_WIDTHS), 1):
        state |= _parameters(f"input_hint_block.conv{number}.", nn.Conv2d(wide, wider, 3))
    last = nn.Conv2d(_HINT_WIDTHS[-1], UNET_SHAPE["block_out_channels"][0] // 2, 3)
    return state | _parameters("input_hint_block.out.", last)


def own_projection() -> dict[str, Tensor]:
    """Name the base's projection as the models of that fork do, which hold it themselves."""
    base = projection("base")
    return {
        "projection_lin.weight": base["0.weight"],
        "projection_ln.weight": base["1.weight"],
        "projection_ln.bias": base["1.bias"],
    }


def in_original_order(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Sort a UNet's tensors as the original's modules follow each other."""
    numbered = {name: number for number, name in enumerate(state)}

    def place(name: str) -> tuple[int, ...]:
        found = re.match(r"(down|up)_samples\.(\d)\.(?:\D+\.(\d)\.(\d)\.)?", name)
        if not found or not found[2]:
            return (3 if name.startswith("out_layer") else 0, numbered[name])
        side, level, block, part = found.groups()
        # A level's own self-attention comes before its blocks on the way down, and last on the
        # way up.
        within = (int(block) + 1, int(part)) if block else (0 if side == "down" else 9, 0)
        return (1 if side == "down" else 2, int(level), *within, numbered[name])

    return {name: state[name] for name in sorted(state, key=place)}


def _parameters(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor.detach() for name, tensor in module.named_parameters()}
