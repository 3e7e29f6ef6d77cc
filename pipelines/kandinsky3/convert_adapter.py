"""The published image adapter, taken out of the UNet it lies in, and the CLIP that it sees with.

Source: ai-forever/kandinsky3-diffusers, `models/unet_kandi3.py:687-797` (the names), the
repository `ai-forever/kandinsky3_ip_adapter` on the hub (the files).
"""

import json
import re
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from pipelines.checkpoints.errors import BadCheckpoint, one_line
from pipelines.checkpoints.records import Conversion, Part
from pipelines.checkpoints.tensors import (
    as_tensors,
    check_fits,
    read_pickle,
    read_safetensors,
    write_safetensors,
)
from pipelines.kandinsky3 import derived
from pipelines.kandinsky3.convert import empty_unet
from pipelines.kandinsky3.ip_adapter import IPAdapter, TextContext
from pipelines.kandinsky3.names import unet_name

_ADDED: Final = re.compile(r"^image_(proj|norm)\.|\.processor\.to_(key|v|out)_ip\.")
_POSITION_IDS: Final = "vision_model.embeddings.position_ids"
"""Counted numbers that older files hold among the weights."""

_TEXT_CONTEXT: Final[TextContext] = "full"
"""How the text lies beside the pictures where the published adapter is used."""


def _image_adapter(work: Conversion) -> None:
    """Make the image encoder and the adapter, and a UNet only if the adapter's is its own."""
    (path,) = work.files["image_adapter"]
    embedding_dim = _image_encoder(work)
    published = as_tensors(path, read_pickle(path), "the tensors of a Kandinsky 3 UNet")
    found = derived.take_apart(path, published, lambda name: bool(_ADDED.search(name)))
    adapter = {_adapter_name(name): tensor for name, tensor in found.added.items()}
    with torch.device("meta"):
        fresh = IPAdapter.fresh(empty_unet(work.hub.unet, "base"), embedding_dim)
    check_fits(path, adapter, fresh.state_dict())
    comparison = derived.compare(found, work.weights_dir)
    variant = "base" if comparison.is_base else "ip"
    kept = "the adapter alone is kept" if comparison.is_base else "its UNet is kept as unet_ip"
    work.say(f"image_adapter: {comparison}: {kept}")
    if not comparison.is_base:
        derived.keep(found, variant, work.made, work.weights_dir)
    facts = {"variant": variant, "text_context": _TEXT_CONTEXT, **comparison.facts}
    write_safetensors(work.made / "image_adapter.safetensors", adapter, **facts)


def _adapter_name(original: str) -> str:
    return unet_name(original).replace(".to_key_ip.", ".to_k_ip.")


def _image_encoder(work: Conversion) -> int:
    """Make the vision half of CLIP, and return how many numbers it says a picture in."""
    (path,), (config_path,) = work.files["image_encoder"], work.files["image_encoder_config"]
    config = _clip_config(config_path)
    contents: dict[str, Tensor] = read_safetensors(path)
    contents.pop(_POSITION_IDS, None)
    tensors = as_tensors(path, contents, "the tensors of CLIP's vision half")
    with torch.device("meta"):
        check_fits(path, tensors, CLIPVisionModelWithProjection(config).state_dict())
    made = work.made / "image_encoder"
    config.save_pretrained(made)
    write_safetensors(made / "model.safetensors", tensors)
    return int(config.projection_dim)


def _clip_config(path: Path) -> Any:  # noqa: ANN401 - untyped library class
    expected = "the configuration of CLIP's vision half"
    try:
        values = json.loads(path.read_bytes())
        if values["model_type"] == "clip_vision_model":
            return CLIPVisionConfig.from_dict(values)
    except Exception as error:  # what a broken file raises depends on where it is broken
        raise BadCheckpoint(path, f"{expected} ({one_line(error)})") from error
    raise BadCheckpoint(path, expected)


PARTS: Final = (
    Part(
        "image_adapter",
        ("image_adapter", "image_encoder", "image_encoder_config"),
        ("image_adapter.safetensors", "image_encoder"),
        _image_adapter,
        may_make=("unet_ip", "conditioning_ip.safetensors"),
        requires=derived.BASE,
    ),
)
